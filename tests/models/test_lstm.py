"""The LSTM: streaming, resets, segments, dropout, tied weights."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.lstm import LSTM, TINY
from zoo.nn.sequence.sampling import Draw

KEY = jax.random.key(0)
ROW = np.array([[3, 5, 0, 2, 7, 7, 0, 1, 4, 0], [1, 0, 6, 6, 6, 2, 0, 0, 0, 0]])
MASK = np.arange(10) < np.array([[10], [7]])
BATCH = {"tokens": ROW, "mask": MASK}
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


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_streaming_is_the_forward_pass(tie, layers):
    family = with_(tie=tie, embed=8, layers=layers)
    params = larger(family)
    step, state = jit(family.step), family.start(2)
    token, steps = np.zeros(2, int), []
    for t in range(ROW.shape[1]):
        state, logits = step(params, state, token)
        token = ROW[:, t]
        steps.append(logits)
    log_p = np.asarray(jax.nn.log_softmax(np.stack(steps, axis=1)))
    total = np.take_along_axis(log_p, ROW[..., None], axis=2)[..., 0]
    whole, _ = jit(family.token_log_probs)(params, ROW)
    np.testing.assert_allclose(total, whole, atol=1e-5)


def test_packing_changes_no_piece(params):
    piece = ROW[:1, 3:7]
    mask = np.ones(piece.shape, bool)
    alone = jit(TINY.log_prob)(params, piece, mask)
    packed = jit(TINY.log_prob)(params, ROW[:1], np.pad(mask, ((0, 0), (3, 3))))
    np.testing.assert_allclose(alone, packed, atol=1e-5)


def test_probabilities_sum_to_one(params):
    pairs = np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2)
    total = np.exp(jit(TINY.log_prob)(params, pairs, np.ones(pairs.shape, bool))).sum()
    np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("segment", [1, 4, 5, 99])
def test_segments_carry_the_state(params, segment):
    whole, _ = jit(TINY.loss)(params, BATCH, KEY, None)
    parts, _ = jit(with_(segment=segment).loss)(params, BATCH, KEY, None)
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_segments_stop_the_gradient(params):
    """With two segments, the first state is a constant to the second."""
    row, mask = np.array([[3, 5, 2, 7, 7, 1]]), np.ones((1, 6), bool)

    def by_hand(params):
        inputs = np.array([[0], [3], [5], [2], [7], [7]])
        net = {"params": params["net"]}
        state, early = TINY.net.apply(net, TINY.start(1), inputs[:3], True)
        _, late = TINY.net.apply(net, jax.lax.stop_gradient(state), inputs[3:], True)
        log_p = jax.nn.log_softmax(jnp.concatenate([early, late])[:, 0])
        return -log_p[np.arange(6), row[0]].mean()

    batch = {"tokens": row, "mask": mask}
    grad = lambda f: jax.jit(jax.grad(lambda p: f.loss(p, batch, KEY, None)[0]))(params)
    cut = grad(with_(segment=3))
    for a, b in zip(
        jax.tree.leaves(cut),
        jax.tree.leaves(jax.jit(jax.grad(by_hand))(params)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
    differs = jax.tree.map(
        lambda a, b: np.abs(np.asarray(a) - b).max(), cut, grad(TINY)
    )
    assert max(jax.tree.leaves(differs)) > 1e-4


def test_memory_is_that_of_one_segment():
    family = LSTM(vocab=8, embed=8, width=32, layers=2, length=512)
    batch = jax.eval_shape(lambda: family.example(8))
    params = jax.eval_shape(family.init, KEY, batch)

    def peak(family):
        slope = jax.jit(jax.grad(lambda p, b: family.loss(p, b, KEY, None)[0]))
        return slope.lower(params, batch).compile().memory_analysis().temp_size_in_bytes

    assert peak(dataclasses.replace(family, segment=32)) < peak(family) / 4


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
    assert trained[0] == loss(family, 0, 3)


def test_segments_have_different_dropout(params):
    family = with_(dropout=0.5, segment=5)
    repeated = np.tile(ROW[:, :5] * (np.arange(5) < 4), (1, 2))
    log_p = np.asarray(jit(family.token_log_probs)(params, repeated, KEY)[0])
    assert not np.allclose(log_p[:, :5], log_p[:, 5:])


def test_tied_sizes_must_agree():
    with pytest.raises(UsageError, match="embed is 4"):
        with_(tie=True)
    assert "head" not in with_(tie=True, embed=8).init(KEY, BATCH)["net"]


@pytest.mark.parametrize(
    "wrong", [{"layers": 0}, {"dropout": 1.0}, {"segment": 0}], ids=repr
)
def test_refuses(wrong):
    with pytest.raises(UsageError, match="choose"):
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
