"""Verdicts of a model's critic on real, generated and corrupted pieces.

Whether they mean anything shows in their rank correlation with the likelihood and the
statistics of the same pieces. Axes: n piece, t step, k value of a row, or track, p
pitch.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from zoo.core import BOUNDARY, Batch, Likelihood, supports
from zoo.inference.model import Model
from zoo.metrics.bootstrap import ConfidenceInterval, confidence_interval
from zoo.metrics.statistics import STATISTICS, statistics_table


class Verdicts(NamedTuple):
    """Verdicts of a critic by kind of piece: real, written, and each corruption.

    Attributes:
      below: standard deviations of the verdicts on real pieces by which the mean
        verdict on a kind is below the mean on real ones.
      likelihood: log-likelihood of each kind in nats per event, if the model has one.
      related: rank correlation of verdicts, over all kinds, with the likelihood and
        with each statistic.
    """

    below: dict[str, ConfidenceInterval]
    likelihood: dict[str, ConfidenceInterval]
    related: dict[str, float]


def critic_verdicts(
    model: Model,
    real: np.ndarray,
    written: np.ndarray,
    style: np.ndarray | None,
    *,
    seed: int = 0,
) -> Verdicts:
    """Returns the critic's verdicts on real, written and corrupted pieces [n, ..].

    All are of the styles [n], if the model has styles.
    """
    rng = np.random.default_rng(seed)
    corrupted = model.codec.corruptions(real, rng)
    kinds = {"real": real, "written": written, **corrupted}
    verdicts = {k: model.sampler.verdicts(rows, style) for k, rows in kinds.items()}
    mean, std = verdicts["real"].mean(), verdicts["real"].std()
    below = {
        kind: confidence_interval((mean - values) / std, seed=seed)
        for kind, values in verdicts.items()
    }
    likelihood: dict[str, ConfidenceInterval] = {}
    compared: dict[str, np.ndarray] = {}
    if supports(model.family, Likelihood):
        rates = {k: model.sampler.rates(rows, style) for k, rows in kinds.items()}
        likelihood = {
            kind: confidence_interval(rate, seed=seed) for kind, rate in rates.items()
        }
        compared["likelihood"] = np.concatenate([*rates.values()])
    pieces = (model.codec.decode(row) for rows in kinds.values() for row in rows)
    compared |= dict(zip(STATISTICS, statistics_table(pieces).T, strict=True))
    pooled = np.concatenate([*verdicts.values()])
    related = {k: rank_correlation(pooled, values) for k, values in compared.items()}
    finite = {name: value for name, value in related.items() if np.isfinite(value)}
    return Verdicts(below, likelihood, finite)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Returns Spearman's rank correlation of what is finite in both; NaN without
    any."""
    both = np.isfinite(x) & np.isfinite(y)
    if np.unique(x[both]).size < 2 or np.unique(y[both]).size < 2:
        return np.nan
    return float(spearmanr(x[both], y[both]).statistic)


def random_rows(
    batches: Iterable[Batch], length: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns `count` random rows [n, length, ..] of batches, and their styles [n].

    Rows outside the mask are left out; longer ones are cut, shorter ones padded.
    """
    kept = [{k: v[b["mask"].any(axis=1)] for k, v in b.items()} for b in batches]
    total = sum(len(b["tokens"]) for b in kept)
    order = np.random.default_rng(seed).permutation(total)[:count]

    def fitted(x: np.ndarray) -> np.ndarray:
        padding = [(0, 0), (0, max(0, length - x.shape[1]))]
        padding += [(0, 0)] * (x.ndim - 2)
        return np.pad(x[:, :length], padding, constant_values=BOUNDARY)

    tokens = np.concatenate([fitted(b["tokens"]) for b in kept])[order]
    if "style" not in kept[0]:
        return tokens, None
    return tokens, np.concatenate([b["style"] for b in kept])[order]
