"""Coconet: orders, masks, likelihoods, and Gibbs sampling."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.coconet import TINY
from zoo.nn.rng import stratified_uniforms
from zoo.nn.sequence import orderless
from zoo.nn.sequence.sampling import Draw

KEY = jax.random.key(0)
SMALL = dataclasses.replace(TINY, vocab=3, length=3)
GRID = np.array([[[1, 2], [0, 2], [1, 1]], [[2, 2], [2, 0], [1, 0]]])
MASK = np.ones((2, 3), bool)
BATCH = {"tokens": jnp.asarray(GRID), "mask": jnp.asarray(MASK)}
jit = functools.cache(jax.jit)
sample = jax.jit(SMALL.sample, static_argnames=("n", "length", "draw"))


@pytest.fixture(scope="module")
def params():
    """Parameters larger than initial ones, so that known cells have an effect."""
    return jax.jit(lambda: jax.tree.map(lambda x: 2 * x, SMALL.init(KEY, BATCH)))()


@pytest.fixture(scope="module")
def net(params):
    """Maps (tokens, known, order) [1, t, k] to the logits [1, t, k, v]."""
    read = jax.jit(SMALL.net.apply, static_argnames="deterministic")
    return lambda tokens, known, order: np.asarray(
        read(
            {"params": params["net"]},
            tokens,
            known,
            MASK[:1],
            order,
            deterministic=True,
        )
    )


def test_probabilities_in_one_order_sum_to_one(params):
    cells = np.array(list(itertools.product(range(3), repeat=6))).reshape(-1, 1, 3, 2)
    one = lambda grid: SMALL.log_prob(params, grid, MASK[:1], KEY)[0]
    total = jax.jit(
        lambda cells: jnp.exp(jax.lax.map(one, cells, batch_size=81)).sum()
    )(cells)
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_an_orders_likelihood_is_the_chain_rule(params, net):
    """Every frame's log-likelihood is that of some set of known frames."""
    one = [jnp.asarray(x[:1]) for x in (GRID, MASK)]
    frames = jax.jit(lambda key: SMALL.framewise(params, *one, key)[0][0, 0])
    whole = np.concatenate([frames(jax.random.key(i)) for i in range(8)])
    chosen, possible = jit(orderless.token_log_prob), []
    for frames_known in itertools.product([False, True], repeat=3):
        for order in ([0, 1], [1, 0]):
            known = np.array(frames_known)[None, :, None] & np.ones((1, 3, 2), bool)
            order = np.broadcast_to(order, (1, 3, 2))
            logits = net(GRID[:1], known, order)
            picked = np.take_along_axis(GRID[:1], order, axis=-1)
            possible.append(np.asarray(chosen(logits, picked)).sum(axis=-1)[0])
    difference = np.abs(whole[:, None] - np.concatenate(possible)[None]).min(axis=1)
    np.testing.assert_allclose(difference, 0, atol=1e-3)


def test_estimates_average_to_the_mean_over_orders(params):
    """Chosen frames, the loss, and all frames have one expectation."""
    keys = jax.random.split(KEY, 4000)

    def mean(f):
        values = np.asarray(jax.jit(jax.vmap(f))(keys))
        return float(values.mean()), float(values.std() / 4000**0.5)

    full = mean(lambda key: -SMALL.framewise(params, *BATCH.values(), key)[0].mean())
    partial = mean(
        lambda key: -SMALL.framewise(params, *BATCH.values(), key, steps=2)[0].mean()
    )
    loss = mean(lambda key: SMALL.loss(params, BATCH, key, None)[0])
    for value, error in (partial, loss):
        assert abs(value - full[0]) < 4 * np.hypot(error, full[1])


def test_chosen_frames_are_the_same_in_every_order(params):
    mask = np.arange(3) < np.array([[3], [1]])
    framewise = jax.jit(SMALL.framewise, static_argnames=("orders", "steps"))
    log_p, valid = framewise(params, GRID, mask, KEY, orders=3, steps=2)
    assert log_p.shape == (3, 2, 2)
    assert valid.tolist() == [[True, True], [True, False]]


def test_padding_changes_nothing(params):
    known = np.array([[True, False, True], [False, False, True]])[..., None] & (
        GRID >= 0
    )
    order = np.broadcast_to(np.arange(2), GRID.shape)
    apply = jax.jit(
        lambda *args: SMALL.net.apply(
            {"params": params["net"]}, *args, deterministic=True
        )
    )
    wider = lambda x, fill: np.pad(x, ((0, 0), (0, 2), (0, 0)), constant_values=fill)
    mask = np.pad(MASK, ((0, 0), (0, 2)))
    padded = apply(wider(GRID, 1), wider(known, True), mask, wider(order, 0))
    np.testing.assert_allclose(
        np.asarray(padded)[:, :3], apply(GRID, known, MASK, order), atol=1e-3
    )


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_hidden_cells_have_no_effect(net, order):
    """Hidden cells do not change a prediction; a voice decided before does."""
    known = np.array([[[True, True], [False, False], [True, False]]])
    first, second = order
    order = np.broadcast_to(order, (1, 3, 2))
    before, changed, decided = (
        net(GRID[:1], known, order),
        GRID[:1].copy(),
        GRID[:1].copy(),
    )
    changed[0, 1, second], changed[0, 2, 1], decided[0, 1, first] = 1, 0, 1
    other = net(changed, known, order)
    np.testing.assert_allclose(before[:, 1], other[:, 1], atol=1e-6)
    after = net(decided, known, order)
    np.testing.assert_allclose(before[0, 1, 0], after[0, 1, 0], atol=1e-6)
    assert not np.allclose(before[0, 1, 1], after[0, 1, 1], atol=1e-3)


def test_training_masks_by_cells_and_by_frames(params):
    def loss(share):
        family = dataclasses.replace(SMALL, by_frames=share)
        return float(jax.jit(family.loss)(params, BATCH, KEY, 0)[0])

    assert loss(0.0) != loss(1.0)


def test_nearest_known_tokens_on_either_side():
    tokens = np.array([7, 3, 5, 2, 9]).reshape(1, 5, 1)
    known = np.array([0, 1, 0, 0, 1], bool).reshape(1, 5, 1)
    near, away = map(np.asarray, jit(orderless.nearest_known)(tokens, known))
    none = orderless.NONE
    assert near[0, :, 0].tolist() == [[none, 3], [3, 3], [3, 9], [3, 9], [9, 9]]
    assert away[0, :, 0].tolist() == [[-none, 1], [0, 0], [1, 2], [2, 1], [0, 0]]


def test_any_number_of_frames_but_all_is_known():
    mask = np.tile(np.arange(8) < 5, (400, 1))
    draw = lambda: orderless.known_frames(KEY, mask, stratified_uniforms(KEY, 400))
    known = np.asarray(jax.jit(draw)())
    assert not known[:, 5:].any()
    assert np.bincount(known.sum(axis=1)).tolist() == [80] * 5
    np.testing.assert_allclose(known[:, :5].mean(axis=0), 0.4, atol=0.1)


def test_a_cell_is_hidden_in_every_row_and_whole_voices_are_known_in_some():
    mask = np.tile(np.arange(6) < 4, (400, 1))
    draw = lambda: orderless.known_cells(KEY, mask, stratified_uniforms(KEY, 400), 3)
    known = np.asarray(jax.jit(draw)())
    assert not known[:, 4:].any()
    assert not known[:, :4].all(axis=(1, 2)).any()
    whole = known[:, :4].all(axis=1).sum(axis=1)
    assert set(whole.tolist()) == {0, 1, 2}


def test_annealed_gibbs_samples_the_free_cells():
    """With independent cells, each free cell is a sample and the others are kept."""
    tokens, free = jnp.full((400, 2, 2), 3), np.array([[[True, False], [True, True]]])

    def rewrite(keys, tokens, known):
        drawn = jax.vmap(lambda key: jax.random.bernoulli(key, 0.25, (2, 2)))(keys)
        return jnp.where(known, tokens, drawn.astype(int))

    rows = np.asarray(
        jax.jit(
            lambda: orderless.annealed_gibbs(rewrite, tokens, free, KEY, steps=12)
        )()
    )
    assert (rows[:, 0, 1] == 3).all()
    written = rows[:, [0, 1, 1], [0, 0, 1]]
    assert set(np.unique(written)) == {0, 1}
    np.testing.assert_allclose(written.mean(axis=0), 0.25, atol=0.09)


def test_cells_that_are_not_free_are_kept(params):
    free = np.tile([False, True], (3, 1))
    draw = lambda n, **options: np.asarray(sample(params, KEY, n=n, **options))
    rows = draw(6, primer=GRID[0], free=free)
    assert rows.dtype == np.int32
    assert (rows[:, :, 0] == GRID[0, :, 0][None]).all()
    assert len(np.unique(rows[:, :, 1], axis=0)) > 1
    continued = draw(4, length=5, primer=GRID[0])
    assert continued.shape == (4, 5, 2)
    assert (continued[:, :3] == GRID[:1]).all()
    by_row = draw(2, length=5, primer=GRID, free=free)
    assert (by_row[:, :3, 0] == GRID[:, :, 0]).all()


def test_at_temperature_0_a_single_cell_is_the_most_likely(params, net):
    free = np.array([[False, False], [True, False], [False, False]])
    rows = sample(params, KEY, n=1, primer=GRID[0], free=free, draw=Draw(temperature=0))
    order = np.broadcast_to([0, 1], (1, 3, 2))
    assert (
        np.asarray(rows)[0, 1, 0] == net(GRID[:1], ~free[None], order)[0, 1, 0].argmax()
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"primer": GRID[0]}, "3 steps of 2 voices, and the sample 3"),
        ({"primer": GRID[0], "length": 2}, "shorter primer"),
        ({"primer": np.zeros((1, 4), int)}, "of 4 voices"),
        ({"free": np.ones((3, 2), bool)}, "pass a primer"),
        ({"primer": GRID[0], "free": np.ones((2, 2), bool)}, r"primer's, \[3, 2\]"),
    ],
)
def test_primers_that_do_not_fit_are_refused(params, options, message):
    with pytest.raises(UsageError, match=message):
        SMALL.sample(params, KEY, 1, **options)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gibbs": 0}, "`gibbs` is 0"),
        ({"heads": 3}, "a multiple of 12"),
        ({"width": 2, "heads": 1}, "a multiple of 4"),
        ({"dropout": 1.0}, "choose"),
    ],
)
def test_refuses(wrong, message):
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(TINY, **wrong)
