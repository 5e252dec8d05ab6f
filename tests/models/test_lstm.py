"""What is peculiar to the LSTM: streaming, resets, segments, dropout, tied weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.lstm import LSTM, TINY
from zoo.nn.decode import Draw

KEY = jax.random.key(0)
ROW = jnp.array([[3, 5, 0, 2, 7, 7, 0, 1, 4, 0], [1, 0, 6, 6, 6, 2, 0, 0, 0, 0]])
MASK = jnp.ones(ROW.shape, bool).at[1, 7:].set(False)
BATCH = {"tokens": ROW, "mask": MASK}


@pytest.fixture(scope="module")
def params():
    """Larger than at birth, so that what is remembered shows."""
    return jax.tree.map(lambda x: 2 * x, TINY.init(KEY, BATCH))


def with_(**changes):
    return dataclasses.replace(TINY, **changes)


def test_loss_is_the_mean_over_the_mask(params):
    loss, metrics = TINY.loss(params, BATCH, KEY, None)
    total = TINY.log_prob(params, ROW, MASK)
    assert metrics["events"] == MASK.sum()
    np.testing.assert_allclose(loss, -total.sum() / MASK.sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics["nll"], loss)


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_streaming_is_the_forward_pass(tie, layers):
    family = with_(tie=tie, embed=8, layers=layers)
    params = jax.tree.map(lambda x: 2 * x, family.init(KEY, BATCH))
    step, state = jax.jit(family.step), family.start(2)
    token, total = jnp.zeros(2, int), []
    for t in range(ROW.shape[1]):
        state, logits = step(params, state, token)
        token = ROW[:, t]
        total.append(jax.nn.log_softmax(logits)[jnp.arange(2), token])
    whole, _ = family.score(params, ROW)
    np.testing.assert_allclose(jnp.stack(total, axis=1), whole, atol=1e-5)


def test_packing_changes_no_piece(params):
    piece = ROW[:1, 3:7]
    alone = TINY.log_prob(params, piece, jnp.ones(piece.shape, bool))
    packed = TINY.log_prob(params, ROW[:1], jnp.zeros((1, 10), bool).at[:, 3:7].set(True))
    np.testing.assert_allclose(alone, packed, atol=1e-5)


def test_probabilities_sum_to_one(params):
    pairs = jnp.stack(jnp.meshgrid(jnp.arange(8), jnp.arange(8)), -1).reshape(-1, 2)
    total = jnp.exp(TINY.log_prob(params, pairs, jnp.ones(pairs.shape, bool))).sum()
    np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("segment", [1, 4, 5, 99])
def test_segments_carry_the_state(params, segment):
    whole, _ = TINY.loss(params, BATCH, KEY, None)
    parts, _ = jax.jit(with_(segment=segment).loss)(params, BATCH, KEY, None)
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_segments_stop_the_gradient(params):
    """Two segments: the second sees the first's state as a constant."""
    row, mask = jnp.array([[3, 5, 2, 7, 7, 1]]), jnp.ones((1, 6), bool)

    def by_hand(params):
        inputs = jnp.array([[0], [3], [5], [2], [7], [7]])
        net = {"params": params["net"]}
        state, early = TINY.net.apply(net, TINY.start(1), inputs[:3], True)
        _, late = TINY.net.apply(net, jax.lax.stop_gradient(state), inputs[3:], True)
        log_p = jax.nn.log_softmax(jnp.concatenate([early, late])[:, 0])
        return -log_p[jnp.arange(6), row[0]].mean()

    batch = {"tokens": row, "mask": mask}
    grad = lambda f: jax.jit(jax.grad(lambda p: f.loss(p, batch, KEY, None)[0]))(params)
    for a, b in zip(
        jax.tree.leaves(grad(with_(segment=3))),
        jax.tree.leaves(jax.jit(jax.grad(by_hand))(params)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
    differs = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), grad(with_(segment=3)), grad(TINY))
    assert max(jax.tree.leaves(differs)) > 1e-4


def test_memory_is_one_segments():
    family = LSTM(vocab=8, embed=8, width=32, layers=2, length=512)
    batch = jax.eval_shape(lambda: family.example(8))
    params = jax.eval_shape(family.init, KEY, batch)

    def peak(family):
        slope = jax.jit(jax.grad(lambda p, b: family.loss(p, b, KEY, None)[0]))
        return slope.lower(params, batch).compile().memory_analysis().temp_size_in_bytes

    assert peak(dataclasses.replace(family, segment=32)) < peak(family) / 4


def test_dropout_is_for_training_alone(params):
    family = with_(dropout=0.5)
    evaluated = [family.loss(params, BATCH, jax.random.key(i), None)[0] for i in range(2)]
    trained = [family.loss(params, BATCH, jax.random.key(i), jnp.array(3))[0] for i in range(2)]
    assert evaluated[0] == evaluated[1] == TINY.loss(params, BATCH, KEY, None)[0]
    assert trained[0] != trained[1]
    assert trained[0] == family.loss(params, BATCH, jax.random.key(0), jnp.array(3))[0]


def test_segments_drop_differently(params):
    family = with_(dropout=0.5, segment=5)
    repeated = jnp.tile(ROW[:, :5].at[:, 4].set(0), (1, 2))
    log_p, _ = family.score(params, repeated, KEY)
    assert not np.allclose(log_p[:, :5], log_p[:, 5:])


def test_tied_sizes_must_agree():
    with pytest.raises(UsageError, match="embed is 4"):
        with_(tie=True)
    assert "head" not in with_(tie=True, embed=8).init(KEY, BATCH)["net"]


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"dropout": 1.0}, {"segment": 0}], ids=repr)
def test_refuses(wrong):
    with pytest.raises(UsageError, match="choose"):
        with_(**wrong)


def test_greedy_samples_are_the_likeliest_events(params):
    primer = jnp.array([3, 5])
    rows = TINY.sample(params, KEY, 1, length=8, draw=Draw(temperature=0), primer=primer)
    assert rows.dtype == jnp.int32
    assert rows[0, :2].tolist() == [3, 5]
    _, likeliest = TINY.score(params, rows)
    ends = int(jnp.argmax(jnp.append(rows[0] == 0, True)))
    assert likeliest[0, 2 : ends + 1].all()


def test_samples_do_not_depend_on_the_batch(params):
    sample = jax.jit(TINY.sample, static_argnames=("n", "length"))
    many = sample(params, KEY, n=9, length=20)
    np.testing.assert_array_equal(sample(params, KEY, n=1, length=20), many[:1])
