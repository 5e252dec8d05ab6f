"""Spelling: keys, letters and accidentals of pitches, and lines of percussion."""

from collections.abc import Iterable

import numpy as np

from zoo.data.proto import NoteSequence

# fifths between a mode of the proto and the major mode on the same tonic
MODES = {1: -3, 3: -1, 4: -2, 5: -4, 6: 1, 7: -5}
MODE_NAMES = {
    **{0: "major", 1: "minor", 3: "mixolydian", 4: "dorian"},
    **{5: "phrygian", 6: "lydian", 7: "locrian"},
}
FIFTHS = "FCGDAEB"  # the letters in the order of fifths
LETTERS = "CDEFGAB"
# General MIDI percussion: the step on a staff with a treble clef, and whether the head
# is a cross (Weinberg 1998, Guidelines for drumset notation).
CYMBALS = {
    **{42: 39, 44: 29, 46: 39, 49: 40, 57: 40, 51: 38, 59: 38, 53: 38, 52: 40, 55: 40},
    **{37: 35, 54: 37, 56: 37, 80: 39, 81: 39, 82: 39, 69: 39, 70: 39},
}
SKINS = {
    **{35: 31, 36: 31, 38: 35, 40: 35, 39: 35, 41: 32, 43: 33, 45: 34, 47: 36, 48: 36},
    **{50: 37},
}
MIDDLE_LINE = 34


def stated_key(signature: NoteSequence.KeySignature) -> tuple[int, str]:
    """Returns the sharps of a key signature, negative for flats, and its mode or ""."""
    fifths = (7 * signature.key + MODES.get(signature.mode, 0) + 5) % 12 - 5
    return fifths, MODE_NAMES.get(signature.mode, "")


def inferred_key(pitches: Iterable[int]) -> int:
    """Returns the sharps of the key with the fewest accidentals; negative for flats."""
    counts = np.bincount([pitch % 12 for pitch in pitches] or [0], minlength=12)
    by_fifths = counts[np.arange(12) * 7 % 12]  # C, G, D, ...

    def diatonic(sharps: int) -> int:
        return int(by_fifths[(np.arange(-1, 6) + sharps) % 12].sum())

    return max(range(-5, 7), key=lambda sharps: (diatonic(sharps), -abs(sharps)))


def spell(pitch: int, fifths: int) -> tuple[int, int]:
    """Returns (step, alter) of a MIDI pitch, within twelve fifths around the key."""
    low = fifths - 3  # in C: E flat, B flat, F, ..., G sharp
    place = low + (pitch * 7 - low) % 12  # on the line of fifths, C being 0
    alter, letter = divmod(place + 1, 7)
    step = LETTERS.index(FIFTHS[letter])
    return step + 7 * ((pitch - alter) // 12 - 1), alter


def signature_alters(fifths: int) -> dict[int, int]:
    """Returns the alteration of each letter, C being 0, under a key signature."""
    sharps, flats = FIFTHS[: max(fifths, 0)], FIFTHS[7 + min(fifths, 0) :]
    alters = dict.fromkeys(range(7), 0)
    alters |= {LETTERS.index(letter): 1 for letter in sharps}
    return alters | {LETTERS.index(letter): -1 for letter in flats if fifths < 0}


def percussion(pitch: int) -> tuple[int, bool]:
    """Returns the step of a drum on the staff, and whether its head is a cross."""
    if pitch in CYMBALS:
        return CYMBALS[pitch], True
    return SKINS.get(pitch, MIDDLE_LINE), pitch not in SKINS
