"""The attention RNN: lookback, repeats, attention, streaming."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.attention_rnn import TINY
from zoo.nn.sequence.sampling import Draw

KEY = jax.random.key(0)
ROW = np.array([[3, 5, 0, 2, 7, 7, 0, 1, 4, 0], [1, 0, 6, 6, 6, 2, 0, 0, 0, 0]])
MASK = np.arange(10) < np.array([[10], [7]])
BATCH = {"tokens": ROW, "mask": MASK}
METRES = (0, 0, 0, 0, 3, 0, 0, 2)
jit = functools.cache(jax.jit)


@pytest.fixture(scope="module")
def params():
    """Parameters larger than initial ones, so that the memory has an effect."""
    return larger(TINY)


def larger(family):
    return jax.tree.map(lambda x: 2 * np.asarray(x), family.init(KEY, BATCH))


def with_(**changes):
    return dataclasses.replace(TINY, **changes)


def test_loss_is_the_mean_over_the_mask(params):
    loss, metrics = jit(TINY.loss)(params, BATCH, KEY, None)
    total = jit(TINY.log_prob)(params, ROW, MASK)
    assert metrics["events"] == MASK.sum()
    np.testing.assert_allclose(loss, -total.sum() / MASK.sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics["nll"], loss)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bar_lengths": METRES},
        {"layers": 1},
        {"memory": 0},
        {"lookback": (), "layers": 3},
    ],
    ids=repr,
)
def test_streaming_is_the_forward_pass(changes):
    family = with_(**changes)
    params, rows = larger(family), np.tile(ROW, (1, 2))
    step, state = jit(family.step), jit(family.start, static_argnums=0)(2)
    token, steps = np.zeros(2, int), []
    for t in range(rows.shape[1]):
        state, logits = step(params, state, token)
        token = rows[:, t]
        steps.append(logits)
    log_p = np.asarray(jax.nn.log_softmax(np.stack(steps, axis=1)))
    total = np.take_along_axis(log_p, rows[..., None], axis=2)[..., 0]
    whole, _ = jit(family.token_log_probs)(params, rows)
    np.testing.assert_allclose(total, whole, atol=1e-5)


def test_packing_changes_no_piece(params):
    piece = ROW[:1, 3:7]
    mask = np.ones(piece.shape, bool)
    alone = jit(TINY.log_prob)(params, piece, mask)
    packed = jit(TINY.log_prob)(params, ROW[:1], np.pad(mask, ((0, 0), (3, 3))))
    np.testing.assert_allclose(alone, packed, atol=1e-5)


def test_probabilities_sum_to_one(params):
    """Over all triples of events: `bar` is 2, so the third may be a repeat."""
    triples = np.stack(np.meshgrid(*3 * [np.arange(8)], indexing="ij"), -1).reshape(
        -1, 3
    )
    total = np.exp(
        jit(TINY.log_prob)(params, triples, np.ones(triples.shape, bool))
    ).sum()
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_an_event_is_the_sum_of_its_three_outputs():
    """Its own, and the repeats of one bar ago (7) and of two bars ago (5)."""
    logits, one_hot = np.arange(10, dtype=np.float32)[None], np.eye(8)
    mass = np.exp(logits[0])
    merge = jit(TINY.merge_repeats)
    merged = lambda *events: np.exp(merge(logits, np.array([events]))[0])
    both = mass[:8] + one_hot[7] * mass[8]
    np.testing.assert_allclose(merged(7, 5), both + one_hot[5] * mass[9], rtol=1e-5)
    np.testing.assert_allclose(merged(7, 7), both + one_hot[7] * mass[9], rtol=1e-5)
    np.testing.assert_allclose(merged(0, 0), mass[:8], rtol=1e-5)


def test_attention_is_over_the_piece_so_far(params):
    share = np.asarray(jit(TINY.attention)(params, ROW))
    assert share.shape == (*ROW.shape, TINY.memory)
    inputs = np.pad(ROW[:, :-1], ((0, 0), (1, 0)))
    for row, tokens in zip(share, inputs, strict=True):
        for t in range(len(tokens)):
            age = t - max(i for i in range(t + 1) if tokens[i] == 0)
            assert not row[t, age:].any()
            np.testing.assert_allclose(row[t].sum(), min(age, 1), atol=1e-5)


def test_attention_prefers_the_best_key():
    """With a constant query, the best key so far has the most weight."""
    family = with_(memory=4)
    params = larger(family)
    layer = params["net"]["lstm_0"]
    layer |= {"w2": np.zeros_like(layer["w2"]), "v": np.full_like(layer["v"], 50.0)}
    tokens = np.array([[3, 5, 1, 2, 6, 7, 2, 4]])
    share = np.asarray(jit(family.attention)(params, tokens))[0]
    latest = share.argmax(axis=1)
    chosen = np.arange(8) - 1 - latest
    assert (np.diff(chosen[1:5]) >= 0).all()


def test_lookback_goes_beyond_the_attention():
    """A lookback of six bars predicts an event by the one six bars ago."""
    near = with_(memory=0, layers=1, lookback=(6,), bar=2)
    sizes = jax.eval_shape(near.init, KEY, BATCH)
    params = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), sizes)
    params["net"]["head"]["bias"][8] = 10
    row = np.array([[3, 5, 1, 2, 6, 7, 2, 4, 4, 4, 4, 4, 3, 5, 1]])
    _, hit = jit(near.token_log_probs)(params, row)
    assert np.asarray(hit)[0, 12:].all()


def test_dropout_is_on_in_training_only(params):
    family = with_(dropout=0.5)
    loss = lambda model, i, step: float(
        jit(model.loss)(params, BATCH, jax.random.key(i), step)[0]
    )
    evaluated, trained = [
        [loss(family, i, step) for i in range(2)] for step in (None, 3)
    ]
    assert evaluated[0] == evaluated[1] == loss(TINY, 0, None)
    assert trained[0] != trained[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": 0},
        {"dropout": 1.0},
        {"memory": -1},
        {"lookback": (0,)},
        {"bar": 0},
        {"bar_lengths": (0, 4)},
    ],
    ids=repr,
)
def test_refuses(wrong):
    with pytest.raises(UsageError, match=r"choose|pass"):
        with_(**wrong)


def test_greedy_samples_are_the_most_likely_events(params):
    sample = functools.partial(TINY.sample, n=1, length=8, draw=Draw(temperature=0))
    rows = jax.jit(sample)(params, KEY, primer=np.array([3, 5]))
    assert rows.dtype == jnp.int32
    row, (_, likeliest) = np.asarray(rows[0]), jit(TINY.token_log_probs)(params, rows)
    assert row[:2].tolist() == [3, 5]
    ends = np.argmax(np.append(row == 0, True))
    assert np.asarray(likeliest)[0, 2 : ends + 1].all()


def test_samples_do_not_depend_on_the_batch(params):
    sample = jit(TINY.sample, static_argnames=("n", "length"))
    many = sample(params, KEY, n=9, length=20)
    one = sample(params, KEY, n=1, length=20)
    np.testing.assert_array_equal(one, np.asarray(many)[:1])
