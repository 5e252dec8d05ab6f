"""Metrics of sets with intervals: their values, and that intervals hold the truth."""

from collections import Counter

import numpy as np
import pytest
from handwritten import piece

from zoo.metrics.bootstrap import centred_interval, clustered_interval, group_weights
from zoo.metrics.distributions import distinct, js_divergence, merge, rhythms
from zoo.metrics.resampled import (
    distinct_interval,
    divergence_interval,
    frechet_interval,
    grouped_interval,
)

RNG = np.random.default_rng(0)


def counters(count: int, weights: list[float]) -> list[Counter]:
    return [
        Counter(RNG.choice(len(weights), 20, p=weights).tolist()) for _ in range(count)
    ]


def test_the_divergence_is_that_of_merged_counts():
    ours, theirs = counters(40, [0.5, 0.3, 0.2]), counters(40, [0.2, 0.3, 0.5])
    groups = np.arange(40), np.arange(40)
    found = divergence_interval(ours, theirs, groups=groups)
    assert found.value == pytest.approx(
        js_divergence(merge(ours), merge(theirs)), rel=1e-4
    )
    assert found.low < found.value < found.high
    assert found.high - found.low < found.value


def test_an_interval_over_clusters_is_wider():
    values = np.repeat(RNG.normal(size=50), 4)  # four equal members of each group
    apart = clustered_interval([values], [np.arange(200)])
    both = clustered_interval([values, values], [np.arange(200)] * 2)
    assert both.high - both.low == pytest.approx(
        (apart.high - apart.low) / 2**0.5, rel=0.1
    )  # the samples are resampled independently
    together = clustered_interval([values], [np.repeat(np.arange(50), 4)])
    assert apart.value == together.value == pytest.approx(values.mean())
    ratio = (together.high - together.low) / (apart.high - apart.low)
    assert ratio == pytest.approx(2, rel=0.15)  # the root of four
    error = values[::4].std() / np.sqrt(50)
    assert together.high - together.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_every_resample_has_as_many_groups():
    groups = np.array([3, 3, 5, 9])
    weights = group_weights(groups, resamples=50)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_the_bias_of_replicates_is_subtracted():
    found = centred_interval(1.0, np.array([4.0, 5.0, 6.0]))
    assert found.low == pytest.approx(1 - 0.95)
    assert found.high == pytest.approx(1 + 0.95)


def test_distinct_grams_and_their_jackknife():
    """Repeats the jackknife by brute force."""
    sequences = [RNG.integers(0, 3, 9).tolist() for _ in range(8)]
    groups = np.arange(8) // 2
    found = distinct_interval(sequences, 2, groups)
    assert found.value == distinct(sequences, 2)
    left = [
        distinct([x for x, of in zip(sequences, groups, strict=True) if of != g], 2)
        for g in range(4)
    ]
    error = np.sqrt(3 / 4 * ((left - np.mean(left)) ** 2).sum())
    assert found.high - found.value == pytest.approx(1.96 * error)


def test_the_distance_of_equal_distributions_is_small():
    one, two, far = RNG.normal(size=(3, 200, 4))
    groups = np.arange(200), np.arange(200)
    near = frechet_interval(one, two, groups=groups)
    apart = frechet_interval(one, far + 1, groups=groups)
    assert near.value < 0.2
    assert apart.low < 4 < apart.high


def test_medians_ignore_what_is_missing():
    values = np.array([1.0, np.nan, 3.0, 5.0])
    found = grouped_interval(values, np.arange(4), median=True)
    assert found.value == 3
    assert np.isnan(grouped_interval(values[1:2], np.arange(1)).value)


def test_rhythms_are_places_and_durations():
    found = rhythms(piece((0, 1, 60), (1, 0.5, 62), (4, 1, 64)))
    assert found == {(0, 4): 2, (4, 2): 1}
