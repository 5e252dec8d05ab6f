"""The pulse of music, found from the onsets of its notes.

Three kinds of pulse are tried: that of the file's own tempos, one of another steady
tempo, and one whose tempo varies. The last is found by the model of Whiteley, Cemgil &
Godsill 2006 (Bayesian modelling of temporal structure in musical audio, ISMIR): tempo
is a random walk, and phase its integral. Deviation: the chain has a state at each onset
only, not at each frame. Free time is recognised by the likelihood of onsets, which is
not much higher than that of onsets at random times.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.linalg import solveh_banded

from zoo.data.codecs.lattice import (
    EVEN,
    PHASES,
    WIDEST,
    Lattice,
    fit_lattice,
    fit_thoroughly,
    log_density,
)
from zoo.data.codecs.metrical import bar_gain

SLOWEST, FASTEST = 50.0, 240.0  # quarters per minute
USUAL, SPREAD = 108.0, 0.6  # the prior of tempos: its middle, its deviation in octaves
MAX_OUTLIERS = 0.25  # share of onsets that are on no 16th
MIN_GAIN, MIN_EVIDENCE = 0.15, 12.0  # nats for each onset, and for a piece
# Costs for each onset, in nats: of a swing, of one slower than so many quarters per
# minute, and of peaks as wide as they may be; gains of the file's own tempos, and of
# the usual tempo over others.
SWING_COST, SLOW_SWING_COST, SLOWEST_SWING = 0.05, 1.05, 90.0
VAGUENESS_COST, OWN, TEMPO_PRIOR = 0.12, 0.1, 0.15
CLEAN = 0.025  # quarters; phases that deviate by less are not of a performance
FINEST = 0.006  # seconds; smaller deviations of onsets are not distinguished
TOGETHER, CHORD = 0.008, 0.04  # seconds; onsets that are one, or of one chord
TEMPO_SPACING = 0.02  # of the states of `follow`, as a share
TEMPO_WALK = 0.015  # deviation of tempo after a second, as a share
SPACINGS = (None, 16.0, 8.0, 4.0, 2.0)  # seconds between changes of tempo
TEMPOS = 10  # steady ones that are tried
TRIAL = 1500  # onsets that have to show a pulse before more are followed


class Pulse(NamedTuple):
    """A pulse: quarters at some times, and the phases of the onsets.

    Attributes:
      lattice: the phases.
      times: times in seconds, ascending; empty if the file's own tempos are right.
      beats: the quarters at these times.
    """

    lattice: Lattice
    times: np.ndarray
    beats: np.ndarray

    @property
    def own(self) -> bool:
        """True if the file's own tempos are right."""
        return not len(self.times)

    @property
    def steady(self) -> bool:
        """True if there is one tempo."""
        return len(self.times) == 2

    @property
    def clean(self) -> bool:
        """True if onsets deviate less than those of performances."""
        return self.lattice.width < CLEAN and self.lattice.outliers < MAX_OUTLIERS / 2

    def quarters(self, time: np.ndarray) -> np.ndarray:
        """Returns the quarters at times in seconds, at any time before or after."""
        rates = np.diff(self.beats) / np.diff(self.times)
        before = np.minimum(time - self.times[0], 0) * rates[0]
        after = np.maximum(time - self.times[-1], 0) * rates[-1]
        return np.interp(time, self.times, self.beats) + before + after


class _Onsets(NamedTuple):
    """Onsets [n] in seconds, ascending; their weights; and a number of chords."""

    time: np.ndarray
    weight: np.ndarray
    chords: int


def find(onset: np.ndarray, own: np.ndarray) -> Pulse | None:
    """Returns the pulse of notes, None if they are in free time.

    Args:
      onset: onsets [n] of the notes in seconds.
      own: the same in quarters, by the file's tempos.
    """
    order = np.argsort(onset, kind="stable")
    onset, own = onset[order], own[order]
    notes = _merged(onset)
    beats = np.interp(notes.time, onset, own)
    if len(notes.time) < 2 or beats[-1] <= beats[0]:
        return None
    lattice = _lattice(notes, beats, fit_thoroughly)
    pulse = Pulse(lattice, np.zeros(0), np.zeros(0))
    if pulse.clean and _is_pulse(pulse, notes):
        return pulse
    if len(notes.time) > 2 * TRIAL and not find(onset[:TRIAL], own[:TRIAL]):
        return None
    best, highest = pulse, _evidence(pulse, notes, beats)
    for other in _steady(notes) + _followed(notes):
        evidence = _evidence(other, notes, other.quarters(notes.time))
        if evidence > highest:
            best, highest = other, evidence
    return best if _is_pulse(best, notes) else None


def _merged(onset: np.ndarray) -> _Onsets:
    """Returns onsets, with those at about one time as one."""
    gaps = np.diff(onset)
    index = np.append(0, np.cumsum(gaps > TOGETHER))
    counts = np.bincount(index)
    time = np.bincount(index, weights=onset) / counts
    return _Onsets(time, np.sqrt(counts), 1 + int(np.sum(gaps > CHORD)))


def _lattice(
    notes: _Onsets, beats: np.ndarray, fit: Callable[..., Lattice] = fit_lattice
) -> Lattice:
    rate = (beats[-1] - beats[0]) / (notes.time[-1] - notes.time[0])
    return fit(beats, notes.weight, FINEST * rate)


def _evidence(pulse: Pulse, notes: _Onsets, beats: np.ndarray) -> float:
    """Returns the log-probability of a pulse, over that of onsets at random times.

    Args:
      pulse: the pulse.
      notes: the onsets.
      beats: the onsets in quarters, by the pulse.
    """
    total, lattice = notes.weight.sum(), pulse.lattice
    tempo = 60 * (beats[-1] - beats[0]) / (notes.time[-1] - notes.time[0])
    gain = bar_gain(beats, notes.weight, lattice)
    gain -= VAGUENESS_COST * (lattice.width / WIDEST) ** 2
    gain += OWN if pulse.own else TEMPO_PRIOR * float(_log_prior(tempo))
    if lattice.swing != EVEN and not pulse.own:
        gain -= SWING_COST if tempo > SLOWEST_SWING else SLOW_SWING_COST
    return float(gain * total - 0.5 * len(pulse.times) * np.log(total))


def _is_pulse(pulse: Pulse, notes: _Onsets) -> bool:
    """Returns whether onsets are much likelier than at random times."""
    gain, parameters = pulse.lattice.gain, 2 + len(pulse.times)
    evidence = gain * notes.chords - 0.5 * parameters * np.log(notes.chords)
    few_outliers = pulse.lattice.outliers < MAX_OUTLIERS
    return bool(few_outliers and gain > MIN_GAIN and evidence > MIN_EVIDENCE)


def _log_prior(qpm: np.ndarray | float) -> np.ndarray:
    """Returns the log-probability of tempos, 0 for the usual one."""
    return np.asarray(-0.5 * (np.log2(np.asarray(qpm) / USUAL) / SPREAD) ** 2)


def _steady(notes: _Onsets) -> list[Pulse]:
    """Returns pulses of one tempo."""
    pulses = []
    for qpm in steady_tempos(notes.time, notes.weight):
        pulses += _smoothed(notes, notes.time * qpm / 60, SPACINGS[:1])
    return pulses


def _followed(notes: _Onsets) -> list[Pulse]:
    """Returns pulses whose tempo varies."""
    pulses = []
    for swing in (EVEN, 0.64):
        beats = follow(notes.time, notes.weight, swing)
        if beats[-1] > beats[0]:
            pulses += _smoothed(notes, beats, SPACINGS)
    return pulses


def steady_tempos(onset: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Returns the tempos of highest coherence, in quarters per minute.

    Args:
      onset: onsets in seconds.
      weight: the weight of each.
    """
    rate = 200.0  # bins of a second
    bins = np.bincount((onset * rate).astype(int), weights=weight)
    size = fft.next_fast_len(max(8 * len(bins), 1 << 15), real=True)
    power = np.abs(fft.rfft(bins, size)) ** 2
    low, high = (int(qpm / 60 * size / rate) for qpm in (SLOWEST, FASTEST))
    index = np.arange(low, high)
    tempo = index * rate / size * 60
    salience = power[index] + power[2 * index] + power[4 * index]
    salience *= np.exp(0.3 * _log_prior(tempo))
    inner = salience[1:-1]
    peaks = np.flatnonzero((inner >= salience[:-2]) & (inner > salience[2:]))
    return tempo[1 + peaks[np.argsort(-inner[peaks])][:TEMPOS]]


def follow(onset: np.ndarray, weight: np.ndarray, swing: float) -> np.ndarray:
    """Returns the position of each onset in quarters, along the likeliest tempos.

    Args:
      onset: onsets [n] in seconds, ascending and distinct.
      weight: the weight of each.
      swing: position of the second eighth within its quarter.
    """
    number = int(np.log(FASTEST / SLOWEST) / TEMPO_SPACING) + 1
    tempo = SLOWEST * np.exp(TEMPO_SPACING * np.arange(number))
    narrow, wide = (log_density(s * tempo / 60, swing) for s in (0.01, 0.03))
    seen = np.logaddexp(narrow, wide) - np.log(2) + 0.05 * _log_prior(tempo)[:, None]
    ticks = np.rint(onset[:, None] * tempo / 60 * PHASES).astype(int)
    moves = np.diff(ticks, axis=0)
    walk = np.maximum(np.diff(onset), 0.02) * (TEMPO_WALK / TEMPO_SPACING) ** 2
    chance = np.clip(walk / 2, 1e-4, 0.3)
    change, stay = np.log(chance), np.log1p(-2 * chance)
    came = np.zeros((len(onset), number, PHASES), np.int8)
    row, column = np.arange(number)[:, None], np.arange(PHASES)
    log_prob = seen * weight[0]
    for i, move in enumerate(moves):
        arrived = log_prob[row, (column - move[:, None]) % PHASES]
        log_prob = arrived + stay[i]
        for tempo_step in (-1, 1):
            to, source = slice(1, None), slice(None, -1)
            if tempo_step == 1:
                to, source = source, to
            better = arrived[source] + change[i] > log_prob[to]
            log_prob[to] = np.where(better, arrived[source] + change[i], log_prob[to])
            came[i + 1, to][better] = tempo_step
        log_prob += seen * weight[i + 1]
    return _traced(log_prob, came, moves)


def _traced(log_prob: np.ndarray, came: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Returns the positions of onsets along the path that is likeliest."""
    j, k = map(int, np.unravel_index(int(log_prob.argmax()), log_prob.shape))
    advance = np.zeros(len(came))
    for i in range(len(moves), 0, -1):
        j += int(came[i, j, k])
        advance[i] = moves[i - 1, j]
        k = (k - int(moves[i - 1, j])) % PHASES
    return (k + np.cumsum(advance)) / PHASES


def _smoothed(
    notes: _Onsets, beats: np.ndarray, spacings: tuple[float | None, ...]
) -> list[Pulse]:
    """Returns pulses near `beats`, with tempo changes at different spacings."""
    first, last = notes.time[0], notes.time[-1] + 1e-6
    pulses = []
    for spacing in spacings:
        if spacing and last - first < 1.5 * spacing:
            continue
        count = 2 if spacing is None else 2 + int((last - first) / spacing)
        times = np.linspace(first, last, count)
        line = _Line(notes.time, times)
        bent = beats
        lattice = _lattice(notes, bent)
        for _ in range(6):
            values = line.fitted(bent, bent + lattice.moves(bent))
            bent = np.interp(notes.time, times, values)
            if not bent[-1] > bent[0]:
                break
            lattice = _lattice(notes, bent)
        else:
            lattice = _lattice(notes, bent, fit_thoroughly)
            if (np.diff(values) > 0).all():
                pulses.append(Pulse(lattice, times, values))
    return pulses


class _Line:
    """A line through knots, fitted to positions at the times of onsets."""

    def __init__(self, onset: np.ndarray, knots: np.ndarray):
        right = np.searchsorted(knots, onset, side="right")
        self._left = np.clip(right - 1, 0, len(knots) - 2)
        spacing = np.diff(knots)[self._left]
        self._share = (onset - knots[self._left]) / spacing
        bend = np.diff(np.eye(3), 2, axis=0)
        self._bands = np.zeros((3, len(knots)))  # upper, the main diagonal last
        for i in range(len(knots) - 2):
            square = 0.5 * bend.T @ bend
            for band in range(3):
                columns = slice(i + 2 - band, i + 3)
                self._bands[band, columns] += np.diag(square, 2 - band)
        self._bands[2] += 1e-9

    def fitted(self, beats: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Returns positions at the knots, by least squares.

        Args:
          beats: positions of the onsets; those far from their targets count less.
          target: the positions that they should have.
        """
        trust = 1 / (1 + ((target - beats) / 0.06) ** 2)
        number, left, share = self._bands.shape[1], self._left, self._share
        bands = self._bands.copy()

        def summed(index: np.ndarray, values: np.ndarray) -> np.ndarray:
            return np.bincount(index, weights=trust * values, minlength=number)

        bands[2] += summed(left, (1 - share) ** 2) + summed(left + 1, share**2)
        bands[1] += summed(left + 1, share * (1 - share))
        right = summed(left, (1 - share) * target) + summed(left + 1, share * target)
        return solveh_banded(bands[3 - min(number, 3) :], right)
