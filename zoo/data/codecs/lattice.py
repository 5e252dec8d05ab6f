"""Phases of onsets: their positions within a quarter.

Where music has a pulse, phases concentrate on the four 16ths of a quarter, some of
which are used more than others. `Lattice` is a mixture of normal distributions of that
form, with a share of onsets at any phase.
"""

from typing import NamedTuple

import numpy as np
from scipy import fft

PHASES = 96  # bins of a quarter in histograms
USE = np.array([0.46, 0.12, 0.3, 0.12])  # of the 16ths of a quarter, at first
OUTLIERS = 0.05  # share of onsets at any phase
EVEN = 0.5  # the position of the second eighth within its quarter, without swing
SWINGS = (EVEN, 0.6, 0.667)
WIDTHS = (0.01, 0.03, 0.07)
WIDEST = 0.12  # quarters; wider peaks merge
ITERATIONS = 20
SWUNG = 0.03  # nats of an onset by which swing must be likelier


class Lattice(NamedTuple):
    """A distribution of the phases of onsets.

    Attributes:
      gain: mean log-likelihood of an onset, over that of a uniform distribution.
      shift: the phase at which quarters begin.
      swing: position of the second eighth within its quarter.
      width: standard deviation of a phase, in quarters.
      use: share of onsets on each 16th of a quarter.
      outliers: share of onsets that are likelier to be at any phase.
    """

    gain: float
    shift: float
    swing: float
    width: float
    use: np.ndarray
    outliers: float

    def moves(self, beats: np.ndarray) -> np.ndarray:
        """Returns what takes onsets, in quarters, to the likeliest 16th of each."""
        distance = distances(beats - self.shift, places(self.swing))
        cost = distance**2 / (2 * self.width**2) - np.log(self.use)
        best = cost.argmin(axis=1)
        return -distance[np.arange(len(beats)), best]

    def snapped(self, beats: np.ndarray) -> np.ndarray:
        """Returns the likeliest 16th of each onset, in quarters from `shift` on."""
        return np.rint(4 * self.straight(beats + self.moves(beats))) / 4

    def straight(self, beats: np.ndarray) -> np.ndarray:
        """Returns times in quarters from `shift` on, without swing."""
        beats = beats - self.shift
        if self.swing == EVEN:
            return beats
        whole = np.floor(beats + 1e-6)
        return whole + np.interp(beats - whole, [0, self.swing, 1], [0, EVEN, 1])


def places(swing: float) -> np.ndarray:
    """Returns the phases of the 16ths of a quarter."""
    return np.array([0, swing / 2, swing, (1 + swing) / 2])


def distances(phase: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Returns the distance of each phase after each place, within half a quarter."""
    return (phase[:, None] - place + 0.5) % 1 - 0.5


def log_density(width: np.ndarray, swing: float) -> np.ndarray:
    """Returns log-likelihoods of phases [w, PHASES], over those of uniform ones.

    Args:
      width: standard deviations [w] of a phase.
      swing: position of the second eighth within its quarter.
    """
    distance = distances(np.arange(PHASES) / PHASES, places(swing))
    width = np.sqrt(width**2 + (0.3 / PHASES) ** 2)[:, None, None]
    kernel = np.exp(-(distance**2) / (2 * width**2)) / (width * np.sqrt(2 * np.pi))
    return np.log(OUTLIERS + (1 - OUTLIERS) * kernel @ USE)


def fit_lattice(beats: np.ndarray, weight: np.ndarray, narrowest: float) -> Lattice:
    """Returns the likeliest distribution of the phases of onsets.

    Args:
      beats: onsets in quarters, from any origin.
      weight: the weight of each.
      narrowest: the smallest standard deviation, in quarters.
    """
    phase = beats % 1
    matches = _matches(phase, weight)
    index, shift = np.unravel_index(int(np.argmax(matches)), (len(matches), PHASES))
    width, swing = _SHAPES[int(index)]
    # narrow peaks beside those of another swing would be outliers
    width, start = max(width, narrowest, 0.05 * (swing != EVEN)), float(shift) / PHASES
    lattice = _maximised(phase, weight, start, shape=(width, swing, narrowest))
    if swing == EVEN or _is_swing(lattice):
        return lattice
    return _even(phase, weight, matches, narrowest)


def fit_thoroughly(beats: np.ndarray, weight: np.ndarray, narrowest: float) -> Lattice:
    """Returns the likeliest of the distributions with and without swing.

    Args:
      beats: onsets in quarters, from any origin.
      weight: the weight of each.
      narrowest: the smallest standard deviation, in quarters.
    """
    phase = beats % 1
    matches = _matches(phase, weight)
    best = _even(phase, weight, matches, narrowest)
    highest = best.gain + SWUNG
    swung = np.array(matches[len(WIDTHS) :])
    index, shift = np.unravel_index(int(np.argmax(swung)), swung.shape)
    width, swing = _SHAPES[len(WIDTHS) + int(index)]
    # the strongest phase may be that of beats, or of second eighths
    start, shape = float(shift) / PHASES, (max(width, narrowest, 0.05), swing)
    for turned in (start, start + swing / 2):
        lattice = _maximised(phase, weight, turned, shape=(*shape, narrowest))
        if _is_swing(lattice) and lattice.gain > highest:
            best, highest = lattice, lattice.gain
    return best


def _matches(phase: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Returns log-likelihoods of phases, for each shape and each shift."""
    bins = np.rint(phase * PHASES).astype(int) % PHASES
    spectrum = fft.rfft(np.bincount(bins, weights=weight, minlength=PHASES))
    return [fft.irfft(spectrum * template, PHASES) for template in _TEMPLATES]


def _even(
    phase: np.ndarray,
    weight: np.ndarray,
    matches: list[np.ndarray],
    narrowest: float,
) -> Lattice:
    """Returns the likeliest distribution without swing."""
    even = len(WIDTHS)
    index, shift = np.unravel_index(int(np.argmax(matches[:even])), (even, PHASES))
    width, start = max(WIDTHS[int(index)], narrowest), float(shift) / PHASES
    return _maximised(phase, weight, start, shape=(width, EVEN, narrowest))


def _is_swing(lattice: Lattice) -> bool:
    """Returns whether 16ths are used as in swing, not as in triplets."""
    _, early, middle, late = lattice.use
    ternary = abs(lattice.swing - 2 / 3) < 0.025
    return not ternary or early <= max(0.25 * middle, 1.5 * late)


def _maximised(
    phase: np.ndarray,
    weight: np.ndarray,
    shift: float,
    *,
    shape: tuple[float, float, float],
) -> Lattice:
    """Returns the lattice after steps of expectation maximisation.

    Args:
      phase: the phase of each onset.
      weight: the weight of each.
      shift: the phase of quarters, at first.
      shape: the width at first, the swing at first, and the smallest width.
    """
    width, swing, narrowest = shape
    use, gain, outliers = USE, 0.0, 0.0
    for _ in range(ITERATIONS):
        distance = distances(phase - shift, places(swing))
        scale = (1 - OUTLIERS) * use / (width * np.sqrt(2 * np.pi))
        share = scale * np.exp(-(distance**2) / (2 * width**2))
        density = share.sum(axis=1) + OUTLIERS
        gain = float(np.log(density) @ weight / weight.sum())
        outliers = float((density < 2 * OUTLIERS) @ weight / weight.sum())
        share *= (weight / density)[:, None]
        mass = share.sum() + 1e-9
        shift += float((share * distance).sum() / mass)
        width = float(np.sqrt((share * distance**2).sum() / mass))
        width = min(max(width, narrowest), WIDEST)
        use = (share.sum(axis=0) + 1) / (mass + len(USE))
        if swing != EVEN:
            late = (share[:, 2] * distance[:, 2]).sum() / (share[:, 2].sum() + 1)
            swing = min(max(swing + float(late), 0.55), 0.72)
    return Lattice(gain, shift % 1, swing, width=width, use=use, outliers=outliers)


_SHAPES = [(width, swing) for swing in SWINGS for width in WIDTHS]
_TEMPLATES = [
    np.conj(fft.rfft(log_density(np.array([width]), swing)[0]))
    for width, swing in _SHAPES
]
