"""Likelihoods of onsets within the bars of simple and of compound metres.

Phases within a quarter do not tell music in 6/8 from swing, or from music at 3/4 or 4/3
of its tempo. Positions within bars do, since strong ones are used more (Lerdahl &
Jackendoff 1983, A Generative Theory of Tonal Music, chapter 4). A reading of the music
is judged by the likelihood of its onsets if each position of a bar has a share of them,
less what is unusual about these shares.
"""

from typing import NamedTuple

import numpy as np

from zoo.data.codecs.lattice import EVEN, OUTLIERS, Lattice, distances, places

# The share of onsets on a position over that of one a level higher; the same for odd
# 16ths, in simple metres, in compound ones, and in swing.
WEAKER, ODD, ODD_COMPOUND, ODD_SWUNG = 0.5, 0.25, 0.04, 0.1
UNUSUAL = 0.4  # weight of the divergence of shares from usual ones
ITERATIONS = 8


class Shape(NamedTuple):
    """The usual shares of onsets on the positions of a bar.

    Attributes:
      length: number of 16ths.
      compound: whether three eighths are a beat.
      even: logarithms of shares [length, length]; row r begins r 16ths later.
      swung: those of music in swing, by quarters.
    """

    length: int
    compound: bool
    even: np.ndarray
    swung: np.ndarray


def _shares(levels: tuple[int, ...], odd: float) -> np.ndarray:
    """Returns logarithms of usual shares [turns, positions], for bars of all shifts."""
    depth = np.array(
        [next(i for i, x in enumerate(levels) if k % x == 0) for k in range(levels[0])]
    )
    share = WEAKER ** depth.astype(float)
    share[1::2] *= odd / WEAKER
    share /= share.sum()
    return np.log([np.roll(share, turn) for turn in range(levels[0])])


def _shape(levels: tuple[int, ...], compound: bool = False) -> Shape:
    even = _shares(levels, ODD_COMPOUND if compound else ODD)
    return Shape(levels[0], compound, even, _shares(levels, ODD_SWUNG)[::4])


SHAPES = (
    _shape((4, 2, 1)),
    _shape((8, 4, 2, 1)),
    _shape((16, 8, 4, 2, 1)),
    _shape((12, 4, 2, 1)),
    _shape((6, 2, 1), compound=True),
    _shape((12, 6, 2, 1), compound=True),
    _shape((24, 12, 6, 2, 1), compound=True),
)


def bar_gain(beats: np.ndarray, weight: np.ndarray, lattice: Lattice) -> float:
    """Returns the mean log-likelihood of an onset within the likeliest bars.

    It is over that of a uniform distribution, less a penalty for each position.

    Args:
      beats: onsets in quarters.
      weight: the weight of each.
      lattice: the distribution of their phases.
    """
    place = places(lattice.swing)
    beats = beats - lattice.shift
    distance = distances(beats, place)
    quarter = np.rint(beats[:, None] - distance - place)
    step = 4 * quarter.astype(int) + np.arange(4)
    scale = (1 - OUTLIERS) / (4 * lattice.width * np.sqrt(2 * np.pi))
    near = scale * np.exp(-(distance**2) / (2 * lattice.width**2))
    total, fits = weight.sum(), dict[int, tuple[float, np.ndarray]]()
    best = -np.inf
    for length, compound, even, swung in SHAPES:
        if compound and lattice.swing != EVEN:
            continue
        if length not in fits:
            fits[length] = _used(near * length, step % length, weight, length)
        gain, use = fits[length]
        usual = even if lattice.swing == EVEN else swung
        unusual = float(use @ np.log(use) - (usual @ use).max())
        penalty = 0.25 * (length - 1) * np.log(total) / total
        best = max(best, gain - UNUSUAL * unusual - float(penalty))
    return best


def _used(
    near: np.ndarray, position: np.ndarray, weight: np.ndarray, length: int
) -> tuple[float, np.ndarray]:
    """Returns the log-likelihood of an onset, and the share of each position of a bar.

    Args:
      near: densities [n, 4] of onsets at the places near them, over uniform ones.
      position: the positions of these places within a bar.
      weight: the weight of each onset.
      length: number of positions.
    """
    use, gain = np.full(length, 1 / length), 0.0
    for _ in range(ITERATIONS):
        share = use[position] * near
        density = share.sum(axis=1) + OUTLIERS
        gain = float(np.log(density) @ weight / weight.sum())
        share *= (weight / density)[:, None]
        count = np.bincount(position.ravel(), share.ravel(), length)
        use = (count + 0.5) / (count.sum() + 0.5 * length)
    return gain, use
