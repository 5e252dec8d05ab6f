"""What a critic makes of music: of real pieces, of its generator's, and of real ones spoilt.

Whether it can be asked shows in how its verdicts go with what else is known of the same pieces: how
likely they are, and their statistics. Axes: n piece, t step, k value of a row, or track, p pitch.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from zoo.core import BOUNDARY, Batch
from zoo.data.codecs import Compound
from zoo.inference.model import Trained
from zoo.metrics.bootstrap import ConfidenceInterval, confidence_interval
from zoo.metrics.statistics import STATISTICS, statistics_table


class Verdicts(NamedTuple):
    """Of kinds of pieces: by how many standard deviations of its verdicts on real ones the critic
    puts each kind below them, and how likely they are, in nats per event, where that is known. And
    of all of these pieces: the rank correlation of its verdicts with that and each statistic."""

    below: dict[str, ConfidenceInterval]
    likelihood: dict[str, ConfidenceInterval]
    related: dict[str, float]


def judged(
    model: Trained,
    real: np.ndarray,
    written: np.ndarray,
    style: np.ndarray | None,
    seed: int = 0,
) -> Verdicts:
    """What the model's critic makes of real pieces [n, ..], of those written, and of `spoilt` ones.

    All are of the styles [n], where the model knows any.
    """
    kinds = {"real": real, "written": written, **spoilt(model, real, seed)}
    verdicts = {
        kind: model.sampler.verdicts(rows, style) for kind, rows in kinds.items()
    }
    middle, width = verdicts["real"].mean(), verdicts["real"].std()
    below = {
        kind: confidence_interval((middle - x) / width, seed=seed)
        for kind, x in verdicts.items()
    }
    known: dict[str, np.ndarray] = {}
    likely = {}
    if hasattr(model.family, "log_prob"):
        rates = {kind: model.sampler.rates(rows, style) for kind, rows in kinds.items()}
        likely = {
            kind: confidence_interval(rate, seed=seed) for kind, rate in rates.items()
        }
        known["likelihood"] = np.concatenate([*rates.values()])
    figures = statistics_table(
        model.codec.decode(x) for rows in kinds.values() for x in rows
    )
    known |= dict(zip(STATISTICS, figures.T, strict=True))
    of_all = np.concatenate([*verdicts.values()])
    related = {name: correlation(of_all, values) for name, values in known.items()}
    return Verdicts(below, likely, {k: v for k, v in related.items() if np.isfinite(v)})


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of the ranks of two figures [n] (Spearman 1904), where both are known; NaN of a constant."""
    both = np.isfinite(one) & np.isfinite(other)
    if min(len(np.unique(x[both])) for x in (one, other)) < 2:
        return np.nan
    return float(spearmanr(one[both], other[both]).statistic)


def spoilt(model: Trained, real: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Real pieces put out of order, with nothing in them that was not there before."""
    rng = np.random.default_rng(seed)
    if real.ndim == 4:  # piano rolls
        mixed = lambda k: real[rng.permutation(len(real)), :, k]
        tracks = [mixed(k) for k in range(real.shape[2])]
        late = np.roll(real, 3 * real.shape[1] // 16, axis=1)
        return {"mixed_tracks": np.stack(tracks, axis=2), "off_beat": late}
    ended = (real == BOUNDARY).all(axis=-1)
    order = np.where(
        ended, np.arange(real.shape[1]), rng.random(ended.shape) - 1
    ).argsort(axis=1)
    notes = np.take_along_axis(real, order[..., None], axis=1)
    found = {"mixed_notes": notes}
    if isinstance(codec := model.codec, Compound):
        pitch = np.array(codec.columns) == "pitch"
        found["mixed_pitches"] = np.where(pitch, notes, real)
    return found


def some(
    batches: Iterable[Batch], length: int, many: int, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """`many` rows [n, length, ..] at random, of those in the mask, and their styles.

    What is longer is cut, what is shorter ends in BOUNDARY.
    """
    kept = [{k: v[b["mask"].any(axis=1)] for k, v in b.items()} for b in batches]
    order = np.random.default_rng(seed).permutation(
        sum(len(b["tokens"]) for b in kept)
    )[:many]

    def fitted(x: np.ndarray) -> np.ndarray:
        empty = [(0, 0), (0, max(0, length - x.shape[1])), *[(0, 0)] * (x.ndim - 2)]
        return np.pad(x[:, :length], empty, constant_values=BOUNDARY)

    tokens = np.concatenate([fitted(b["tokens"]) for b in kept])[order]
    return tokens, np.concatenate([b["style"] for b in kept])[order] if "style" in kept[
        0
    ] else None
