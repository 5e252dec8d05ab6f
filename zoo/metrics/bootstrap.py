"""How far a figure could be off, had other pieces been drawn."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

RESAMPLES = 2000

Statistic = Callable[..., np.ndarray]  # of an array, along an `axis`


class ConfidenceInterval(NamedTuple):
    """A figure, and where it lies in 95 of 100 resamples; NaN where that cannot be said."""

    value: float
    low: float = np.nan
    high: float = np.nan


def confidence_interval(
    values: np.ndarray, statistic: Statistic = np.mean, seed: int = 0
) -> ConfidenceInterval:
    """The `statistic` of values [n], one per piece, and its percentile bootstrap interval.

    Pieces are drawn anew with replacement (Efron & Tibshirani 1993, An Introduction to the
    Bootstrap, 13.3). Those that are NaN do not count. Of a single one no interval can be given.

    Args:
      values: float [n].
      statistic: such as the mean or the median.
      seed: of the resamples.
    """
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return ConfidenceInterval(np.nan)
    value = float(statistic(known, axis=0))
    if len(known) == 1:
        return ConfidenceInterval(value)
    found = bootstrap(
        (known,),
        statistic,
        n_resamples=RESAMPLES,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return ConfidenceInterval(value, float(found.low), float(found.high))
