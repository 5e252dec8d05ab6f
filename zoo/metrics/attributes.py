"""Attributes of phrases: density, register, leaps, syncopation, mode and repetition.

They include those of Roberts et al. 2018 (arXiv:1803.05428, section 5.5). A phrase is
an array of the `Phrase` codec. Axes: n phrases, t step.
"""

from collections.abc import Callable, Mapping

import numpy as np

from zoo.data.codecs.phrase import PITCH, Phrase
from zoo.data.codecs.steps import HOLD

# Key profiles of C major and C minor (Krumhansl & Kessler 1982).
MAJOR = np.array(
    [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
)
EPS = 1e-9
MINOR = np.array(
    [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
)


def note_density(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Returns the fraction of steps that have an onset."""
    return (phrases >= PITCH).mean(axis=1)


def mean_pitch(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Returns the mean MIDI number of the notes; NaN if there are none."""
    onsets, pitches = _onsets(phrases, codec)
    notes = onsets.sum(axis=1)
    return np.where(
        notes, (onsets * pitches).sum(axis=1) / np.maximum(notes, 1), np.nan
    )


def pitch_range(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Returns the semitones from the lowest to the highest note; NaN without notes."""
    onsets, pitches = _onsets(phrases, codec)
    high, low = np.where(onsets, pitches, 0), np.where(onsets, pitches, 127)
    span = high.max(axis=1) - low.min(axis=1)
    return np.where(onsets.any(axis=1), span, np.nan)


def leaps(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Returns the mean absolute interval between successive notes, in semitones."""
    lines = (row[row >= PITCH] for row in phrases)
    return np.array([np.abs(np.diff(x)).mean() if len(x) > 1 else 0.0 for x in lines])


def syncopation(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Returns the fraction of notes that begin off the eighths and cross one."""
    onsets = phrases >= PITCH
    eighth = codec.steps_per_quarter // 2
    off_eighth = np.arange(phrases.shape[1]) % eighth != 0
    held = np.pad(phrases[:, 1:] == HOLD, ((0, 0), (0, 1)))
    syncopated = (onsets & off_eighth[None] & held).sum(axis=1)
    return syncopated / np.maximum(onsets.sum(axis=1), 1)


def majorness(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Returns the fit of the best major key minus that of the best minor key, -2 to 2.

    The fit is the correlation of the durations of the pitch classes with the profile of
    the key (Krumhansl & Schmuckler 1990).
    """
    sounding, pitches = sounding_pitches(phrases, codec)
    classes = pitches % 12
    durations = np.stack(
        [(sounding & (classes == c)).sum(axis=1) for c in range(12)], axis=1
    )
    major, minor = (
        _standardise(durations)
        @ _standardise(np.stack([np.roll(profile, tonic) for tonic in range(12)])).T
        for profile in (MAJOR, MINOR)
    )
    return major.max(axis=1) - minor.max(axis=1)


def _standardise(x: np.ndarray) -> np.ndarray:
    """Centres vectors and scales them to unit norm, along the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    return centred / np.maximum(norm, EPS)


def repetition(phrases: np.ndarray, codec: Phrase) -> np.ndarray:
    """Returns the fraction of steps, from bar two on, that equal the bar before."""
    if phrases.shape[1] <= codec.bar:
        return np.zeros(len(phrases))
    return (phrases[:, codec.bar :] == phrases[:, : -codec.bar]).mean(axis=1)


def sounding_pitches(
    phrases: np.ndarray, codec: Phrase
) -> tuple[np.ndarray, np.ndarray]:
    """Returns whether a note sounds, bool [n, t], and its MIDI number, int [n, t]."""
    onsets, pitches = _onsets(phrases, codec)
    steps = np.where(phrases == HOLD, 0, np.arange(phrases.shape[1]))
    begin = np.maximum.accumulate(steps, axis=1)
    return (
        np.take_along_axis(onsets, begin, axis=1),
        np.take_along_axis(pitches, begin, axis=1),
    )


def scale_pitch_classes(
    phrases: np.ndarray, codec: Phrase, min_fraction: float = 0.02
) -> list[int]:
    """Returns the pitch classes that sound on at least `min_fraction` of the steps."""
    sounding, pitches = sounding_pitches(phrases, codec)
    fraction = np.bincount(pitches[sounding] % 12, minlength=12) / phrases.size
    return [pitch for pitch in range(12) if fraction[pitch] >= min_fraction]


def contour_correlation(
    one: np.ndarray, other: np.ndarray, codec: Phrase
) -> np.ndarray:
    """Returns Pearson's correlation of the pitches of melodies [n, t] with others, [n].

    Only steps on which both sound count. The correlation with a constant pitch is 0.
    """
    (sounding, a), (sounding_2, b) = (sounding_pitches(x, codec) for x in (one, other))
    both = sounding & sounding_2
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)
    a, b = ((x - (x * both).sum(axis=1, keepdims=True) / count) * both for x in (a, b))
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return (a * b).sum(axis=1) / np.maximum(norm, EPS)


def _onsets(phrases: np.ndarray, codec: Phrase) -> tuple[np.ndarray, np.ndarray]:
    """Returns whether steps have an onset, and the MIDI numbers of these."""
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
    """Returns all attributes, float [n, a], in the order of `ATTRIBUTES`."""
    columns = [attribute(phrases, codec) for attribute in ATTRIBUTES.values()]
    return np.stack(columns, axis=1)
