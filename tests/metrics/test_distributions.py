"""Counts and distances, against counts by hand, closed forms and definitions."""

import math
from collections import Counter

import numpy as np
import pytest
from handwritten import added, line, piece
from scipy import stats

from zoo.data.proto import NoteSequence
from zoo.metrics.distributions import (
    coverage,
    density_overlap,
    distinct,
    grams,
    js_divergence,
    melodic_intervals,
    merge,
    note_transitions,
    pitch_classes,
    self_bleu,
)

TUNE = piece((0, 1, 60), (1, 0.5, 64), (1.5, 0.5, 62), (4, 1, 60), (4, 1, 67))


def test_transitions_are_intervals_and_16ths():
    assert note_transitions(TUNE) == [(4, 4), (-2, 2), (-2, 10), (7, 0)]
    assert note_transitions(line(60)) == note_transitions(NoteSequence()) == []
    assert melodic_intervals(TUNE) == {4: 1, -2: 2, 7: 1}


def test_transitions_are_invariant_to_key_and_ignore_drums():
    higher = piece((0, 1, 65), (1, 0.5, 69), (1.5, 0.5, 67), (4, 1, 72), (4, 1, 65))
    assert note_transitions(
        added(higher, (0.25, 1, 36), drum=True)
    ) == note_transitions(TUNE)


def test_transitions_of_drums_have_the_drum():
    assert note_transitions(
        piece((0, 1, 36), (0.5, 1, 38), (0.75, 1, 36), drum=True)
    ) == [
        (38, 2),
        (36, 1),
    ]


def test_half_a_16th_is_rounded_up_at_any_tempo():
    for qpm in (59.0, 60.0, 97.3, 181.0):
        assert note_transitions(
            piece((3, 1, 60), (3.125, 1, 60), (3.5, 1, 60), qpm=qpm)
        ) == [
            (0, 1),
            (0, 2),
        ]


def test_pitch_classes_leave_drums_out():
    assert pitch_classes(added(TUNE, (0, 1, 36), drum=True)) == {0: 2, 4: 1, 2: 1, 7: 1}


def test_ngrams_are_counted():
    assert grams("abab", 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert not grams("ab", 3)
    assert merge([Counter("ab"), Counter("b")]) == {"a": 1, "b": 2}
    assert coverage(Counter("aab"), Counter("a")) == 2 / 3
    assert math.isnan(coverage(Counter(), Counter("a")))
    assert distinct(["abab", "ab"], 2) == 2 / 4
    assert math.isnan(distinct(["a"], 2))


def test_divergence_is_from_zero_to_one_bit():
    assert js_divergence(Counter("aab"), Counter("aabaab")) == pytest.approx(0)
    assert js_divergence(Counter("a"), Counter("b")) == pytest.approx(1)
    half = lambda p, q: p * np.log2(p / (p + q) * 2)
    expected = (half(1, 0.5) + half(0.5, 1) + 0.5 * np.log2(2)) / 2
    assert js_divergence(Counter("a"), Counter("ab")) == pytest.approx(expected)
    assert math.isnan(js_divergence(Counter(), Counter("a")))


def test_the_overlap_of_large_samples_is_that_of_their_distributions():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, 1000), rng.normal(1.5, 1, 1000)
    assert density_overlap(one, other) == pytest.approx(
        2 * stats.norm.cdf(-0.75), abs=0.05
    )
    assert density_overlap(one, one) == pytest.approx(1, abs=1e-3)
    assert density_overlap(one, other) == pytest.approx(density_overlap(other, one))
    assert density_overlap(one, one + 100) == pytest.approx(0, abs=1e-6)


def test_a_point_mass_overlaps_with_equal_values():
    assert density_overlap(np.ones(3), np.ones(5)) == 1
    assert density_overlap(np.ones(3), np.zeros(5)) == 0
    assert density_overlap(np.array([1, 1, 1, 0]), np.ones(5)) == 3 / 4
    assert density_overlap(np.array([np.nan, 1]), np.array([1, 2, np.nan])) == 1 / 2
    assert math.isnan(density_overlap(np.array([np.nan]), np.ones(2)))


def bleu(tokens, others, n):
    """Returns BLEU by the definition of Papineni et al.; no match counts as a tenth."""
    logs = 0.0
    for k in range(1, n + 1):
        counts = [
            Counter(tuple(x[i : i + k]) for i in range(len(x) - k + 1)) for x in others
        ]
        runs = [tuple(tokens[i : i + k]) for i in range(len(tokens) - k + 1)]
        clipped = sum(
            min(runs.count(x), max(count[x] for count in counts)) for x in set(runs)
        )
        logs += math.log(max(clipped, 0.1) / max(len(runs), 1)) / n
    nearest = min((abs(len(x) - len(tokens)), len(x)) for x in others)[1]
    return math.exp(logs + min(0, 1 - nearest / len(tokens)))


def test_self_bleu_is_the_bleu_of_each_against_the_others():
    rng = np.random.default_rng(1)
    for _ in range(20):
        texts = [rng.integers(0, 3, rng.integers(1, 12)).tolist() for _ in range(5)]
        others = [[y for j, y in enumerate(texts) if j != i] for i in range(len(texts))]
        expected = [bleu(x, rest, 4) for x, rest in zip(texts, others, strict=True)]
        np.testing.assert_allclose(self_bleu(texts), expected)


def test_copies_have_a_self_bleu_of_one():
    np.testing.assert_allclose(self_bleu(["abcde", "abcde", "vwxyz"])[:2], 1)
    assert self_bleu(["abcde", "fghij"]).max() < 0.1
    assert np.isnan(self_bleu(["abcde"])).all()
