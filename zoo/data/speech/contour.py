"""The pitch of a singing voice: notes, glides between them, vibrato and jitter.

A vibrato of 5 to 6 cycles a second that sets in late on long notes is usual (E. Prame,
Vibrato extent and intonation in professional Western lyric singing, J. Acoust. Soc. Am.
102(1), 1997, who finds extents of 34 to 123 cents; ours is small).
"""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from zoo.data.speech.placing import SungNote

GLIDE_BEFORE, GLIDE_AFTER = 0.06, 0.02  # seconds of a glide before a note and within it
RATE, EXTENT = 5.5, 25.0  # of vibrato: cycles per second, and cents to either side
DELAY, SWELL = 0.35, 0.3  # seconds until vibrato sets in, and until it is full
LONG = 0.6  # seconds of the shortest note with vibrato
JITTER, SMOOTH = 4.0, 0.015  # cents of random deviations, smoothed over so many seconds
BELOW, ABOVE = 5, 17  # semitones of a singer's range around the pitch of speech
A4, A4_PITCH = 440.0, 69


def hertz(pitch: np.ndarray | float) -> np.ndarray:
    """Returns the frequency of MIDI pitches."""
    return A4 * 2.0 ** ((np.asarray(pitch, np.float64) - A4_PITCH) / 12)


def midi(frequency: np.ndarray | float) -> np.ndarray:
    """Returns the MIDI pitch of frequencies."""
    return A4_PITCH + 12 * np.log2(np.asarray(frequency, np.float64) / A4)


def compass_of(f0: np.ndarray) -> tuple[int, int]:
    """Returns the range of a singer, as MIDI pitches, from the f0 of speech [f]."""
    voiced = f0[f0 > 0]
    middle = float(np.median(midi(voiced))) if voiced.size else 60.0
    return round(middle) - BELOW, round(middle) + ABOVE


def octaves(pitches: Sequence[int], compass: tuple[int, int]) -> tuple[int, list[str]]:
    """Returns by how many octaves a melody is moved into a range, and remarks.

    It is moved where fewest semitones lie outside, and no farther than it must.
    """
    pitch = np.asarray(pitches)
    low, high = compass

    def outside(shift: int) -> float:
        moved = pitch + 12 * shift
        excess = np.maximum(low - moved, 0) + np.maximum(moved - high, 0)
        return float(excess.sum())

    shift = min(range(-8, 9), key=lambda k: (outside(k), abs(k)))
    remarks = []
    if shift:
        remarks.append(f"transposed: by {shift:+d} octaves into the singer's range")
    if outside(shift):
        remarks.append(f"range: notes outside {low} to {high}, the singer's range")
    return shift, remarks


def contour(notes: Sequence[SungNote], times: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns the pitch of a voice at `times` [f], as MIDI pitches with fractions.

    Args:
      notes: the notes in order.
      times: in seconds, equally spaced.
      seed: of the jitter, and of the phases of vibrato.
    """
    rng = np.random.default_rng(seed)
    pitch = np.full(len(times), float(notes[0].pitch))
    for before, note in itertools.pairwise(notes):
        glide = np.minimum(
            [GLIDE_BEFORE, GLIDE_AFTER],
            [(before.end - before.start) / 4, (note.end - note.start) / 4],
        )
        begin = note.start - glide[0]
        # silence, in which no glide is heard, ends with the consonants of the note
        if note.start - before.end > GLIDE_BEFORE:
            begin = before.end
            glide[:] = 0.0, begin - note.start + 1e-3
        share = np.clip((times - begin) / max(glide.sum(), 1e-3), 0, 1)
        pitch += (note.pitch - before.pitch) * (3 - 2 * share) * share**2
    cents = np.zeros(len(times))
    for note in notes:
        rate, phase = RATE + rng.uniform(-0.3, 0.3), rng.uniform(0, 2 * np.pi)
        if note.end - note.start < LONG:
            continue
        since = times - note.start - DELAY
        extent = EXTENT * np.clip(since / SWELL, 0, 1) * (times < note.end)
        cents += extent * np.sin(2 * np.pi * rate * since + phase)
    width = SMOOTH / (times[1] - times[0]) if len(times) > 1 else 1.0
    noise = gaussian_filter1d(rng.standard_normal(len(times)), width)
    cents += JITTER * noise * np.sqrt(2 * width * np.sqrt(np.pi))
    return pitch + cents / 100
