"""Lookback against the definition read aloud, one event at a time, and against its own stream."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.sequence.lookback import Features, Lookback

ANNOUNCED = (0, 0, 0, 3, 2, 0, 0, 0)  # tokens 3 and 4 announce bars of 3 and 2 steps


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 8, (4, 50))
    tokens = np.where(
        rng.random(tokens.shape) < 0.6, rng.integers(5, 7, tokens.shape), tokens
    )
    return np.pad(tokens, ((0, 0), (1, 0)))


def aloud(look: Lookback, heard: list[int]) -> Features:
    """What is known after the events `heard`."""
    piece = heard[
        max([i for i, event in enumerate(heard) if event == 0], default=-1) + 1 :
    ]
    steps, bar, since = [], look.bar, 0
    for event in piece:
        if look.bars and look.bars[event]:
            bar, since = look.bars[event], 0
        else:
            steps.append(event)
            since += 1
    came = lambda at: steps[at] if 0 <= at < len(steps) else 0
    then = [len(steps) - distance * bar for distance in look.distances]
    repeats = [at > 0 and bool(steps) and came(at - 1) == steps[-1] for at in then]
    return Features([came(at) for at in then], repeats, since % bar, since // bar)


@pytest.mark.parametrize(
    "look",
    [Lookback((1, 2), 4, ANNOUNCED), Lookback((1, 3, 4), 3), Lookback((), 16)],
    ids=repr,
)
def test_rows_and_streams_find_what_the_definition_says(look, rows):
    said = [
        [aloud(look, row[: t + 1].tolist()) for t in range(len(row))] for row in rows
    ]
    said = [
        np.array([[f[i] for f in row] for row in said])
        for i in range(len(Features._fields))
    ]
    heard, streamed, step = look.start(len(rows)), [], jax.jit(look.step)
    for token in jnp.asarray(rows).T:
        heard, found = step(heard, token)
        streamed.append(found)
    whole = jax.jit(look.row)(jnp.asarray(rows))
    for name, a, b, c in zip(
        Features._fields,
        said,
        whole,
        jax.tree.map(lambda *x: np.stack(x, 1), *streamed),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b, err_msg=name)
        np.testing.assert_array_equal(a, c, err_msg=name)


def test_a_tune_in_three_four_told_by_hand():
    """A metre of 3 steps: two bars, the second a repeat but for its last event."""
    look = Lookback((1,), 16, (0, 0, 0, 3, 0, 0, 0, 0))
    found = look.row(jnp.array([[0, 3, 5, 6, 7, 5, 6, 1]]))
    assert found.events[0, :, 0].tolist() == [0, 0, 0, 0, 5, 6, 7, 5]
    assert found.repeats[0, :, 0].tolist() == [False] * 5 + [True, True, False]
    assert found.step[0].tolist() == [0, 0, 1, 2, 0, 1, 2, 0]
    assert found.bar[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 2]


def test_nothing_is_heard_across_a_boundary(rows):
    look = Lookback((1, 2), 2)
    changed = rows.copy()
    changed[:, 25] = 0
    other = changed.copy()
    other[:, :25] = 0
    a, b = look.row(jnp.asarray(changed)), look.row(jnp.asarray(other))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x[:, 25:], y[:, 25:])
