"""How often what occurs in pieces, and how far two such distributions are from each other.

A bag is a Counter; those of several pieces make up one. A word is what goes on from one
note of a piece to the next, so that melodies and chords in any key are told alike.
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
SMOOTHING = 0.1  # matches where there are none, or a mean of logarithms would be of 0


def sixteenths(quarters: np.ndarray) -> np.ndarray:
    """Times in whole 16ths, int of the same shape; half of one is rounded up, noise or not."""
    return np.floor(4 * quarters + 0.501).astype(np.int64)


def note_transitions(sequence: NoteSequence) -> list[tuple[int, int]]:
    """From each note to the next: the interval in semitones, and the 16ths between their onsets.

    Notes are in the order of their onsets and, within one, from low to high. Drums are left out,
    unless there is nothing else; then it is the drum that is struck, in place of the interval.
    """
    score = note_table(sequence).heard
    moves = score.pitch[1:] if score.drum.any() else np.diff(score.pitch)
    return list(
        zip(moves.tolist(), sixteenths(np.diff(score.onset)).tolist(), strict=True)
    )


def pitch_classes(sequence: NoteSequence) -> Counter[int]:
    """How many pitched notes are of each class, 0 (C) to 11."""
    return Counter((note_table(sequence).pitched.pitch % 12).tolist())


def melodic_intervals(sequence: NoteSequence) -> Counter[int]:
    """How many steps from one note to the next are of each size, in semitones, as in `words`."""
    return Counter(interval for interval, _ in note_transitions(sequence))


def grams(tokens: Sequence[Hashable], n: int) -> Counter[tuple[Hashable, ...]]:
    """The runs of `n` tokens, such as `words`."""
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def merge(bags: Iterable[Counter]) -> Counter:
    """All of them in one."""
    total: Counter = Counter()
    for bag in bags:
        total.update(bag)
    return total


def js_divergence(one: Counter, other: Counter) -> float:
    """Of Jensen and Shannon (Lin 1991), in bits: 0 of the same, 1 of disjoint; NaN of an empty."""
    if not (one and other):
        return np.nan
    both = list({**one, **other})
    counts = [[bag[thing] for thing in both] for bag in (one, other)]
    return float(jensenshannon(*counts, base=2) ** 2)


def coverage(bag: Counter, other: Counter) -> float:
    """The share of what is in `bag`, as often as it is there, that `other` has as well."""
    return (
        sum(n for thing, n in bag.items() if other[thing]) / bag.total()
        if bag
        else np.nan
    )


def density_overlap(one: np.ndarray, other: np.ndarray) -> float:
    """The area under both of two densities of figures [n] and [m], from 0 to 1.

    Densities are by Gaussian kernels, as in Yang & Lerch 2020 (On the evaluation of generative
    models in music, 3.3); they are of the figures, where the paper's are of distances between
    them. Figures all alike are a point, which overlaps with equal ones alone. NaN does not count,
    and is the overlap with nothing.
    """
    sets = [
        x[np.isfinite(x)] for x in (np.asarray(one, float), np.asarray(other, float))
    ]
    if not all(map(len, sets)):
        return np.nan
    for point, rest in (sets, sets[::-1]):
        if np.ptp(point) < 1e-9:
            return float(np.isclose(rest, point[0]).mean())
    densities = [gaussian_kde(x) for x in sets]
    tails = 4 * max(float(np.sqrt(kde.covariance.item())) for kde in densities)
    ends = np.min(np.concatenate(sets)) - tails, np.max(np.concatenate(sets)) + tails
    grid = np.linspace(*ends, GRID_POINTS)
    return float(np.trapezoid(np.minimum(*(kde(grid) for kde in densities)), grid))


def distinct(sequences: Sequence[Sequence[Hashable]], n: int) -> float:
    """How many different runs of `n` tokens there are, per run (Li et al. 2016, 5.2)."""
    bag = merge(grams(tokens, n) for tokens in sequences)
    return len(bag) / bag.total() if bag else np.nan


def self_bleu(sequences: Sequence[Sequence[Hashable]], n: int = 4) -> np.ndarray:
    """How far each sequence can be pieced together from the others, [s]: 1 of a copy.

    BLEU (Papineni et al. 2002, 2.3) with all others as references, over runs of up to `n` tokens,
    as Zhu et al. 2018 (Texygen, arXiv:1802.01886, 3.1) measure how little a model varies: the
    higher, the less. An order without matches counts as if a tenth of one had been found. It grows
    with the number of sequences, so compare as many with as many. NaN of fewer than two.
    """
    if len(sequences) < 2:
        return np.full(len(sequences), np.nan)
    precisions = [_precisions([grams(x, k + 1) for x in sequences]) for k in range(n)]
    lengths = np.array([len(x) for x in sequences])
    shortest = np.argsort(lengths, kind="stable")  # first, for of two as near it counts
    gaps = np.abs(lengths[:, None] - lengths[shortest]).astype(float)
    gaps[shortest, np.arange(len(lengths))] = np.inf  # no sequence is its own reference
    nearest = lengths[shortest][gaps.argmin(axis=1)]
    brevity = np.minimum(0, 1 - nearest / np.maximum(lengths, 1))
    return np.exp(brevity + np.log(precisions).mean(axis=0))


def _precisions(bags: Sequence[Counter]) -> np.ndarray:
    """The share of each bag that is found in the others, as often as in any one of them, [s]."""
    most: dict[Hashable, tuple[int, int]] = collections.defaultdict(lambda: (0, -1))
    second: Counter = Counter()
    for index, bag in enumerate(bags):
        for thing, count in bag.items():
            lead, _ = most[thing]
            second[thing] = max(second[thing], min(count, lead))
            most[thing] = max(most[thing], (count, index))
    found = []
    for index, bag in enumerate(bags):
        elsewhere = lambda x, index=index: (
            second[x] if most[x][1] == index else most[x][0]
        )
        matches = sum(min(count, elsewhere(thing)) for thing, count in bag.items())
        found.append(max(matches, SMOOTHING) / max(bag.total(), 1))
    return np.array(found)
