"""Bootstrap confidence intervals."""

from collections.abc import Callable
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
