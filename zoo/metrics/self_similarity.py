"""Self-similarity of neighbouring passages, compared with that of real music.

Mittal et al. 2021 (arXiv:2103.16091, section 4): a piece is divided into frames of four
bars with a hop of two bars. The pitches and the durations of the notes of a frame are
each summarised by a normal distribution; the similarity of successive frames is the
overlap area of these (after Choi et al. 2020). Generated music should have the same
mean and the same variance of overlaps as real music. Axes: n pieces, t step, m pairs of
frames.
"""

import itertools
from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr

from zoo.data.codecs.base import BOUNDARY
from zoo.data.codecs.phrase import PITCH, Phrase
from zoo.data.codecs.steps import HOLD
from zoo.errors import UsageError

FRAME, HOP = 4, 2  # bars
MIN_STD = 1e-6  # of constant values, which overlap only with equal ones


def normal_overlap(
    mean: np.ndarray, std: np.ndarray, mean_2: np.ndarray, std_2: np.ndarray
) -> np.ndarray:
    """Returns the overlap area of two normal densities, from 0 to 1; all [..], std > 0.

    Relative to the narrower density, the other has mean m and standard deviation s.
    They intersect at the roots of (s^2 - 1) x^2 + 2 m x = m^2 + 2 s^2 log s, one of
    which is infinite if s is 1; between them the wider density is the smaller one. (The
    paper's formula has only one of the two intersections.)
    """
    narrow, wide = np.minimum(std, std_2), np.maximum(std, std_2)
    m, s = np.abs(mean_2 - mean) / narrow, wide / narrow
    a, log_s = s**2 - 1, np.log(s)
    q = m + s * np.sqrt(m**2 + 2 * a * log_s)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(a > 0, -q / a, -np.inf)
        right = np.where(q > 0, (m**2 + 2 * s**2 * log_s) / q, 0.0)
        low, high = (left - m) / s, (right - m) / s
    area = ndtr(high) - ndtr(low) + ndtr(left) + ndtr(-right)
    return np.where(q > 0, area, 1.0)


def frame_overlaps(pieces: np.ndarray, codec: Phrase) -> dict[str, np.ndarray]:
    """Returns the overlaps [m] of successive frames, for "pitch" and for "duration".

    A piece ends at its first BOUNDARY. A note belongs to the frames that contain its
    onset, with its full duration. Pairs with a silent frame are ignored.

    Args:
      pieces: tokens [n, t] of `codec`, of any number of bars. In pieces that were
        divided into phrases, notes begin again with each phrase, so compare only pieces
        that were divided alike.
      codec: the codec of the pieces.

    Raises:
      UsageError: no piece has two frames with notes.
    """
    pairs: list[np.ndarray] = []
    for piece in np.asarray(pieces):
        onsets, values = parse_notes(piece[: piece_end(piece)])
        firsts = np.arange(0, piece_end(piece) - FRAME * codec.bar + 1, HOP * codec.bar)
        frames = [
            (onsets >= first) & (onsets < first + FRAME * codec.bar) for first in firsts
        ]
        normals = [_fit_normals(values[:, frame]) for frame in frames]
        pairs += [np.stack([one, two]) for one, two in itertools.pairwise(normals)]
    finite = [pair for pair in pairs if np.isfinite(pair).all()]
    if not finite:
        raise UsageError(
            f"no piece has two frames of {FRAME} bars, {HOP} bars apart, with notes: "
            f"give pieces of {FRAME + HOP} bars or more."
        )
    one, two = np.stack(finite, axis=-1)  # [pitch or duration, mean or std, m] each
    areas = normal_overlap(one[:, 0], one[:, 1], two[:, 0], two[:, 1])
    return {"pitch": areas[0], "duration": areas[1]}


def consistency_metrics(
    pieces: np.ndarray, real: np.ndarray, codec: Phrase
) -> Mapping[str, float]:
    """Compares the mean and the variance of the overlaps with those of `real` pieces.

    Returns:
      `_consistency` and `_variance` of the paper, max(0, 1 - |x - real| / real), best
      at 1, and the mean and the variance themselves, `_overlap` and `_spread`, for
      "pitch" and "duration".
    """
    ours, theirs = frame_overlaps(pieces, codec), frame_overlaps(real, codec)
    metrics: dict[str, float] = {}
    for name in ours:
        mean, variance = ours[name].mean(), ours[name].var()
        metrics[f"{name}_consistency"] = _agreement(mean, theirs[name].mean())
        metrics[f"{name}_variance"] = _agreement(variance, theirs[name].var())
        metrics[f"{name}_overlap"] = float(mean)
        metrics[f"{name}_spread"] = float(variance)
    return metrics


def _agreement(value: float, real: float) -> float:
    """Returns max(0, 1 - |value - real| / real)."""
    difference = abs(value - real)
    if real > 0:
        return max(0.0, float(1 - difference / real))
    return float(difference == 0)


def parse_notes(piece: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns onsets [i], and pitches and durations [2, i], of the notes of a piece.

    Pitches are relative to the lowest of the codec; onsets and durations are in steps.
    """
    onsets = np.flatnonzero(piece >= PITCH)
    changes = np.append(np.flatnonzero(piece != HOLD), len(piece))
    offsets = changes[np.searchsorted(changes, onsets, side="right")]
    return onsets, np.stack([piece[onsets] - PITCH, offsets - onsets])


def _fit_normals(values: np.ndarray) -> np.ndarray:
    """Returns means and standard deviations [2, 2] of values [2, i]; else NaN."""
    if not values.shape[1]:
        return np.full((2, 2), np.nan)
    return np.stack(
        [values.mean(axis=1), np.maximum(values.std(axis=1), MIN_STD)], axis=1
    )


def piece_end(piece: np.ndarray) -> int:
    """Returns the step of the first BOUNDARY of a piece, or its length without one."""
    return int(np.append(piece, BOUNDARY).tolist().index(BOUNDARY))
