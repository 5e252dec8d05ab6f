"""Lookback features of rows and of streams, against the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.sequence.lookback import Features, Lookback

BARS = (0, 0, 0, 3, 2, 0, 0, 0)  # tokens 3 and 4 set bars of 3 and 2 steps


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 8, (4, 50))
    tokens = np.where(
        rng.random(tokens.shape) < 0.6, rng.integers(5, 7, tokens.shape), tokens
    )
    return np.pad(tokens, ((0, 0), (1, 0)))


def definition(look: Lookback, events: list[int]) -> Features:
    """Returns the features after some events of a row."""
    begin = max([i for i, event in enumerate(events) if event == 0], default=-1)
    piece = events[begin + 1 :]
    steps, bar, since = [], look.bar, 0
    for event in piece:
        if look.bars and look.bars[event]:
            bar, since = look.bars[event], 0
        else:
            steps.append(event)
            since += 1
    event_at = lambda at: steps[at] if 0 <= at < len(steps) else 0
    then = [len(steps) - distance * bar for distance in look.distances]
    repeats = [at > 0 and bool(steps) and event_at(at - 1) == steps[-1] for at in then]
    return Features([event_at(at) for at in then], repeats, since % bar, since // bar)


@pytest.mark.parametrize(
    "look",
    [Lookback((1, 2), 4, BARS), Lookback((1, 3, 4), 3), Lookback((), 16)],
    ids=repr,
)
def test_rows_and_streams_equal_the_definition(look, rows):
    expected = [
        [definition(look, row[: t + 1].tolist()) for t in range(len(row))]
        for row in rows
    ]
    expected = [
        np.array([[f[i] for f in row] for row in expected])
        for i in range(len(Features._fields))
    ]
    state, streamed, step = look.start(len(rows)), [], jax.jit(look.step)
    for token in jnp.asarray(rows).T:
        state, features = step(state, token)
        streamed.append(features)
    whole = jax.jit(look.row)(jnp.asarray(rows))
    for name, a, b, c in zip(
        Features._fields,
        expected,
        whole,
        jax.tree.map(lambda *x: np.stack(x, 1), *streamed),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b, err_msg=name)
        np.testing.assert_array_equal(a, c, err_msg=name)


def test_a_tune_in_three_four_by_hand():
    """Two bars of 3 steps, the second a repeat except for its last event."""
    look = Lookback((1,), 16, (0, 0, 0, 3, 0, 0, 0, 0))
    features = look.row(jnp.array([[0, 3, 5, 6, 7, 5, 6, 1]]))
    assert features.events[0, :, 0].tolist() == [0, 0, 0, 0, 5, 6, 7, 5]
    assert features.repeats[0, :, 0].tolist() == [False] * 5 + [True, True, False]
    assert features.step[0].tolist() == [0, 0, 1, 2, 0, 1, 2, 0]
    assert features.bar[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 2]


def test_no_feature_crosses_a_boundary(rows):
    look = Lookback((1, 2), 2)
    changed = rows.copy()
    changed[:, 25] = 0
    other = changed.copy()
    other[:, :25] = 0
    a, b = look.row(jnp.asarray(changed)), look.row(jnp.asarray(other))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x[:, 25:], y[:, 25:])
