"""Conversion of a NoteSequence to notation: bars of chords and rests, spelled in a key.

Time is counted in ticks, twelve per quarter, so that sixteenths and triplets are whole
numbers. Onsets are quantised to the nearest sixteenth or triplet. A note ends no later
than the next onset of its voice. Notes of a voice with the same onset are one chord.
"""

import dataclasses
import itertools

import numpy as np

from zoo.data.proto import NoteSequence, metres, quarters
from zoo.listen.timeline import Voice, bars, voices

QUARTER = 12
SIXTEENTH = 3
GRID = np.array([0, 3, 4, 6, 8, 9, 12])  # ticks of onsets and offsets in a quarter
# from a whole note to a sixteenth, including dotted and triplet values
VALUES = (48, 36, 24, 18, 16, 12, 9, 8, 6, 4, 3)
# fifths between a mode of the proto and the major mode on the same tonic
MODES = {1: -3, 3: -1, 4: -2, 5: -4, 6: 1, 7: -5}
LETTERS = "FCGDAEB"  # in the order of fifths
BASS_CLEF_BELOW = 59  # median pitch


@dataclasses.dataclass(frozen=True)
class Head:
    """A notehead.

    Attributes:
      step: number of letters above C0 (middle C is 28).
      alter: -1 for a flat, 1 for a sharp.
      shown: the accidental to print, if any.
    """

    step: int
    alter: int
    shown: int | None = None


@dataclasses.dataclass(frozen=True)
class Event:
    """A chord, or a rest if it has no heads.

    Attributes:
      start: onset in ticks.
      value: duration in ticks, one of `VALUES`.
      heads: the noteheads.
      tied: whether it is tied to the next event of the voice.
    """

    start: int
    value: int
    heads: tuple[Head, ...] = ()
    _: dataclasses.KW_ONLY
    tied: bool = False


@dataclasses.dataclass(frozen=True)
class Bar:
    """A bar of music.

    Attributes:
      start: onset in ticks.
      end: offset in ticks.
      metre: the time signature (numerator, denominator).
      stated: whether the time signature is printed, because it is new.
      parts: the events of each voice.
    """

    start: int
    end: int
    metre: tuple[int, int]
    _: dataclasses.KW_ONLY
    stated: bool
    parts: tuple[tuple[Event, ...], ...]


@dataclasses.dataclass(frozen=True)
class Notation:
    """A score.

    Attributes:
      fifths: number of sharps in the key signature; negative for flats.
      bass: whether each voice uses the bass clef.
      bars: the bars.
    """

    fifths: int
    bass: tuple[bool, ...]
    bars: tuple[Bar, ...]


def notate(sequence: NoteSequence, max_bars: int) -> Notation:
    """Converts up to `max_bars` bars. The median pitch of a voice decides its clef."""
    parts = voices(sequence)
    beats = quarters(sequence)
    fifths = key(sequence)
    edges = [round(QUARTER * x) for x in bars(sequence)[: max_bars + 1]]
    lines = [_chords(part, beats) for part in parts]
    signatures = {
        round(QUARTER * m.start): (m.numerator, m.denominator) for m in metres(sequence)
    }
    metre, written = (0, 0), []
    for start, end in itertools.pairwise(edges):
        previous, metre = metre, signatures.get(start, metre)
        events = tuple(_spell(_fill(line, start, end), fifths) for line in lines)
        written.append(Bar(start, end, metre, stated=metre != previous, parts=events))
    medians = [np.median([note.pitch for note in part]) for part in parts]
    bass = tuple(bool(median < BASS_CLEF_BELOW) for median in medians)
    return Notation(fifths, bass, tuple(written))


def key(sequence: NoteSequence) -> int:
    """Returns the sharps of the key signature; negative for flats.

    The key is the stated one, or the one with the fewest accidentals.
    """
    if sequence.key_signatures:
        stated = sequence.key_signatures[0]
        return (7 * stated.key + MODES.get(stated.mode, 0) + 5) % 12 - 5
    counts = np.bincount(
        [n.pitch % 12 for n in sequence.notes if not n.is_drum], minlength=12
    )
    by_fifths = counts[np.arange(12) * 7 % 12]  # C, G, D, ...

    def diatonic(sharps: int) -> int:
        return int(by_fifths[(np.arange(-1, 6) + sharps) % 12].sum())

    return max(range(-5, 7), key=lambda sharps: (diatonic(sharps), -abs(sharps)))


def spell(pitch: int, fifths: int) -> tuple[int, int]:
    """Returns (step, alter) of a MIDI pitch, within twelve fifths around the key."""
    low = fifths - 3  # in C: E flat, B flat, F, ..., G sharp
    place = low + (pitch * 7 - low) % 12  # on the line of fifths, C being 0
    alter, letter = divmod(place + 1, 7)
    step = "CDEFGAB".index(LETTERS[letter])
    return step + 7 * ((pitch - alter) // 12 - 1), alter


def _chords(voice: Voice, beats) -> list[tuple[int, int, frozenset[int]]]:
    """Returns (start, end, pitches) of a voice, in ticks, without overlaps."""
    times = beats(np.array([(n.start_time, n.end_time) for n in voice]))
    whole, rest = np.divmod(times * QUARTER, QUARTER)
    ticks = whole * QUARTER + GRID[np.abs(rest[..., None] - GRID).argmin(-1)]
    chords: dict[int, tuple[int, set[int]]] = {}
    for (start, end), note in zip(ticks.astype(int).tolist(), voice, strict=True):
        longest, pitches = chords.get(start, (0, set()))
        chords[start] = max(longest, end, start + SIXTEENTH), pitches | {note.pitch}
    onsets = sorted(chords)
    nexts = [*onsets[1:], chords[onsets[-1]][0]]
    return [
        (start, min(chords[start][0], after), frozenset(chords[start][1]))
        for start, after in zip(onsets, nexts, strict=True)
    ]


def _fill(
    line: list, start: int, end: int
) -> list[tuple[int, int, frozenset[int], bool]]:
    """Returns (start, value, pitches, tied) of a bar, with rests and split notes."""
    out: list[tuple[int, int, frozenset[int], bool]] = []
    position = start
    for onset, offset, pitches in [*line, (end, end, frozenset())]:
        begin, stop = max(onset, start), min(offset, end)
        if begin > end or (stop <= begin and onset != end):
            continue
        out += [(s, v, frozenset(), False) for s, v in _values(position, begin)]
        pieces = _values(begin, stop)
        for i, (s, v) in enumerate(pieces):
            out.append((s, v, pitches, i + 1 < len(pieces) or offset > end))
        position = max(position, stop)
    return out


def _values(start: int, end: int) -> list[tuple[int, int]]:
    """Splits a span into values, largest first. Drops a remainder below 3 ticks."""
    out: list[tuple[int, int]] = []
    while end - start >= SIXTEENTH or (end > start and not out):
        left = end - start
        exact = [v for v in VALUES if v <= left and (v % 3 == 0) == (left % 3 == 0)]
        value = left if left in VALUES else next(iter(exact or [SIXTEENTH]))
        out.append((start, value))
        start += value
    return out


def _spell(events: list, fifths: int) -> tuple[Event, ...]:
    """Spells pitches, with the accidentals that key signature and bar require."""
    alters = {"CDEFGAB".index(letter): 0 for letter in LETTERS}
    signature = (
        LETTERS[:fifths] if fifths > 0 else LETTERS[7 + fifths :] if fifths else ""
    )
    for letter in signature:
        alters["CDEFGAB".index(letter)] = 1 if fifths > 0 else -1
    in_force: dict[int, int] = {}
    out = []
    for start, value, pitches, tied in events:
        heads = []
        for pitch in sorted(pitches):
            step, alter = spell(pitch, fifths)
            implied = in_force.get(step, alters[step % 7])
            heads.append(Head(step, alter, None if alter == implied else alter))
            in_force[step] = alter
        out.append(Event(start, value, tuple(heads), tied=tied))
    return tuple(out)
