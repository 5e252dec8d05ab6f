"""Values of MusicXML elements: pitches, keys, metres, tempos, chords and instruments.

A function returns None for a value that is not understood. Only durations and pitches
are indispensable: without them a score is refused.
"""

import re
from fractions import Fraction
from typing import NamedTuple
from xml.etree import ElementTree

from zoo.data.proto import NoteSequence
from zoo.data.scores.abc.fields import MODES

Element = ElementTree.Element

DRUM_CHANNEL = 10
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
UNITS = {  # in quarters
    **{"maxima": 32, "long": 16, "breve": 8, "whole": 4, "half": 2, "quarter": 1},
    **{"eighth": 1 / 2, "16th": 1 / 4, "32nd": 1 / 8, "64th": 1 / 16, "128th": 1 / 32},
}
DENOMINATORS = (1, 2, 4, 8, 16, 32, 64)
MAX_NUMERATOR = 128
MAX_QPM = 10_000
# Kinds of chords, as note_seq abbreviates them.
STANDARD_KINDS = {
    **{"major": "", "minor": "m", "augmented": "aug", "diminished": "dim"},
    **{"dominant": "7", "major-seventh": "maj7", "minor-seventh": "m7"},
    **{"diminished-seventh": "dim7", "augmented-seventh": "aug7"},
    **{"half-diminished": "m7b5", "major-minor": "m(maj7)", "major-sixth": "6"},
    **{"minor-sixth": "m6", "dominant-ninth": "9", "major-ninth": "maj9"},
    **{"minor-ninth": "m9", "dominant-11th": "11", "major-11th": "maj11"},
    **{"minor-11th": "m11", "dominant-13th": "13", "major-13th": "maj13"},
    **{"minor-13th": "m13", "suspended-second": "sus2", "suspended-fourth": "sus"},
    **{"pedal": "ped", "power": "5"},
}
KINDS = {  # with those of some programs, which are not in the standard
    **STANDARD_KINDS,
    **{"dominant-seventh": "7", "augmented-ninth": "aug9", "minor-major": "m(maj7)"},
    **{"": "", "min": "m", "aug": "aug", "dim": "dim", "7": "7", "maj7": "maj7"},
    **{"min7": "m7", "dim7": "dim7", "m7b5": "m7b5", "minMaj7": "m(maj7)", "6": "6"},
    **{"min6": "m6", "maj69": "6(add9)", "9": "9", "maj9": "maj9", "min9": "m9"},
    **{"sus47": "sus7"},
}
ALTERS = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

_NUMBER = re.compile(r"\s*([+-]?\d{1,12}(?:\.\d{1,9})?)\s*")
_PER_MINUTE = re.compile(r"\d{1,5}(?:\.\d{1,5})?")


class Instrument(NamedTuple):
    """An instrument of a part.

    Attributes:
      program: its General MIDI program, from 0.
      channel: its MIDI channel, from 1; DRUM_CHANNEL for drums.
      drum: the MIDI number that an unpitched note sounds; None if it is unknown.
    """

    program: int = 0
    channel: int = 1
    drum: int | None = None


def number(text: str | None) -> Fraction | None:
    """Parses a decimal number."""
    match = _NUMBER.fullmatch(text or "")
    return Fraction(match[1]) if match else None


def integer(text: str | None) -> int | None:
    """Parses an integer, also one that is written as `2.0`."""
    value = number(text)
    return int(value) if value is not None and value.denominator == 1 else None


def duration(element: Element) -> Fraction:
    """Returns the duration of a note, backup or forward, in divisions.

    Raises:
      ValueError: it is not a number.
    """
    value = number(element.findtext("duration"))
    if value is None or value < 0:
        raise ValueError(f"a duration of {element.findtext('duration')!r}")
    return value


def pitch(element: Element) -> int:
    """Returns the MIDI number of a written pitch; microtones are left out.

    Raises:
      ValueError: the step, its octave or its alteration are not valid.
    """
    step = STEPS.get((element.findtext("step") or "").strip())
    octave = integer(element.findtext("octave"))
    alter = number(element.findtext("alter") or "0")
    if step is None or octave is None or alter is None:
        raise ValueError(f"a pitch of step {element.findtext('step')!r}")
    return 12 * (octave + 1) + step + int(alter)


def transposition(element: Element) -> tuple[int, int | None]:
    """Returns the semitones and, if they are stated, the steps of <transpose>."""
    octaves = integer(element.findtext("octave-change")) or 0
    chromatic = integer(element.findtext("chromatic")) or 0
    diatonic = integer(element.findtext("diatonic"))
    return 12 * octaves + chromatic, diatonic


def key(element: Element, semitones: int) -> tuple[int, int] | None:
    """Returns tonic (a pitch class) and mode of a written key; the default is major.

    Args:
      element: the key.
      semitones: the transposition of the part.
    """
    fifths = integer(element.findtext("fifths"))
    if fifths is None:
        return None
    mode = element.findtext("mode", "").strip().lower()[:3] or "none"
    shift, name = MODES.get(mode, (0, "NOT_SPECIFIED"))
    tonic = (7 * (fifths - shift) + semitones) % 12
    return tonic, NoteSequence.KeySignature.Mode.Value(name)


def metre(element: Element) -> tuple[int, int] | None:
    """Returns numerator and denominator of <time>; the terms of a sum are added."""
    total, lowest = Fraction(0), 1
    pairs = zip(element.findall("beats"), element.findall("beat-type"), strict=False)
    for beats, beat_type in pairs:
        terms = [integer(term) for term in (beats.text or "").split("+")]
        below = integer(beat_type.text)
        if below not in DENOMINATORS or not all(term and term > 0 for term in terms):
            return None
        total += Fraction(sum(filter(None, terms)), below)
        lowest = max(lowest, below)
    numerator = total * lowest
    if not 0 < numerator <= MAX_NUMERATOR:
        return None
    return int(numerator), lowest


def tempo(text: str | None) -> float | None:
    """Parses the attribute `tempo` of <sound>, in quarters per minute."""
    value = number(text)
    return float(value) if value is not None and 1 <= value <= MAX_QPM else None


def metronome(element: Element) -> float | None:
    """Returns the quarters per minute of <metronome>."""
    rate = _PER_MINUTE.search(element.findtext("per-minute") or "")
    unit = UNITS.get((element.findtext("beat-unit") or "").strip())
    if rate is None or unit is None:
        return None
    dots = len(element.findall("beat-unit-dot"))
    qpm = float(rate[0]) * unit * (2 - 0.5**dots)
    return qpm if 1 <= qpm <= MAX_QPM else None


def chord(element: Element, semitones: int, diatonic: int | None) -> str | None:
    """Returns the symbol of <harmony>, such as `F#m7(b5)/E`, as it sounds."""
    kind = (element.findtext("kind") or "").strip()
    if kind == "none":
        return "N.C."
    root = _chord_note(element.find("root"), "root", semitones, diatonic)
    degrees = [_degree(degree) for degree in element.findall("degree")]
    bass = element.find("bass")
    under = _chord_note(bass, "bass", semitones, diatonic)
    if root is None or kind not in KINDS or None in degrees:
        return None
    if bass is not None and under is None:
        return None
    added = "".join(f"({degree})" for degree in degrees)
    return root + KINDS[kind] + added + (f"/{under}" if under else "")


def _chord_note(
    element: Element | None, name: str, semitones: int, diatonic: int | None
) -> str | None:
    """Returns the name of the root or bass of a chord, transposed."""
    if element is None:
        return None
    step = (element.findtext(f"{name}-step") or "").strip()
    alter = integer(element.findtext(f"{name}-alter") or "0")
    if step not in STEPS or alter not in ALTERS:
        return None
    if not semitones:
        return step + ALTERS[alter]
    target = (STEPS[step] + alter + semitones) % 12
    if diatonic is None:
        return NAMES[target]
    letters = list(STEPS)
    letter = letters[(letters.index(step) + diatonic) % 7]
    sign = (target - STEPS[letter] + 6) % 12 - 6
    return letter + ALTERS[sign] if sign in ALTERS else NAMES[target]


def _degree(element: Element) -> str | None:
    """Returns an added, altered or omitted degree of a chord: `add9`, `#11`, `no3`."""
    value = integer(element.findtext("degree-value"))
    alter = ALTERS.get(integer(element.findtext("degree-alter") or "0") or 0)
    kind = (element.findtext("degree-type") or "").strip()
    if value is None or alter is None:
        return None
    if kind == "subtract":
        return f"no{value}"
    if kind == "add":
        return f"{alter or 'add'}{value}"
    return f"{alter}{value}" if kind == "alter" and alter else None


def instruments(score_part: Element | None) -> dict[str, Instrument]:
    """Returns the instruments of a <score-part> by id, the default first."""
    if score_part is None:
        return {"": Instrument()}
    found = {
        element.get("id", ""): changed_instrument(element, Instrument())
        for element in score_part.findall("midi-instrument")
    }
    return found or {"": Instrument()}


def changed_instrument(element: Element, before: Instrument) -> Instrument:
    """Returns the instrument after a <midi-instrument>, whose numbers count from 1."""
    program = integer(element.findtext("midi-program"))
    channel = integer(element.findtext("midi-channel"))
    drum = integer(element.findtext("midi-unpitched"))
    return Instrument(
        before.program if program is None or not 1 <= program <= 128 else program - 1,
        before.channel if channel is None else channel,
        before.drum if drum is None or not 1 <= drum <= 128 else drum - 1,
    )
