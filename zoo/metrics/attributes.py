"""What a phrase is like in numbers: density, register, leaps, syncopation, mode, repetition.

Those of Roberts et al. 2018 (arXiv:1803.05428, section 5.5) and some that people ask for. A phrase
is an array of the `Phrase` codec. Axes: n phrases, t step.
"""

from collections.abc import Callable, Mapping

import numpy as np

from zoo.data.codecs.phrase import PITCH, Phrase
from zoo.data.codecs.steps import HOLD

# how well each of the twelve notes fits a key that begins on the first (Krumhansl & Kessler 1982)
MAJOR = np.array(
    [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
)
MINOR = np.array(
    [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
)


def note_density(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Notes per step: the share of steps on which one is struck."""
    return (phrases >= PITCH).mean(axis=1)


def mean_pitch(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """The mean MIDI number of the notes; NaN where there are none, as below."""
    struck, pitches = _pitches(phrases, codec)
    notes = struck.sum(axis=1)
    return np.where(
        notes, (struck * pitches).sum(axis=1) / np.maximum(notes, 1), np.nan
    )


def pitch_range(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Semitones from the lowest note to the highest."""
    struck, pitches = _pitches(phrases, codec)
    high, low = np.where(struck, pitches, 0), np.where(struck, pitches, 127)
    span = high.max(axis=1) - low.min(axis=1)
    return np.where(struck.any(axis=1), span, np.nan)


def leaps(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """The mean interval from one note to the next, in semitones, up or down."""
    lines = (row[row >= PITCH] for row in phrases)
    return np.array([np.abs(np.diff(x)).mean() if len(x) > 1 else 0.0 for x in lines])


def syncopation(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """The share of notes struck off the eighths and held over the next one."""
    struck = phrases >= PITCH
    half = codec.steps_per_quarter // 2
    off = np.arange(phrases.shape[1]) % half != 0
    held = np.pad(phrases[:, 1:] == HOLD, ((0, 0), (0, 1)))
    return (struck & off[None] & held).sum(axis=1) / np.maximum(struck.sum(axis=1), 1)


def majorness(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """How much better the best major key fits than the best minor one: -2 to 2.

    By the correlation of the time each pitch class sounds with the profiles of the 24 keys
    (Krumhansl & Schmuckler 1990).
    """
    sounding, pitches = sounding_pitches(phrases, codec)
    classes = pitches % 12
    time = np.stack(
        [(sounding & (classes == c)).sum(axis=1) for c in range(12)], axis=1
    )
    keys = [
        np.stack([np.roll(profile, tonic) for tonic in range(12)])
        for profile in (MAJOR, MINOR)
    ]
    normal = lambda x: x - x.mean(axis=-1, keepdims=True)
    unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
    major, minor = (unit(normal(time)) @ unit(normal(key)).T for key in keys)
    return major.max(axis=1) - minor.max(axis=1)


def repetition(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """The share of steps that are as one bar before, of those that have a bar before them."""
    if phrases.shape[1] <= codec.bar:
        return np.zeros(len(phrases))
    return (phrases[:, codec.bar :] == phrases[:, : -codec.bar]).mean(axis=1)


def sounding_pitches(
    phrases: np.ndarray, codec: Phrase
) -> tuple[np.ndarray, np.ndarray]:
    """Where a note sounds, bool [n, t], and the MIDI number of which, int [n, t]."""
    struck, pitches = _pitches(phrases, codec)
    last = np.maximum.accumulate(
        np.where(phrases == HOLD, 0, np.arange(phrases.shape[1])), axis=1
    )
    return np.take_along_axis(struck, last, axis=1), np.take_along_axis(
        pitches, last, axis=1
    )


def scale_pitch_classes(
    phrases: np.ndarray, codec: Phrase, least: float = 0.02
) -> list[int]:
    """The pitch classes, 0 to 11, that sound on a share of at least `least` of the steps [n, t]."""
    sounding, pitches = sounding_pitches(phrases, codec)
    share = np.bincount(pitches[sounding] % 12, minlength=12) / phrases.size
    return [pitch for pitch in range(12) if share[pitch] >= least]


def contour_correlation(
    one: np.ndarray, other: np.ndarray, codec: Phrase
) -> np.ndarray:
    """How alike lines [n, t] go up and down: Pearson's correlation of their pitches, [n].

    Over the steps on which both sound; 0 where one of them stays on a note all the while.
    """
    (here, a), (there, b) = sounding_pitches(one, codec), sounding_pitches(other, codec)
    both = here & there
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)
    off = lambda x: (x - (x * both).sum(axis=1, keepdims=True) / count) * both
    a, b = off(a), off(b)
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return (a * b).sum(axis=1) / np.maximum(size, 1e-9)


def _pitches(phrases: np.ndarray, codec: Phrase) -> tuple[np.ndarray, np.ndarray]:
    """Where notes are struck, and the MIDI numbers of which."""
    return phrases >= PITCH, phrases - PITCH + codec.low


ATTRIBUTES: Mapping[str, Callable[[np.ndarray, Phrase], np.ndarray]] = {
    "note_density": note_density,
    "mean_pitch": mean_pitch,
    "pitch_range": pitch_range,
    "leaps": leaps,
    "syncopation": syncopation,
    "majorness": majorness,
    "repetition": repetition,
}


def attribute_table(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """All of them, float [n, a] in the order of `ATTRIBUTES`."""
    return np.stack(
        [measure(phrases, codec) for measure in ATTRIBUTES.values()], axis=1
    )
