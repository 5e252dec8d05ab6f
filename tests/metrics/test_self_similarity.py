"""Overlaps against integrals, and frames against counts by hand."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from zoo.data.codecs import Phrase
from zoo.errors import UsageError
from zoo.metrics.self_similarity import (
    consistency_metrics,
    frame_overlaps,
    normal_overlap,
    parse_notes,
)

CODEC = Phrase(bars=2, metres=("1/4",))  # four steps to a bar
HOLD, REST, LOW = 1, 2, 3


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((0, 1), (0, 1)),
        ((0, 1), (1.5, 1)),
        ((0, 1), (0, 3)),
        ((2, 0.3), (1, 2)),
        ((2, 0.3), (3.1, 0.3001)),
        ((60, 4), (64, 2.5)),
        ((0, 1), (0.5, 1 + 1e-9)),
    ],
)
def test_the_overlap_is_the_integral_of_the_lower_density(one, two):
    a, b = stats.norm(*one), stats.norm(*two)
    low, high = (
        f(x.ppf(p) for x in (a, b)) for f, p in ((min, 1e-12), (max, 1 - 1e-12))
    )
    lower = lambda x: min(a.pdf(x), b.pdf(x))
    expected, _ = quad(lower, low, high, limit=500, points=[one[0], two[0]])
    for first, second in ((one, two), (two, one)):
        found = normal_overlap(*(np.array([float(x)]) for x in (*first, *second)))
        np.testing.assert_allclose(found, [expected], atol=1e-6)


def test_point_masses_overlap_only_if_equal():
    tiny = np.full(3, 1e-6)
    found = normal_overlap(
        np.zeros(3), tiny, np.array([0.0, 1.0, 0.0]), np.array([1e-6, 1e-6, 2.0])
    )
    np.testing.assert_allclose(found, [1, 0, 0], atol=1e-5)


def test_notes_last_until_the_next_event():
    piece = np.array([REST, LOW, HOLD, HOLD, LOW + 2, LOW + 4, HOLD, REST, LOW, HOLD])
    onsets, (pitches, durations) = parse_notes(piece)
    np.testing.assert_array_equal(onsets, [1, 4, 5, 8])
    np.testing.assert_array_equal(pitches, [0, 2, 4, 0])
    np.testing.assert_array_equal(durations, [3, 1, 2, 2])


def bars(*pitches):
    """Returns a bar for each pitch; None is a rest."""
    note = lambda p: [REST] * 4 if p is None else [LOW + p, HOLD, HOLD, HOLD]
    return np.concatenate([note(p) for p in pitches])


def test_frames_are_four_bars_every_two():
    piece = bars(0, 2, 4, 6, 4, 6, 0, 2)
    found = frame_overlaps(piece[None], CODEC)
    means, stds = np.array([3, 5, 3]), np.sqrt([5, 1, 5])
    expected = normal_overlap(means[:-1], stds[:-1], means[1:], stds[1:])
    np.testing.assert_allclose(found["pitch"], expected)
    np.testing.assert_allclose(found["duration"], [1, 1])


def test_silent_frames_and_frames_after_the_end_are_ignored():
    silent = bars(0, 2, 0, 2, None, None, None, None, 0, 2, 0, 2)
    over = np.append(bars(0, 2, 0, 2, 0, 2), np.zeros(24, int))
    assert len(frame_overlaps(silent[None], CODEC)["pitch"]) == 2  # of four pairs
    assert len(frame_overlaps(over[None], CODEC)["pitch"]) == 1


def test_consistency_is_one_for_equal_pieces_and_lower_for_others():
    rng = np.random.default_rng(0)
    walks = lambda far: rng.integers(-far, far + 1, (8, 16)).cumsum(axis=1) % 24
    near, wide = (np.stack([bars(*walk) for walk in walks(far)]) for far in (1, 8))
    same, other = (
        consistency_metrics(near, near, CODEC),
        consistency_metrics(wide, near, CODEC),
    )
    assert (
        same["pitch_consistency"]
        == same["pitch_variance"]
        == same["duration_variance"]
        == 1
    )
    assert 0 <= other["pitch_consistency"] < 0.95
    ours, theirs = (
        frame_overlaps(wide, CODEC)["pitch"],
        frame_overlaps(near, CODEC)["pitch"],
    )
    expected = max(0, 1 - abs(ours.var() - theirs.var()) / theirs.var())
    np.testing.assert_allclose(other["pitch_variance"], expected)


def test_short_pieces_are_refused():
    with pytest.raises(UsageError, match="give pieces of 6 bars or more"):
        frame_overlaps(bars(0, 2, 0, 2)[None], CODEC)
