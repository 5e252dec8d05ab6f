"""What every codec is, and the reading and writing of protos that they share."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from zoo.data.codecs.grammar import BOUNDARY as BOUNDARY
from zoo.data.codecs.grammar import Grammar
from zoo.data.proto import QPM, TICKS, NoteSequence
from zoo.data.refusal import Refused

VELOCITY = 90


class Fit(NamedTuple):
    """A piece as an array, and what was done to make it one: `code: sentence`, one per remark."""

    array: np.ndarray
    notes: tuple[str, ...]


@runtime_checkable
class Codec(Protocol):
    """NoteSequence <-> array: a frozen dataclass, so that a checkpoint can store and restore it."""

    @property
    def vocab(self) -> int:
        """How many values an element of the array may take, 0 included."""

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encode and say what was done. Raises `Refused` where the piece does not fit."""

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """The array alone. Raises `Refused`."""

    def decode(self, array: np.ndarray) -> NoteSequence:
        """Music for any array of legal values; never raises on one."""

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch in range."""

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music higher or lower. Raises `Refused` out of `reach`."""

    def describe(self, token: int) -> str:
        """One value in words."""

    def grammar(self) -> Grammar | None:
        """Which streams of events are music; None where the arrays are frames."""


class Notes(NamedTuple):
    """The pitched notes of a piece as columns [n], by onset and, within one, from the top down."""

    onset: np.ndarray  # float64, in the unit the reader chose
    offset: np.ndarray
    pitch: np.ndarray  # int64, MIDI number
    velocity: np.ndarray
    track: np.ndarray  # one number per instrument, part and voice

    def take(self, index: np.ndarray) -> "Notes":
        return Notes(*(column[index] for column in self))


def read_notes(sequence: NoteSequence) -> tuple[Notes, list[str]]:
    """The pitched notes, times in seconds, and what was left out.

    Raises `Refused`: `empty` where no pitched note is left, `malformed` where a time or a pitch is
    none that music can have.
    """
    pitched = [x for x in sequence.notes if not x.is_drum]
    drums = len(sequence.notes) - len(pitched)
    if not pitched:
        raise Refused("empty", "It has drums only." if drums else "It has no notes.")
    notes = Notes(
        onset=np.array([x.start_time for x in pitched]),
        offset=np.array([x.end_time for x in pitched]),
        pitch=np.array([x.pitch for x in pitched]),
        velocity=np.array([x.velocity for x in pitched]),
        track=np.array(
            [((x.instrument << 20) + (x.part << 10) + x.voice) for x in pitched]
        ),
    )
    legal = (notes.onset >= 0) & (notes.onset <= notes.offset) & (notes.offset < np.inf)
    legal &= (notes.pitch >= 0) & (notes.pitch < 128)
    if not legal.all():
        raise Refused(
            "malformed", f"{np.sum(~legal)} notes have impossible times or pitches."
        )
    notes = notes.take(np.lexsort((-notes.pitch, notes.onset)))
    return notes, [f"drums: {drums} notes left out"] if drums else []


def losses(
    sequence: NoteSequence, notes: Notes, seconds: bool = False, bars: bool = True
) -> list[str]:
    """What of the piece a codec leaves behind: where not `seconds`, tempo and velocities; where
    not `bars`, the metre; repeats in any case."""
    said = []
    rates = sorted({round(x.qpm, 1) for x in sequence.tempos})
    if not seconds and rates not in ([], [QPM]):
        span = f"{rates[0]:g}" if len(rates) == 1 else f"{rates[0]:g} to {rates[-1]:g}"
        said.append(f"tempo: {span} quarters per minute left out")
    if not seconds and notes.velocity.min() != notes.velocity.max():
        said.append(
            f"velocities: {notes.velocity.min()} to {notes.velocity.max()} left out"
        )
    if not bars and sequence.time_signatures:
        said.append("metre: time signatures left out")
    if sequence.section_groups:
        said.append("repeats: taken as written, each section once")
    return said


def outside(pitch: np.ndarray, low: int, high: int) -> None:
    """Raise `Refused` where a pitch is not within low..high, naming what would fit."""
    least, most = int(pitch.min()), int(pitch.max())
    if low <= least and most <= high:
        return
    if most - least > high - low:
        cure = f"it spans {most - least} semitones, and no transposition would fit."
    else:
        cure = f"transposed by {low - least if least < low else high - most:+d} it would fit."
    raise Refused(
        "range", f"Pitches {least} to {most} leave the range {low} to {high}; {cure}"
    )


def blank(qpm: float = QPM) -> NoteSequence:
    """An empty sequence at one tempo."""
    sequence = NoteSequence(ticks_per_quarter=TICKS)
    sequence.tempos.add(qpm=qpm)
    return sequence


def write_notes(
    sequence: NoteSequence,
    columns: Iterable[tuple[float, float, int, int]],
    instrument: int = 0,
    program: int = 0,
) -> None:
    """Add notes given as (onset, offset, pitch, velocity), times in seconds."""
    for onset, offset, pitch, velocity in columns:
        sequence.notes.add(
            start_time=onset,
            end_time=offset,
            pitch=pitch,
            velocity=velocity,
            instrument=instrument,
            program=program,
        )
        sequence.total_time = max(sequence.total_time, offset)
