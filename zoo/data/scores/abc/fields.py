"""The ABC fields that affect the notes: K, L, M, Q and V (standard 2.1, section 3.1).

Words of K, Q and V that are not understood are left out.
"""

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
    *("treble", "bass", "alto", "tenor", "perc", "clef", "none"),
    *("soprano", "mezzo", "baritone"),
)
# Properties of K and V that only affect how a score is printed.
PRINTED = (
    *("middle", "m", "stafflines", "staffscale", "name", "nm", "subname", "sname"),
    *("snm", "stem", "gstem", "dyn", "lyrics", "gchord", "cue", "style", "merge"),
)
ALTER = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

_TONIC = re.compile(r"([A-G])(?:([#b♯♭n])|[ -]?(flat|sharp)\b)?( *)([A-Za-z]*)")
_PROPERTY = re.compile(
    rf'\b(octave|transpose|clef|{"|".join(PRINTED)})\s*=\s*("[^"]*"|[^\s"]+)'
)
_SHIFT = re.compile(r"[+-]?\d{1,2}")
_CLEF = re.compile(rf"(?:{'|'.join(CLEFS)})\w*(?P<octaves>[+-](?:8|15))?")
_ALTERED = re.compile(r"(?:(?:\^\^|\^|__|_|=)[A-Ga-g])+")
_METRE = re.compile(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3})*)\)?\s*/\s*(\d{1,3})\]?")
_BEATS = r"(?P<beats>\d{1,3}/\d{1,3}(?:\s+\d{1,3}/\d{1,3})*)|C(?P<units>\d{0,3})"
_RATE = r"(?P<rate>\d{1,4}(?:\.\d+)?)(?![\d/])"
_TEMPO = re.compile(rf"(?:{_BEATS})\s*=\s*(?:(?:ca?|about)\b\.?\s*)?{_RATE}")
_BARE_TEMPO = re.compile(rf"=?\s*{_RATE}")  # in units of the L field


class Key(NamedTuple):
    """A key signature."""

    alter: dict[str, int]  # accidental of each letter, in semitones
    tonic: int | None = None  # pitch class
    mode: str = "NOT_SPECIFIED"


class Transposition(NamedTuple):
    """The interval from the written to the sounding notes of a voice.

    Attributes:
      clef: octaves of the clef, such as -1 of `treble-8`.
      octave: octaves of the property `octave`, which precede those of the clef.
      semitones: the property `transpose`.
    """

    clef: int = 0
    octave: int | None = None
    semitones: int = 0

    @property
    def shift(self) -> int:
        """The sum, in semitones."""
        octaves = self.clef if self.octave is None else self.octave
        return 12 * octaves + self.semitones

    def changed(self, text: str, of_voice: bool) -> "Transposition":
        """Returns the transposition after a field, as abc2midi has it.

        Args:
          text: the field; a clef may lack its `clef=`.
          of_voice: whether it is a V field, whose clef replaces an earlier `octave`.
        """
        named = dict(_PROPERTY.findall(text))
        clef = named.get("clef", "")
        words = _PROPERTY.sub("", re.sub(r'"[^"]*"', "", text)).split()
        words = [word for word in words if word != "none"]  # a key
        result = self
        for match in filter(None, map(_CLEF.fullmatch, [f"clef{clef}", *words])):
            octaves = _octaves(match["octaves"] or "")
            if clef or match[0] != "clef":
                result = result._replace(clef=octaves)
                if octaves or of_voice:
                    result = result._replace(octave=None)
        if _SHIFT.fullmatch(named.get("octave", "")):
            result = result._replace(octave=int(named["octave"]))
        if _SHIFT.fullmatch(named.get("transpose", "")):
            result = result._replace(semitones=int(named["transpose"]))
        return result


def _octaves(sign: str) -> int:
    """Parses the sign of an octave clef: "-8" is -1, "+15" is 2."""
    octaves = {"8": 1, "15": 2}.get(sign[1:], 0)
    return -octaves if sign.startswith("-") else octaves


def key(text: str) -> tuple[Key | None, int]:
    """Parses a K field.

    Returns:
      The key, None if the field only has other properties, and the number of words that
      are not understood.
    """
    if not text:
        return Key({}), 0
    return _key(_PROPERTY.sub("", text).strip(), bool(_PROPERTY.search(text)))


def _key(text: str, properties: bool) -> tuple[Key | None, int]:
    if not text and properties:
        return None, 0
    head = text.split(maxsplit=1)[0] if text.strip() else "none"
    if head in ("HP", "none"):
        return Key({}, None), _unknown(text[len(head) :])
    if head == "Hp":
        return Key({"F": 1, "C": 1}, None), _unknown(text[len(head) :])
    match = _TONIC.match(text)
    if match is None:
        if _ALTERED.match(text):
            return Key(_explicit_accidentals(text)), _unknown(text)
        if head.lower().startswith(CLEFS) or "=" in head:
            return None, _unknown(text)
        raise Refused("abc-key", f"the key `{text}` is not valid ABC")
    letter, sign, spelled, space, word = match.groups()
    mode = word[:3].lower()
    rest = text[match.end() :]
    if mode not in MODES:
        if word and not space and not word.lower().startswith((*CLEFS, "exp")):
            raise Refused("abc-key", f"the key `{text}` is not valid ABC")
        mode, rest = "", text[match.start(5) :]
    shift, name = MODES[mode]
    raised = {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(sign, 0)
    raised = {"sharp": 1, "flat": -1}.get(spelled, raised)
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
    tonic = (7 * (FIFTHS[letter] + 7 * raised)) % 12
    return Key(alter, tonic, name), _unknown(rest)


def _unknown(text: str) -> int:
    """Returns how many words after a key are neither accidentals nor clefs."""
    words = text.lower().split()
    known = (_ALTERED.fullmatch, _CLEF.fullmatch, re.compile("exp").fullmatch)
    return sum(not any(matches(word) for matches in known) for word in words)


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


def tempo(text: str, length: Fraction) -> tuple[float | None, bool]:
    """Parses a Q field. A rate without a beat counts units of `length`.

    Returns:
      Quarters per minute, None without a valid rate, and whether all of the field was
      understood. Words in quotes are.
    """
    rate = re.sub(r'"[^"]*"', "", text).strip()
    if not rate:
        return None, True
    match = _TEMPO.search(rate) or _BARE_TEMPO.match(rate)
    if match is None:
        return None, False
    parts = match.groupdict()
    beat = length * int(parts.get("units") or 1)
    if parts.get("beats"):
        fractions = [tuple(map(int, x.split("/"))) for x in parts["beats"].split()]
        if not all(denominator for _, denominator in fractions):
            return None, False
        beat = sum((Fraction(*x) for x in fractions), Fraction(0))
    qpm = float(4 * beat) * float(parts["rate"])
    if not 1 <= qpm <= 10_000:
        return None, False
    return qpm, match[0] == rate
