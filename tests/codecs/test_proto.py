"""Seconds and quarters are inverse; metres are the stated ones, by default 4/4."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.proto import NoteSequence, metres, quarters, seconds


def with_tempos(*tempos):
    score = NoteSequence()
    for time, qpm in tempos:
        score.tempos.add(time=time, qpm=qpm)
    return score


@pytest.mark.parametrize(
    ("tempos", "expected"),
    [
        ([], [0, 2, 4, 8]),
        ([(0, 60)], [0, 1, 2, 4]),
        ([(0, 60), (2, 240)], [0, 1, 2, 10]),
        ([(2, 240), (0, 60)], [0, 1, 2, 10]),  # in any order
        ([(2, 60)], [0, 2, 4, 6]),  # 120 until a tempo is stated
        ([(0, 60), (0, 240)], [0, 4, 8, 16]),  # the last of two
        ([(0, 0), (1, 60)], [0, 2, 3, 5]),  # no tempo is 0
    ],
)
def test_quarters_follow_the_tempo(tempos, expected):
    np.testing.assert_allclose(
        quarters(with_tempos(*tempos))(np.array([0, 1, 2, 4])), expected, atol=1e-12
    )


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(10, 500)), max_size=6),
    st.lists(st.floats(0, 200), min_size=1, max_size=10),
)
def test_seconds_invert_quarters(tempos, times):
    score, times = with_tempos(*tempos), np.sort(times)
    beats = quarters(score)(times)
    np.testing.assert_allclose(seconds(score)(beats), times, atol=1e-6)
    assert (np.diff(beats) >= 0).all()


def test_metres_are_placed_in_quarters():
    score = with_tempos((0, 60))
    assert metres(score) == [(0, 4, 4)]
    for time, numerator, denominator in [(3, 6, 8), (0, 1, 8), (0.5, 3, 4), (1, 0, 4)]:
        score.time_signatures.add(
            time=time, numerator=numerator, denominator=denominator
        )
    assert metres(score) == [(0, 1, 8), (0.5, 3, 4), (3, 6, 8)]
    assert [m.bar for m in metres(score)] == [0.5, 3, 3]


def test_a_late_first_metre_leaves_common_time_before_it():
    score = NoteSequence()
    score.time_signatures.add(time=2, numerator=3, denominator=4)
    assert metres(score) == [(0, 4, 4), (4, 3, 4)]
