"""The Transformer: streaming, windows, packing, remat, long rows."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.transformer import TINY, Transformer
from zoo.nn.sequence.sampling import Draw

KEY = jax.random.key(0)
ROW = jnp.array([[3, 5, 0, 2, 7, 7, 0, 1, 4, 0], [1, 0, 6, 6, 6, 2, 0, 0, 0, 0]])
MASK = jnp.ones(ROW.shape, bool).at[1, 7:].set(False)
BATCH = {"tokens": ROW, "mask": MASK}
LONG = 1 + jax.random.randint(
    KEY, (2, 20), 0, 7
)  # one piece, more than three contexts long
POSITIONS = ("rotary", "relative")

log_probs = jax.jit(
    lambda family, params, rows: family.token_log_probs(params, rows), static_argnums=0
)
init = jax.jit(lambda family: family.init(KEY, BATCH), static_argnums=0)


def with_(**changes):
    return dataclasses.replace(TINY, **changes)


def larger(family):
    """Returns parameters so large that the context has an effect."""
    return jax.tree.map(lambda x: 2 * x, init(family))


@pytest.fixture(scope="module", params=POSITIONS)
def family(request):
    return with_(position=request.param)


@pytest.fixture(scope="module")
def params(family):
    return larger(family)


@pytest.fixture(scope="module")
def rows():
    """Rows of packed pieces, one of which ends within its context."""
    return jnp.concatenate([ROW, LONG], axis=1).at[1, 14].set(0)


def stream(family, params, inputs):
    """Returns the logits [b, t, v] of inputs [b, t], one event at a time."""

    @jax.jit
    def run(params, state, inputs):
        step = lambda state, token: family.step(params, state, token)
        return jax.lax.scan(step, state, inputs.T)[1].swapaxes(0, 1)

    return run(params, family.start(len(inputs)), inputs)


def test_streaming_is_the_forward_pass(family, params, rows):
    inputs = jnp.pad(rows[:, :-1], ((0, 0), (1, 0)))
    logits = stream(family, params, inputs)
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), rows[..., None], -1)[..., 0]
    whole, hit = log_probs(family, params, rows)
    np.testing.assert_allclose(log_p, whole, atol=1e-5)
    np.testing.assert_array_equal(hit, logits.argmax(axis=-1) == rows)


@pytest.mark.parametrize("position", POSITIONS)
def test_beyond_the_context_a_window_slides(position):
    """A single layer sees the last `length` events alone.

    More layers see further; for them the oracle is the forward pass above.
    """
    family = with_(position=position, layers=1)
    params, n = larger(family), family.length
    windows = jnp.stack(
        [LONG[0, t - n + 1 : t + 1] for t in range(n - 1, LONG.shape[1])]
    )
    afresh = jax.jit(family.net.apply, static_argnums=2)(
        params_of(params), windows, True
    )[:, -1]
    np.testing.assert_allclose(
        stream(family, params, LONG[:1])[0, n - 1 :], afresh, atol=1e-5
    )


def params_of(params):
    return {"params": params["net"]}


def test_without_counted_bars_nothing_tells_the_place(rows):
    family = with_(bar_lengths=(0, 0, 0, 0, 0, 0, 3, 4), bars_counted=0)
    assert family == with_(bars_counted=0)
    np.testing.assert_array_equal(
        log_probs(family, larger(family), rows)[0],
        log_probs(TINY, larger(TINY), rows)[0],
    )


METRES = (0, 0, 0, 0, 0, 0, 3, 4)  # the bars of the last two tokens


def test_streaming_knows_the_place_in_the_bar(rows):
    family = with_(bar_lengths=METRES, bars_counted=2)
    params = larger(family)
    whole, _ = log_probs(family, params, rows)
    logits = stream(family, params, jnp.pad(rows[:, :-1], ((0, 0), (1, 0))))
    log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), rows[..., None], -1)[..., 0]
    np.testing.assert_allclose(log_p, whole, atol=1e-5)


def test_the_place_in_the_bar_is_known_beyond_the_context():
    """Of a single layer with a context of 6 events, in bars of 3 and of 4 steps."""
    family = with_(bar_lengths=METRES, bars_counted=2, layers=1)
    line = jnp.array([1, 2, 3, 1, 2, 3, 4, 5, 1, 2, 3, 1, 2, 3, 4, 5, 1, 2, 3, 1])
    rows = jnp.stack([jnp.append(metre, line) for metre in (6, 7)])
    log_p, _ = log_probs(family, larger(family), rows)
    places = np.stack([np.arange(-1, 20) % bar for bar in (3, 4)])
    bars = np.stack([np.arange(-1, 20) // bar % 2 for bar in (3, 4)])
    same = ((places == places[:1]) & (bars == bars[:1])).all(axis=0)[8:]
    differ = np.abs(log_p[0] - log_p[1])[8:] > 1e-4
    np.testing.assert_array_equal(differ, ~same)


def test_attention_is_causal(family, params, rows):
    """A change has an effect from its step on, and none before."""
    t = 12
    before, _ = log_probs(family, params, rows)
    after, _ = log_probs(family, params, rows.at[:, t].set(rows[:, t] % 7 + 1))
    np.testing.assert_array_equal(before[:, :t], after[:, :t])
    assert (jnp.abs(before - after)[:, t : t + 2] > 1e-4).all()


def test_layers_see_no_further_than_their_windows(family, params):
    """An event attends to 5 before it in each of 2 layers, so to 10."""
    changed = LONG.at[:, 4].set(LONG[:, 4] % 7 + 1)
    rows = [jnp.pad(row, ((0, 0), (0, 10)), mode="wrap") for row in (LONG, changed)]
    a, b = (log_probs(family, params, row)[0] for row in rows)
    assert not np.allclose(a[:, 5:16], b[:, 5:16], atol=1e-4)
    np.testing.assert_allclose(a[:, 16:24], b[:, 16:24], atol=1e-6)


def test_packing_changes_no_piece(family, params, rows):
    piece = jnp.zeros_like(rows).at[:, :4].set(rows[:, 3:7])
    alone, _ = log_probs(family, params, piece)
    packed, _ = log_probs(family, params, rows)
    np.testing.assert_allclose(alone[0, :4], packed[0, 3:7], atol=1e-5)


def test_loss_is_the_mean_over_the_mask():
    params = larger(TINY)
    loss, metrics = jax.jit(TINY.loss)(params, BATCH, KEY, None)
    total = (log_probs(TINY, params, ROW)[0] * MASK).sum(axis=1)
    np.testing.assert_allclose(
        jax.jit(TINY.log_prob)(params, ROW, MASK), total, rtol=1e-6
    )
    assert metrics["events"] == MASK.sum()
    np.testing.assert_allclose(loss, -total.sum() / MASK.sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics["nll"], loss)


def test_probabilities_sum_to_one(family, params):
    pairs = jnp.stack(jnp.meshgrid(jnp.arange(8), jnp.arange(8)), -1).reshape(-1, 2)
    np.testing.assert_allclose(
        jnp.exp(log_probs(family, params, pairs)[0].sum(axis=1)).sum(), 1, 1e-5
    )


def test_dropout_is_on_in_training_only():
    family, params = with_(dropout=0.5), larger(TINY)
    loss = jax.jit(family.loss)
    evaluated = loss(params, BATCH, jax.random.key(1), None)[0]
    trained = [
        loss(params, BATCH, jax.random.key(i), jnp.array(3))[0] for i in (0, 1, 1)
    ]
    expected = -(log_probs(TINY, params, ROW)[0] * MASK).sum() / MASK.sum()
    np.testing.assert_allclose(evaluated, expected, rtol=1e-5)
    assert trained[0] != trained[1] == trained[2]


def test_remat_saves_memory_and_changes_nothing():
    """All logits would be 2,048 by 2,048 for each of 3 layers, 4 bytes each."""
    family = Transformer(vocab=8, width=16, layers=3, heads=1, dropout=0.1, length=2048)
    batch = family.example(1)
    params = larger(family)

    def slopes(remat):
        loss = dataclasses.replace(family, remat=remat).loss
        train = jax.jit(
            jax.value_and_grad(lambda p: loss(p, batch, KEY, jnp.array(0))[0])
        )
        program = train.lower(params).compile()
        return program(params), program.memory_analysis().temp_size_in_bytes

    (plain, kept), (again, less) = slopes(False), slopes(True)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(again), strict=True):
        assert jnp.isfinite(a).all()
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert less < 0.7 * kept
    assert kept < 4 * 2048 * 2048


def test_the_state_has_a_constant_size(family, params):
    state = jax.eval_shape(lambda: family.start(2))
    after, _ = jax.eval_shape(
        family.step, params, state, jax.ShapeDtypeStruct((2,), jnp.int32)
    )
    describe = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
    assert describe(state) == describe(after)
    assert (
        sum(x.size for x in jax.tree.leaves(state.caches))
        == 2 * 2 * 2 * 8 * TINY.length
    )


def test_greedy_samples_beyond_the_context_are_the_most_likely(family, params):
    primer = LONG[:, :3]
    sample = jax.jit(
        lambda p: family.sample(p, KEY, 2, length=20, draw=Draw(0), primer=primer)
    )
    rows = sample(params)
    assert rows.dtype == jnp.int32
    np.testing.assert_array_equal(rows[:, :3], primer)
    _, likeliest = log_probs(family, params, rows)
    for row, best in zip(np.asarray(rows), likeliest, strict=True):
        ends = int(np.argmax(np.append(row == 0, True)))
        assert best[3 : ends + 1].all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"position": "sinusoidal"}, "choose rotary or relative"),
        ({"width": 6}, "choose a multiple of 4"),
        ({"width": 7, "position": "relative"}, "choose a multiple of 2"),
    ],
    ids=repr,
)
def test_refuses(wrong, message):
    with pytest.raises(UsageError, match=message):
        with_(**wrong)
