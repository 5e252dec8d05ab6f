"""What is peculiar to the attention RNN: lookback, repeats that are said, attention, streaming."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.attention_rnn import TINY
from zoo.nn.decode import Draw

KEY = jax.random.key(0)
ROW = jnp.array([[3, 5, 0, 2, 7, 7, 0, 1, 4, 0], [1, 0, 6, 6, 6, 2, 0, 0, 0, 0]])
MASK = jnp.ones(ROW.shape, bool).at[1, 7:].set(False)
BATCH = {"tokens": ROW, "mask": MASK}
METRES = (0, 0, 0, 0, 3, 0, 0, 2)


@pytest.fixture(scope="module")
def params():
    """Larger than at birth, so that what is remembered shows."""
    return larger(TINY)


def larger(family):
    return jax.tree.map(lambda x: 2 * x, family.init(KEY, BATCH))


def with_(**changes):
    return dataclasses.replace(TINY, **changes)


def test_loss_is_the_mean_over_the_mask(params):
    loss, metrics = TINY.loss(params, BATCH, KEY, None)
    total = TINY.log_prob(params, ROW, MASK)
    assert metrics["events"] == MASK.sum()
    np.testing.assert_allclose(loss, -total.sum() / MASK.sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics["nll"], loss)


@pytest.mark.parametrize(
    "changes",
    [{}, {"bars": METRES}, {"layers": 1}, {"memory": 0}, {"lookback": (), "layers": 3}],
    ids=repr,
)
def test_streaming_is_the_forward_pass(changes):
    family = with_(**changes)
    params, rows = larger(family), jnp.tile(ROW, (1, 2))
    step, state = jax.jit(family.step), family.start(2)
    token, total = jnp.zeros(2, int), []
    for t in range(rows.shape[1]):
        state, logits = step(params, state, token)
        token = rows[:, t]
        total.append(jax.nn.log_softmax(logits)[jnp.arange(2), token])
    whole, _ = family.score(params, rows)
    np.testing.assert_allclose(jnp.stack(total, axis=1), whole, atol=1e-5)


def test_packing_changes_no_piece(params):
    piece = ROW[:1, 3:7]
    alone = TINY.log_prob(params, piece, jnp.ones(piece.shape, bool))
    packed = TINY.log_prob(params, ROW[:1], jnp.zeros((1, 10), bool).at[:, 3:7].set(True))
    np.testing.assert_allclose(alone, packed, atol=1e-5)


def test_probabilities_sum_to_one(params):
    """Over every triple, so that there is something to repeat: `bar` is 2."""
    triples = jnp.stack(jnp.meshgrid(*3 * [jnp.arange(8)], indexing="ij"), -1).reshape(-1, 3)
    total = jnp.exp(TINY.log_prob(params, triples, jnp.ones(triples.shape, bool))).sum()
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_an_event_may_be_said_in_three_ways(params):
    """By its name, and as what came one bar (7) or two bars (5) ago, where that is not nothing."""
    logits = jnp.arange(10.0)[None]
    mass = jnp.exp(logits[0])
    said = lambda *events: jnp.exp(TINY.say(logits, jnp.array([events]))[0])
    np.testing.assert_allclose(
        said(7, 5), mass[:8].at[7].add(mass[8]).at[5].add(mass[9]), rtol=1e-5
    )
    np.testing.assert_allclose(said(7, 7), mass[:8].at[7].add(mass[8] + mass[9]), rtol=1e-5)
    np.testing.assert_allclose(said(0, 0), mass[:8], rtol=1e-5)


def test_attention_is_over_the_piece_so_far(params):
    share = TINY.attention(params, ROW)
    assert share.shape == (*ROW.shape, TINY.memory)
    inputs = np.pad(ROW[:, :-1], ((0, 0), (1, 0)))
    for row, tokens in zip(share, inputs, strict=True):
        for t in range(len(tokens)):
            age = t - max(i for i in range(t + 1) if tokens[i] == 0)
            assert not row[t, age:].any()
            np.testing.assert_allclose(row[t].sum(), min(age, 1), atol=1e-5)


def test_attention_weighs_what_is_alike():
    """Keys and queries by hand: the query is blind, so of all outputs the best key wins always."""
    family = with_(memory=4)
    params = larger(family)
    layer = params["net"]["lstm_0"]
    layer |= {"w2": jnp.zeros_like(layer["w2"]), "v": jnp.full_like(layer["v"], 50.0)}
    tokens = jnp.array([[3, 5, 1, 2, 6, 7, 2, 4]])
    share = family.attention(params, tokens)[0]
    latest = np.asarray(share.argmax(axis=1))
    chosen = np.arange(8) - 1 - latest
    assert (np.diff(chosen[1:5]) >= 0).all()


def test_lookback_reaches_beyond_the_attention():
    """One event six bars back is seen by the network where it looks back by six bars, at once."""
    near = with_(memory=0, layers=1, lookback=(6,), bar=2)
    params = jax.tree.map(jnp.zeros_like, near.init(KEY, BATCH))
    params["net"]["head"]["bias"] = jnp.zeros(9).at[8].set(10.0)
    row = jnp.array([[3, 5, 1, 2, 6, 7, 2, 4, 4, 4, 4, 4, 3, 5, 1]])
    _, hit = near.score(params, row)
    assert hit[0, 12:].all()


def test_dropout_is_for_training_alone(params):
    family = with_(dropout=0.5)
    evaluated = [family.loss(params, BATCH, jax.random.key(i), None)[0] for i in range(2)]
    trained = [family.loss(params, BATCH, jax.random.key(i), jnp.array(3))[0] for i in range(2)]
    assert evaluated[0] == evaluated[1] == TINY.loss(params, BATCH, KEY, None)[0]
    assert trained[0] != trained[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": 0},
        {"dropout": 1.0},
        {"memory": -1},
        {"lookback": (0,)},
        {"bar": 0},
        {"bars": (0, 4)},
    ],
    ids=repr,
)
def test_refuses(wrong):
    with pytest.raises(UsageError, match=r"choose|give"):
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
