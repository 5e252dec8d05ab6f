"""Metrics of sets of pieces, with intervals over the groups that pieces belong to.

Axes: n piece, w kind of event, x feature.
"""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from zoo.metrics.bootstrap import ConfidenceInterval, centred_interval, group_weights
from zoo.metrics.distributions import grams
from zoo.metrics.frechet import frechet_distance, moments

RESAMPLES = 200
NORMAL_QUANTILE = 1.96  # of 97.5 %


def divergence_interval(
    ours: Sequence[Counter],
    theirs: Sequence[Counter],
    *,
    groups: tuple[np.ndarray, np.ndarray],
    seed: int = 0,
) -> ConfidenceInterval:
    """Returns the Jensen-Shannon divergence of pooled counts in bits, 0 to 1.

    Args:
      ours: counts of each piece.
      theirs: counts of each real piece.
      groups: the groups of both.
      seed: seed of the resamples.
    """
    index = {key: i for i, key in enumerate(dict.fromkeys(_keys([*ours, *theirs])))}
    tables = [_table(counts, index) for counts in (ours, theirs)]
    pooled = [table.sum(axis=0)[None] for table in tables]
    drawn = [
        group_weights(of, seed + i, RESAMPLES) @ table
        for i, (of, table) in enumerate(zip(groups, tables, strict=True))
    ]
    value = float(_divergences(*pooled)[0])
    return centred_interval(value, _divergences(*drawn))


def frechet_interval(
    ours: np.ndarray,
    theirs: np.ndarray,
    *,
    groups: tuple[np.ndarray, np.ndarray],
    seed: int = 0,
) -> ConfidenceInterval:
    """Returns the Fréchet distance of features [n, x].

    Args:
      ours: features of pieces.
      theirs: features of real pieces.
      groups: the groups of both.
      seed: seed of the resamples.
    """
    weights = [group_weights(x, seed + i, RESAMPLES) for i, x in enumerate(groups)]
    drawn = [
        frechet_distance(moments(ours, w), moments(theirs, v))
        for w, v in zip(*weights, strict=True)
    ]
    value = frechet_distance(moments(ours), moments(theirs))
    return centred_interval(value, np.array(drawn))


def distinct_interval(
    sequences: Sequence[Sequence[Hashable]], n: int, groups: np.ndarray
) -> ConfidenceInterval:
    """Returns the different n-grams per n-gram (Li et al. 2016, 5.2).

    The interval is that of the jackknife over groups (Efron & Tibshirani 1993, 11): a
    bootstrap counts pieces twice, which makes their n-grams less distinct.
    """
    counts = [grams(tokens, n) for tokens in sequences]
    total: Counter = Counter()
    owners: dict[Hashable, int] = {}  # the group of an n-gram, -1 if there are several
    numbers = np.unique(groups, return_inverse=True)[1].tolist()
    events = np.zeros(max(numbers, default=-1) + 1)
    for counter, group in zip(counts, numbers, strict=True):
        total.update(counter)
        events[group] += counter.total()
        for gram in counter:
            owners[gram] = group if owners.get(gram, group) == group else -1
    if not total:
        return ConfidenceInterval(np.nan)
    value = len(total) / total.total()
    if len(events) < 2:
        return ConfidenceInterval(value)
    own = np.bincount([g for g in owners.values() if g >= 0], minlength=len(events))
    without = (len(total) - own) / np.maximum(total.total() - events, 1)
    size = len(events)
    error = np.sqrt((size - 1) / size * ((without - without.mean()) ** 2).sum())
    half = float(NORMAL_QUANTILE * error)
    return ConfidenceInterval(value, value - half, value + half)


def grouped_interval(
    values: np.ndarray, groups: np.ndarray, *, median: bool = False, seed: int = 0
) -> ConfidenceInterval:
    """Returns the mean or the median of values [n], with groups resampled.

    NaN values are ignored.
    """
    finite = np.isfinite(values)
    values, groups = np.asarray(values, float)[finite], groups[finite]
    if not len(values):
        return ConfidenceInterval(np.nan)
    statistic = np.median if median else np.mean
    weights = group_weights(groups, seed, RESAMPLES)
    drawn = [statistic(np.repeat(values, w)) for w in weights]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return ConfidenceInterval(float(statistic(values)), float(low), float(high))


def _keys(counts: Sequence[Counter]) -> list[Hashable]:
    return [key for counter in counts for key in counter]


def _table(counts: Sequence[Counter], index: dict[Hashable, int]) -> np.ndarray:
    """Returns counts as an array [n, w]."""
    table = np.zeros((len(counts), len(index)), np.float32)
    for row, counter in zip(table, counts, strict=True):
        row[[index[key] for key in counter]] = [*counter.values()]
    return table


def _divergences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the Jensen-Shannon divergences of rows of counts [r, w], in bits."""
    p, q = (x / np.maximum(x.sum(axis=1, keepdims=True), 1e-9) for x in (one, other))
    middle = (p + q) / 2

    def relative(x: np.ndarray) -> np.ndarray:
        ratio = np.divide(x, middle, out=np.ones_like(x), where=x > 0)
        return (x * np.log2(ratio)).sum(axis=1)

    return (relative(p) + relative(q)) / 2
