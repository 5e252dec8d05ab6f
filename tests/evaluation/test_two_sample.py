"""The two-sample test: its power, its level, and its halves."""

import numpy as np
import pytest

from zoo.evaluation.arena import Excerpts, Tunes
from zoo.evaluation.excerpt_classifier import ExcerptTraining
from zoo.evaluation.two_sample import TwoSampleTest, halve

TEST = TwoSampleTest(1, ExcerptTraining(80, 32, 16, dilations=(1,)))
ARENA = Tunes(bars=1)
COUNT = 96


def excerpts(degrees: int, seed: int) -> Excerpts:
    """Returns bars of quarter notes, each the next note of a scale up or down.

    Args:
      degrees: largest step in the scale.
      seed: seed of the notes.
    """
    rng = np.random.default_rng(seed)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83])
    moves = rng.integers(-degrees, degrees + 1, (COUNT, 4))
    pitch = scale[np.clip(6 + np.cumsum(moves, axis=1), 0, len(scale) - 1)]
    tokens = np.ones((COUNT, ARENA.length), np.int64)
    tokens[:, ::4] = pitch - ARENA.line.low + 3
    return Excerpts(ARENA.tokens(tokens), np.arange(COUNT) // 2)


def test_equal_distributions_are_not_told_apart():
    accuracy, count = TEST(excerpts(1, 0), excerpts(1, 1), 4)
    assert count == COUNT
    assert accuracy.low < 0.5 < accuracy.high
    assert accuracy.value == pytest.approx(0.5, abs=0.09)


def test_steps_are_told_from_leaps():
    accuracy, _ = TEST(excerpts(1, 0), excerpts(6, 1), 4)
    assert accuracy.low > 0.75


def test_as_many_of_both_are_used():
    few = excerpts(6, 1).take(np.arange(40))
    assert TEST(excerpts(1, 0), few, 4).excerpts == 40


def test_groups_stay_in_one_half():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 100)
    first = halve(groups, rng)
    assert not set(groups[first]) & set(groups[~first])
    assert abs(first.sum() - 50) <= 10
