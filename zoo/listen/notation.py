"""A NoteSequence as notation sees it: bars of chords and rests with values, spelled in a key.

Time is counted in ticks, twelve to the quarter, so that sixteenths and triplets are both whole
numbers. Notation is an approximation by nature: onsets snap to the nearest sixteenth or triplet,
a note ends at the latest where its voice's next one begins, and the notes of one voice that begin
together are one chord.
"""

import dataclasses
import itertools

import numpy as np

from zoo.data.proto import NoteSequence, metres, quarters
from zoo.listen.timeline import Voice, bars, voices

QUARTER = 12
PLACES = np.array([0, 3, 4, 6, 8, 9, 12])  # where in a quarter a note may begin or end
VALUES = (
    48,
    36,
    24,
    18,
    16,
    12,
    9,
    8,
    6,
    4,
    3,
)  # whole ... sixteenth, dots and triplets between
MODES = {
    1: -3,
    3: -1,
    4: -2,
    5: -4,
    6: 1,
    7: -5,
}  # of the proto, by fifths away from major
LETTERS = "FCGDAEB"  # in the order of fifths


@dataclasses.dataclass(frozen=True)
class Head:
    """A written pitch: `step` counts letters from C0 (middle C is 28), `alter` is -1, 0, 1, ..."""

    step: int
    alter: int
    shown: int | None = None  # the accidental to print, if any


@dataclasses.dataclass(frozen=True)
class Event:
    """A chord, or a rest where it has no heads, at `start` ticks for a `value` in `VALUES`."""

    start: int
    value: int
    heads: tuple[Head, ...] = ()
    tied: bool = False  # to the next event of the voice


@dataclasses.dataclass(frozen=True)
class Bar:
    start: int
    end: int
    metre: tuple[int, int]
    stated: bool  # the metre is new and so is printed
    parts: tuple[tuple[Event, ...], ...]  # one for each voice


@dataclasses.dataclass(frozen=True)
class Notation:
    fifths: int  # sharps in the key signature, or minus its flats
    bass: tuple[bool, ...]  # for each voice, whether it reads in the bass clef
    bars: tuple[Bar, ...]


def notate(sequence: NoteSequence, most_bars: int) -> Notation:
    """Reads up to `most_bars` bars; the clef follows each voice's median pitch."""
    parts = voices(sequence)
    beats = quarters(sequence)
    fifths = key(sequence)
    edges = [round(QUARTER * x) for x in bars(sequence)[: most_bars + 1]]
    lines = [_chords(part, beats) for part in parts]
    signatures = {
        round(QUARTER * m.start): (m.numerator, m.denominator) for m in metres(sequence)
    }
    metre, written = (0, 0), []
    for start, end in itertools.pairwise(edges):
        before, metre = metre, signatures.get(start, metre)
        filled = tuple(_spell(_fill(line, start, end), fifths) for line in lines)
        written.append(Bar(start, end, metre, metre != before, filled))
    return Notation(
        fifths,
        tuple(np.median([n.pitch for n in p]) < 59 for p in parts),
        tuple(written),
    )


def key(sequence: NoteSequence) -> int:
    """Sharps, or minus the flats: of the stated key, or of the one with fewest accidentals."""
    if sequence.key_signatures:
        stated = sequence.key_signatures[0]
        return (7 * stated.key + MODES.get(stated.mode, 0) + 5) % 12 - 5
    counts = np.bincount(
        [n.pitch % 12 for n in sequence.notes if not n.is_drum], minlength=12
    )
    by_fifths = counts[np.arange(12) * 7 % 12]  # C, G, D, ...

    def inside(sharps: int) -> int:
        return int(by_fifths[(np.arange(-1, 6) + sharps) % 12].sum())

    return max(range(-5, 7), key=lambda sharps: (inside(sharps), -abs(sharps)))


def spell(pitch: int, fifths: int) -> tuple[int, int]:
    """(step, alter) of a MIDI pitch: its name from the twelve fifths that surround the key."""
    low = fifths - 3  # in C: E flat, B flat, F, ..., G sharp
    place = low + (pitch * 7 - low) % 12  # on the line of fifths, C being 0
    alter, letter = divmod(place + 1, 7)
    step = "CDEFGAB".index(LETTERS[letter])
    return step + 7 * ((pitch - alter) // 12 - 1), alter


def _chords(voice: Voice, beats) -> list[tuple[int, int, frozenset[int]]]:
    """(start, end, pitches) of a voice, in ticks, without overlap."""
    times = beats(np.array([(n.start_time, n.end_time) for n in voice]))
    whole, rest = np.divmod(times * QUARTER, QUARTER)
    ticks = whole * QUARTER + PLACES[np.abs(rest[..., None] - PLACES).argmin(-1)]
    found: dict[int, tuple[int, set[int]]] = {}
    for (start, end), note in zip(ticks.astype(int).tolist(), voice, strict=True):
        longest, pitches = found.get(start, (0, set()))
        found[start] = max(longest, end, start + 3), pitches | {note.pitch}
    onsets = sorted(found)
    nexts = [*onsets[1:], found[onsets[-1]][0]]
    return [
        (start, min(found[start][0], after), frozenset(found[start][1]))
        for start, after in zip(onsets, nexts, strict=True)
    ]


def _fill(
    line: list, start: int, end: int
) -> list[tuple[int, int, frozenset[int], bool]]:
    """(start, value, pitches, tied) of one bar, rests in the gaps, long notes split and tied."""
    out: list[tuple[int, int, frozenset[int], bool]] = []
    at = start
    for onset, offset, pitches in [*line, (end, end, frozenset())]:
        begin, stop = max(onset, start), min(offset, end)
        if begin > end or (stop <= begin and onset != end):
            continue
        out += [(s, v, frozenset(), False) for s, v in _values(at, begin)]
        pieces = _values(begin, stop)
        for i, (s, v) in enumerate(pieces):
            out.append((s, v, pitches, i + 1 < len(pieces) or offset > end))
        at = max(at, stop)
    return out


def _values(start: int, end: int) -> list[tuple[int, int]]:
    """Splits a span into written values, largest first; what no value can write is let go."""
    out: list[tuple[int, int]] = []
    while end - start >= 3 or (end > start and not out):
        left = end - start
        exact = [v for v in VALUES if v <= left and (v % 3 == 0) == (left % 3 == 0)]
        value = left if left in VALUES else next(iter(exact or [3]))
        out.append((start, value))
        start += value
    return out


def _spell(events: list, fifths: int) -> tuple[Event, ...]:
    """Adds the accidentals that the key signature and the bar so far leave to be said."""
    alters = {"CDEFGAB".index(letter): 0 for letter in LETTERS}
    signature = (
        LETTERS[:fifths] if fifths > 0 else LETTERS[7 + fifths :] if fifths else ""
    )
    alters |= {"CDEFGAB".index(letter): 1 if fifths > 0 else -1 for letter in signature}
    said: dict[int, int] = {}
    out = []
    for start, value, pitches, tied in events:
        heads = []
        for pitch in sorted(pitches):
            step, alter = spell(pitch, fifths)
            known = said.get(step, alters[step % 7])
            heads.append(Head(step, alter, None if alter == known else alter))
            said[step] = alter
        out.append(Event(start, value, tuple(heads), tied))
    return tuple(out)
