"""Counts of musical events, and distances between their distributions.

Counts are Counters; those of several pieces are merged into one. A note transition is
the interval and the time from one note of a piece to the next; it is invariant to
transposition, for melodies and for chords.
"""

import collections
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import gaussian_kde

from zoo.data.proto import NoteSequence
from zoo.metrics.note_table import note_table

GRID_POINTS = 4096  # at which densities are compared
SMOOTHING = 0.1  # matches counted where there are none, because of the logarithm


def sixteenths(quarters: np.ndarray) -> np.ndarray:
    """Rounds times to whole 16ths, int of the same shape; a half is rounded up."""
    return np.floor(4 * quarters + 0.501).astype(np.int64)


def note_transitions(sequence: NoteSequence) -> list[tuple[int, int]]:
    """Returns (interval in semitones, 16ths between onsets) from each note to the next.

    Notes are sorted by onset and then by pitch. Drums are left out unless there are no
    other notes; then the drum's pitch replaces the interval.
    """
    table = note_table(sequence).pitched_or_drums
    moves = table.pitch[1:] if table.drum.any() else np.diff(table.pitch)
    return list(
        zip(moves.tolist(), sixteenths(np.diff(table.onset)).tolist(), strict=True)
    )


def pitch_classes(sequence: NoteSequence) -> Counter[int]:
    """Counts the pitched notes of each pitch class, 0 (C) to 11."""
    return Counter((note_table(sequence).pitched.pitch % 12).tolist())


def melodic_intervals(sequence: NoteSequence) -> Counter[int]:
    """Counts the intervals of `note_transitions`, in semitones."""
    return Counter(interval for interval, _ in note_transitions(sequence))


def rhythms(sequence: NoteSequence) -> Counter[tuple[int, int]]:
    """Counts (16th of the bar where a note begins, its duration in 16ths)."""
    table = note_table(sequence).pitched_or_drums
    _, place = table.bar_positions(4)
    lasts = sixteenths(table.offset - table.onset)
    return Counter(zip(place.tolist(), lasts.tolist(), strict=True))


def grams(tokens: Sequence[Hashable], n: int) -> Counter[tuple[Hashable, ...]]:
    """Counts the n-grams of `tokens`."""
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def merge(counts: Iterable[Counter]) -> Counter:
    """Adds counts."""
    total: Counter = Counter()
    for counter in counts:
        total.update(counter)
    return total


def js_divergence(one: Counter, other: Counter) -> float:
    """Returns the Jensen-Shannon divergence in bits (Lin 1991); NaN if one is empty."""
    if not (one and other):
        return np.nan
    keys = list({**one, **other})
    counts = [[counter[key] for key in keys] for counter in (one, other)]
    return float(jensenshannon(*counts, base=2) ** 2)


def coverage(counts: Counter, other: Counter) -> float:
    """Returns the fraction of the events of `counts` that occur in `other`."""
    if not counts:
        return np.nan
    return sum(n for key, n in counts.items() if other[key]) / counts.total()


def density_overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the overlap area of the densities of values [n] and [m], from 0 to 1.

    Densities are estimated by Gaussian kernels, as in Yang & Lerch 2020 (On the
    evaluation of generative models in music, 3.3); here they are of the values, in the
    paper of distances between them. Constant values are a point mass, which overlaps
    only with equal values. NaN values are ignored; without values the overlap is NaN.
    """
    samples = [
        x[np.isfinite(x)] for x in (np.asarray(one, float), np.asarray(other, float))
    ]
    if not all(map(len, samples)):
        return np.nan
    for point, rest in (samples, samples[::-1]):
        if np.ptp(point) < 1e-9:
            return float(np.isclose(rest, point[0]).mean())
    densities = [gaussian_kde(x) for x in samples]
    tail = 4 * max(float(np.sqrt(kde.covariance.item())) for kde in densities)
    both = np.concatenate(samples)
    grid = np.linspace(np.min(both) - tail, np.max(both) + tail, GRID_POINTS)
    return float(np.trapezoid(np.minimum(*(kde(grid) for kde in densities)), grid))


def distinct(sequences: Sequence[Sequence[Hashable]], n: int) -> float:
    """Returns the number of different n-grams per n-gram (Li et al. 2016, 5.2)."""
    counts = merge(grams(tokens, n) for tokens in sequences)
    return len(counts) / counts.total() if counts else np.nan


def self_bleu(sequences: Sequence[Sequence[Hashable]], n: int = 4) -> np.ndarray:
    """Returns the BLEU of each sequence with all others as references, [s].

    BLEU is that of Papineni et al. 2002, 2.3, with n-grams of up to `n` tokens;
    self-BLEU is that of Zhu et al. 2018 (Texygen, arXiv:1802.01886, 3.1). High values
    mean little variety; a copy has 1. An order without matches counts as a tenth of a
    match. Self-BLEU grows with the number of sequences, so compare sets of equal size.
    It is NaN for fewer than two sequences.
    """
    if len(sequences) < 2:
        return np.full(len(sequences), np.nan)
    precisions = [_precisions([grams(x, k + 1) for x in sequences]) for k in range(n)]
    lengths = np.array([len(x) for x in sequences])
    # Of two references of equally near length, the shorter counts.
    by_length = np.argsort(lengths, kind="stable")
    gaps = np.abs(lengths[:, None] - lengths[by_length]).astype(float)
    gaps[by_length, np.arange(len(lengths))] = np.inf  # excludes the sequence itself
    nearest = lengths[by_length][gaps.argmin(axis=1)]
    brevity = np.minimum(0, 1 - nearest / np.maximum(lengths, 1))
    return np.exp(brevity + np.log(precisions).mean(axis=0))


def _precisions(counts: Sequence[Counter]) -> np.ndarray:
    """Returns the clipped precision of each sequence's n-grams in the others, [s]."""
    # The highest count of each n-gram and its sequence, and the second highest count.
    highest: dict[Hashable, tuple[int, int]] = collections.defaultdict(lambda: (0, -1))
    second: Counter = Counter()
    for index, counter in enumerate(counts):
        for gram, count in counter.items():
            lead, _ = highest[gram]
            second[gram] = max(second[gram], min(count, lead))
            highest[gram] = max(highest[gram], (count, index))
    precisions = []
    for index, counter in enumerate(counts):
        matches = 0
        for gram, count in counter.items():
            lead, owner = highest[gram]
            matches += min(count, second[gram] if owner == index else lead)
        precisions.append(max(matches, SMOOTHING) / max(counter.total(), 1))
    return np.array(precisions)
