"""Bootstrap confidence intervals."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

RESAMPLES = 2000

Statistic = Callable[..., np.ndarray]  # of an array, along an `axis`


class ConfidenceInterval(NamedTuple):
    """A value and its 95 % confidence interval; NaN where there is none."""

    value: float
    low: float = np.nan
    high: float = np.nan


def confidence_interval(
    values: np.ndarray, statistic: Statistic = np.mean, seed: int = 0
) -> ConfidenceInterval:
    """Returns a statistic of `values` and its percentile bootstrap interval.

    Pieces are resampled with replacement (Efron & Tibshirani 1993, An Introduction to
    the Bootstrap, 13.3). NaN values are ignored. A single value has no interval.

    Args:
      values: float [n], one per piece.
      statistic: such as the mean or the median.
      seed: seed of the resamples.
    """
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return ConfidenceInterval(np.nan)
    value = float(statistic(finite, axis=0))
    if len(finite) == 1:
        return ConfidenceInterval(value)
    interval = bootstrap(
        (finite,),
        statistic,
        n_resamples=RESAMPLES,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return ConfidenceInterval(value, float(interval.low), float(interval.high))


def clustered_interval(
    samples: Sequence[np.ndarray], groups: Sequence[np.ndarray], *, seed: int = 0
) -> ConfidenceInterval:
    """Returns the mean of the means of several samples, and its percentile interval.

    Groups of each sample are resampled, because their members are not independent.

    Args:
      samples: values [n] each.
      groups: the group of each value.
      seed: seed of the resamples.
    """
    draws = []
    for i, (values, of) in enumerate(zip(samples, groups, strict=True)):
        weights = group_weights(of, seed + i)  # [resamples, n], independent
        draws.append(weights @ values / weights.sum(axis=1))
    value = float(np.mean([np.mean(values) for values in samples]))
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    return ConfidenceInterval(value, float(low), float(high))


def group_weights(
    groups: np.ndarray, seed: int = 0, resamples: int = RESAMPLES
) -> np.ndarray:
    """Returns how often each member occurs in resamples of the groups, [resamples, n].

    Every resample has as many groups as there are.
    """
    _, index = np.unique(groups, return_inverse=True)
    count = index.max() + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    return drawn[:, index]


def centred_interval(value: float, resampled: np.ndarray) -> ConfidenceInterval:
    """Returns a distance, at least 0, with the spread of its bootstrap replicates.

    A divergence or a distance grows when pieces are drawn twice; the mean of the
    replicates is above the value by this bias, which is subtracted.
    """
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return ConfidenceInterval(value)
    low, high = value + np.quantile(finite - finite.mean(), [0.025, 0.975])
    return ConfidenceInterval(value, float(max(0.0, low)), float(high))
