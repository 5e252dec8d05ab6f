"""The ABC fields that affect the notes: K, L, M and Q (standard 2.1, section 3.1)."""

import re
from fractions import Fraction
from typing import NamedTuple

from zoo.data.refusal import Refused

SHARPS = "FCGDAEB"
FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
MODES = {  # shift in fifths from the major key of the same tonic, and note_seq's name
    "": (0, "MAJOR"),
    "maj": (0, "MAJOR"),
    "ion": (0, "MAJOR"),
    "mix": (-1, "MIXOLYDIAN"),
    "dor": (-2, "DORIAN"),
    "m": (-3, "MINOR"),
    "min": (-3, "MINOR"),
    "aeo": (-3, "MINOR"),
    "phr": (-4, "PHRYGIAN"),
    "loc": (-5, "LOCRIAN"),
    "lyd": (1, "LYDIAN"),
}
CLEFS = (
    "treble",
    "bass",
    "alto",
    "tenor",
    "perc",
    "clef",
    "none",
    "soprano",
    "mezzo",
    "baritone",
)
ALTER = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

_TONIC = re.compile(r"([A-G])([#b♯♭n]?)\s*([A-Za-z]*)")
_SHIFT = re.compile(r"\b(octave|transpose)=([+-]?\d{1,2})\b")
_ALTERED = re.compile(r"(?:(?:\^\^|\^|__|_|=)[A-Ga-g])+")
_METRE = re.compile(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3})*)\)?\s*/\s*(\d{1,3})\]?")
_TEMPO = re.compile(
    r"(?:(?P<beats>\d{1,3}/\d{1,3}(?:\s+\d{1,3}/\d{1,3})*)|C(?P<units>\d{0,3}))?"
    r"\s*=?\s*(?P<rate>\d{1,4}(?:\.\d+)?)"
)


class Key(NamedTuple):
    """A key signature."""

    alter: dict[str, int]  # accidental of each letter, in semitones
    tonic: int | None = None  # pitch class
    mode: str = "NOT_SPECIFIED"
    shift: int = 0  # semitones from written to sounding pitch


def key(text: str) -> Key | None:
    """Parses a K field. Returns None if it only names a clef."""
    shift = sum(
        int(by) * (12 if name == "octave" else 1) for name, by in _SHIFT.findall(text)
    )
    written = _key(_SHIFT.sub("", text).strip()) if text else Key({})
    return written and written._replace(shift=shift)


def _key(text: str) -> Key | None:
    head = text.split(maxsplit=1)[0] if text.strip() else "none"
    if head in ("HP", "none"):
        return Key({}, None)
    if head == "Hp":
        return Key({"F": 1, "C": 1}, None)
    match = _TONIC.match(text)
    if match is None:
        if _ALTERED.match(text):
            return Key(_explicit_accidentals(text))
        if head.lower().startswith(CLEFS) or "=" in head:
            return None
        raise Refused("abc-key", f"the key `{text}` is not valid ABC")
    letter, sign, word = match.groups()
    mode = word[:3].lower()
    rest = text[match.end() :]
    if mode not in MODES:
        if not word.lower().startswith((*CLEFS, "exp")):
            raise Refused("abc-key", f"the key `{text}` is not valid ABC")
        mode, rest = "", text[match.start(3) :]
    shift, name = MODES[mode]
    raised = {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(sign, 0)
    fifths = FIFTHS[letter] + 7 * raised + shift
    if abs(fifths) > 7:
        raise Refused("abc-key", f"the key `{text}` has more than seven accidentals")
    alter = (
        dict.fromkeys(SHARPS[:fifths], 1)
        if fifths > 0
        else dict.fromkeys(SHARPS[fifths:], -1)
    )
    if "exp" in rest.split() or not fifths:
        alter = {}
    alter |= _explicit_accidentals(rest)
    return Key(alter, (7 * (FIFTHS[letter] + 7 * raised)) % 12, name)


def _explicit_accidentals(text: str) -> dict[str, int]:
    """Parses the accidentals that follow a key, as in `^f _b`."""
    accidentals = {}
    for word in filter(_ALTERED.fullmatch, text.split()):
        for sign, letter in re.findall(r"(\^\^|\^|__|_|=)([A-Ga-g])", word):
            accidentals[letter.upper()] = ALTER[sign]
    return accidentals


def metre(text: str) -> tuple[int, int] | None:
    """Parses an M field to numerator and denominator; None is free metre."""
    if text in ("", "none"):
        return None
    if text in ("C", "c"):
        return 4, 4
    if text in ("C|", "c|"):
        return 2, 2
    match = _METRE.fullmatch(text)
    numerator = sum(map(int, match[1].split("+"))) if match else 0
    denominator = int(match[2]) if match else 0
    if not numerator or denominator not in (1, 2, 4, 8, 16, 32, 64):
        raise Refused("abc-metre", f"the metre `{text}` is not valid ABC")
    return numerator, denominator


def unit(text: str) -> Fraction:
    """Parses an L field to the unit length, in whole notes."""
    match = re.fullmatch(r"(\d{1,3})\s*(?:/\s*(\d{1,3}))?", text)
    if match is None or not int(match[1]) or not int(match[2] or 1):
        raise Refused("abc-length", f"the unit length `{text}` is not a fraction")
    return Fraction(int(match[1]), int(match[2] or 1))


def tempo(text: str, length: Fraction) -> float | None:
    """Parses a Q field to quarters per minute; None if it only has words.

    A rate without a beat counts units of `length`.
    """
    rate = re.sub(r'"[^"]*"', "", text).strip()
    if not rate:
        return None
    match = _TEMPO.fullmatch(rate)
    if match is None:
        raise Refused("abc-tempo", f"the tempo `{text}` is not valid ABC")
    beat = length * int(match["units"] or 1)
    if match["beats"]:
        fractions = [tuple(map(int, x.split("/"))) for x in match["beats"].split()]
        if not all(denominator for _, denominator in fractions):
            raise Refused("abc-tempo", f"the tempo `{text}` divides by zero")
        beat = sum((Fraction(*x) for x in fractions), Fraction(0))
    qpm = float(4 * beat) * float(match["rate"])
    if not 1 <= qpm <= 10_000:
        raise Refused("abc-tempo", f"the tempo `{text}` is {qpm:g} quarters per minute")
    return qpm
