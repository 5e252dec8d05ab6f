"""The metre of a piece, inferred from its notes.

Bars resemble each other and begin with accents, so the autocorrelation of accents shows
the length of bars (Brown 1993, Determination of the meter of musical scores by
autocorrelation), and the strength of positions shows where they begin (Lerdahl &
Jackendoff 1983, A Generative Theory of Tonal Music, chapter 4). A logistic regression
combines both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.codecs.base import Notes
from zoo.data.codecs.metre import Fraction

LONGEST = 16  # steps; longer notes are no stronger accents
HARMONY = 8  # steps before and after a change of harmony
LOWEST = 0.3  # share of onsets whose lowest note counts as bass


class Kind(NamedTuple):
    """A metre to choose from.

    Attributes:
      metre: its signature.
      levels: steps of a bar, of the levels of beats within it, and of their division.
      bias: its log-odds.
    """

    metre: Fraction
    levels: tuple[int, ...]
    bias: float

    @property
    def bar(self) -> int:
        """Number of steps in a bar."""
        return self.levels[0]


KINDS = (
    Kind((4, 4), (16, 8, 4, 2), 1.3),
    Kind((3, 4), (12, 4, 2), 0.0),
    Kind((6, 8), (12, 6, 2), 1.1),
    Kind((9, 8), (18, 6, 2), 0.0),
    Kind((5, 4), (20, 4, 2), -1.6),
    Kind((7, 8), (14, 2), -0.2),
)
# Weights of the features that `accents` returns: number of notes, length, velocity,
# bass, change of harmony. Fitted to 3,000 pieces whose metre is known: tunes of the
# corpora tunes, essen and Nottingham, chorales, and made arrangements.
DOWNBEAT = np.array([4.9, 7.4, 11.8, -0.3, -2.4])
BEATS = np.array([2.4, 4.1, 5.4, 0.5, 1.8])
REPEATED = np.array([1.9, 2.2, 1.1, 2.6, 3.2])
# Weights of a piece that begins with a bar; of one with a pickup of a quarter bar at
# most; of a bar that begins on an odd step, with the last note, half a bar before it,
# or where the music ends; and of music that lasts for a number of bars.
FROM_START, PICKUP, ODD = 1.4, 2.6, -0.4
LAST, HALF_BEFORE_LAST, AT_END, WHOLE = 0.8, 1.0, 1.0, 1.6


class Bars(NamedTuple):
    """Bars of one metre.

    Attributes:
      metre: the time signature.
      pickup: number of steps before the first full bar.
    """

    metre: Fraction
    pickup: int


def infer_bars(notes: Notes, kinds: Sequence[Kind]) -> Bars:
    """Returns the likeliest bars of notes.

    Args:
      notes: notes with times in whole steps.
      kinds: the metres to choose from.
    """
    features = accents(notes)
    last, end = int(notes.onset.max()), int(notes.offset.max())
    best, highest = Bars(kinds[0].metre, 0), -np.inf
    for kind in kinds:
        log_odds = kind.bias + _strengths(features, kind)
        start, bar = np.arange(kind.bar), kind.bar
        log_odds += FROM_START * (start == 0)
        log_odds += PICKUP * ((start > 0) & (start <= bar // 4))
        log_odds += ODD * (start % 2) + LAST * ((last - start) % bar == 0)
        log_odds += HALF_BEFORE_LAST * ((last - start) % bar == bar // 2)
        log_odds += AT_END * ((end - start) % bar == 0) + WHOLE * (end % bar == 0)
        if log_odds.max() > highest:
            best, highest = Bars(kind.metre, int(log_odds.argmax())), log_odds.max()
    return best


def accents(notes: Notes) -> np.ndarray:
    """Returns features of the steps of a piece, [5, t], with mean 0 and deviation 1.

    They are the number of notes that begin on a step, the length of the longest, the
    velocity of the loudest, whether the lowest is a bass, and the change of harmony.
    """
    step, duration = notes.onset, np.minimum(notes.offset - notes.onset, LONGEST)
    length = int(step.max()) + LONGEST
    count = np.bincount(step, minlength=length)
    longest, loudest, lowest = np.zeros((3, length))
    np.maximum.at(longest, step, duration)
    np.maximum.at(loudest, step, notes.velocity - notes.velocity.mean())
    lowest += 128
    np.minimum.at(lowest, step, notes.pitch)
    bass = lowest <= np.quantile(lowest[count > 0], LOWEST)
    change = np.where(count > 0, _harmonic_change(notes, duration, length), 0)
    features = np.stack([np.log1p(count), np.log1p(longest), loudest, bass, change])
    features = features - features.mean(axis=1, keepdims=True)
    deviation = features.std(axis=1, keepdims=True)
    return features / np.where(deviation > 1e-9, deviation, 1)


def _harmonic_change(notes: Notes, duration: np.ndarray, length: int) -> np.ndarray:
    """Returns 1 minus the similarity of the pitch classes after and before a step."""
    chroma = np.zeros((12, length + 1))
    np.add.at(chroma, (notes.pitch % 12, notes.onset), duration)
    total, at = np.cumsum(chroma, axis=1), np.arange(length)
    now = total[:, at] - chroma[:, at]
    after = total[:, np.minimum(at + HARMONY, length)] - now
    before = now - np.where(at >= HARMONY, now[:, at - HARMONY], 0)
    scale = np.linalg.norm(after, axis=0) * np.linalg.norm(before, axis=0)
    alike = (after * before).sum(axis=0) / np.maximum(scale, 1e-9)
    return np.where(scale > 0, 1 - alike, 0)


def _strengths(features: np.ndarray, kind: Kind) -> np.ndarray:
    """Returns log-odds [bar] that bars of a metre begin on each step."""
    bar, length = kind.bar, features.shape[1]
    bars = max(length // bar, 1)
    alike = np.zeros(len(features))
    if length >= 2 * bar:
        alike = (features[:, bar:] * features[:, :-bar]).mean(axis=1)
    whole = np.pad(features, ((0, 0), (0, bar)))[:, : bars * bar]
    profile = whole.reshape(len(features), bars, bar).mean(axis=1)
    at = np.arange(bar)
    downbeat = _unit(at == 0)
    beats = _unit(
        np.sum([at % level == 0 for level in (*kind.levels[1:-1], 1)], axis=0)
    )
    start = (at[:, None] + at) % bar
    turned = profile[:, start]  # [5, beginning, position]
    return (
        REPEATED @ alike
        + (DOWNBEAT @ (turned @ downbeat) + BEATS @ (turned @ beats)) / bar
    )


def _unit(values: np.ndarray) -> np.ndarray:
    """Returns values with mean 0 and deviation 1, or 0 if they are all equal."""
    values = values - np.mean(values)
    return values / max(float(np.std(values)), 1e-9)
