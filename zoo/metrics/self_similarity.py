"""How alike neighbouring passages of a piece are, and whether as alike as those of real music.

Mittal et al. 2021 (arXiv:2103.16091, section 4): a piece is seen through frames of four bars, every
two bars. Of the notes of a frame, their pitches and their durations are each summed up by a normal
distribution; two frames in a row are as alike as those two overlap (after Choi et al. 2020). Music
goes on in its own way: what is wanted is the same mean of overlaps, and the same variance, as real
music has. Axes: n pieces, t step, m pairs of frames.
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
MIN_STD = 1e-6  # a standard deviation: notes all alike are a point, which overlaps with itself alone


def normal_overlap(
    mean: np.ndarray, std: np.ndarray, mean_2: np.ndarray, std_2: np.ndarray
) -> np.ndarray:
    """The area under both of two normal densities, from 0 to 1; all [..] and std above 0.

    With the narrower one as unit, the other has mean m and deviation s. They cross at the roots of
    (s^2 - 1) x^2 + 2 m x = m^2 + 2 s^2 log s, of which one is at infinity where s is 1; the wider
    is below between them. (The paper's own form knows one of the two.)
    """
    narrow, wide = np.minimum(std, std_2), np.maximum(std, std_2)
    m, s = np.abs(mean_2 - mean) / narrow, wide / narrow
    more, log_s = s**2 - 1, np.log(s)
    reach = m + s * np.sqrt(m**2 + 2 * more * log_s)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(more > 0, -reach / more, -np.inf)
        right = np.where(reach > 0, (m**2 + 2 * s**2 * log_s) / reach, 0.0)
        low, high = (left - m) / s, (right - m) / s
    found = ndtr(high) - ndtr(low) + ndtr(left) + ndtr(-right)
    return np.where(reach > 0, found, 1.0)


def frame_overlaps(pieces: np.ndarray, codec: Phrase) -> dict[str, np.ndarray]:
    """The overlaps [m] of neighbouring frames, by what is overlapped: "pitch" and "duration".

    Frames lie within a piece, which ends at its first BOUNDARY. A note belongs to those it is
    struck in, with all of its duration. Pairs of which a frame has no note do not count.

    Args:
      pieces: tokens [n, t] of `codec`, of any number of bars. What was cut into phrases has its
        notes struck anew where one begins, so let what is compared be cut alike.

    Raises:
      UsageError: no piece has two frames with notes.
    """
    pairs: list[np.ndarray] = []
    for piece in np.asarray(pieces):
        struck, values = parse_notes(piece[: piece_end(piece)])
        firsts = np.arange(0, piece_end(piece) - FRAME * codec.bar + 1, HOP * codec.bar)
        frames = [
            (struck >= first) & (struck < first + FRAME * codec.bar) for first in firsts
        ]
        sums = [_normals(values[:, frame]) for frame in frames]
        pairs += [np.stack([one, two]) for one, two in itertools.pairwise(sums)]
    kept = [pair for pair in pairs if np.isfinite(pair).all()]
    if not kept:
        raise UsageError(
            f"no piece has two frames of {FRAME} bars, {HOP} apart, with notes in both: "
            f"give pieces of {FRAME + HOP} bars or more."
        )
    one, two = np.stack(kept, axis=-1)  # [pitch or duration, mean or std, m] each
    areas = normal_overlap(one[:, 0], one[:, 1], two[:, 0], two[:, 1])
    return {"pitch": areas[0], "duration": areas[1]}


def consistency_metrics(
    pieces: np.ndarray, real: np.ndarray, codec: Phrase
) -> Mapping[str, float]:
    """How near the mean and the variance of overlaps are to those of `real` pieces: 1 at best.

    Each is max(0, 1 - |x - real| / real), the paper's "consistency" and "variance"; the means and
    variances themselves are there beside them, as `_overlap` and `_spread`.
    """
    ours, theirs = frame_overlaps(pieces, codec), frame_overlaps(real, codec)
    figures: dict[str, float] = {}
    for name in ours:
        for figure, found, wanted in (
            ("consistency", ours[name].mean(), theirs[name].mean()),
            ("variance", ours[name].var(), theirs[name].var()),
        ):
            away = abs(found - wanted)
            near = 1 - away / wanted if wanted > 0 else float(away == 0)
            figures[f"{name}_{figure}"] = max(0.0, float(near))
        figures[f"{name}_overlap"] = float(ours[name].mean())
        figures[f"{name}_spread"] = float(ours[name].var())
    return figures


def parse_notes(piece: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The steps [i] at which the notes of a piece are struck; their pitches and durations [2, i].

    Pitches count from the codec's lowest, durations in steps.
    """
    struck = np.flatnonzero(piece >= PITCH)
    changes = np.append(np.flatnonzero(piece != HOLD), len(piece))
    ends = changes[np.searchsorted(changes, struck, side="right")]
    return struck, np.stack([piece[struck] - PITCH, ends - struck])


def _normals(values: np.ndarray) -> np.ndarray:
    """Means and deviations of `values` [2, i], [2, 2]; NaN where i is 0."""
    if not values.shape[1]:
        return np.full((2, 2), np.nan)
    return np.stack(
        [values.mean(axis=1), np.maximum(values.std(axis=1), MIN_STD)], axis=1
    )


def piece_end(piece: np.ndarray) -> int:
    """The step at which a piece has its first BOUNDARY, or its length where it has none."""
    return int(np.append(piece, BOUNDARY).tolist().index(BOUNDARY))
