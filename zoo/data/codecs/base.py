"""What every codec is, and the reading and writing of protos that they share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from zoo.data.codecs.grammar import BOUNDARY as BOUNDARY
from zoo.data.codecs.grammar import Grammar
from zoo.data.proto import QPM, TICKS, NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError

VELOCITY = 90


class Fit(NamedTuple):
    """A piece as an array, and what was done to make it one: `code: sentence`, one per remark."""

    array: np.ndarray
    notes: tuple[str, ...]


@runtime_checkable
class Codec(Protocol):
    """Encodes a NoteSequence as an array, and decodes it.

    A codec is a frozen dataclass, so that a checkpoint can store and restore it.
    """

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

    # `BaseCodec` documents what follows, and has defaults

    @property
    def frame_shape(self) -> tuple[int, ...]: ...

    @property
    def monophonic(self) -> bool: ...

    @property
    def beat(self) -> int: ...

    @property
    def source(self) -> Any: ...

    @property
    def dimensions(self) -> Mapping[str, Any]: ...

    def prefix(self, array: np.ndarray) -> np.ndarray: ...

    def encode_primer(
        self, sequence: NoteSequence, missing: Sequence[str] = ()
    ) -> np.ndarray: ...

    def constraint(self, **values: str | int) -> np.ndarray: ...

    def region(
        self, array: np.ndarray, voices: Sequence[str], span: tuple[int, int]
    ) -> np.ndarray: ...

    def event_mask(self, rows: np.ndarray) -> np.ndarray: ...

    def corruptions(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]: ...


class BaseCodec:
    """Defaults of what codecs offer to samplers, tasks and evaluations.

    They are right for a codec of whole pieces: streams of events that BOUNDARY ends,
    or, with a `frame_shape`, rows of values at each step. Others override them.
    """

    frame_shape: ClassVar[
        tuple[int, ...]
    ] = ()  # of one step of an array; () for tokens
    monophonic: ClassVar[bool] = False  # phrases of a single melodic line

    @property
    def beat(self) -> int:
        """Steps of a quarter note, which crops are aligned to; 1 without a grid."""
        return 1

    @property
    def source(self: Any) -> Any:
        """The codec of the pieces that arrays are cut from; itself for whole pieces."""
        return self

    @property
    def dimensions(self: Any) -> Mapping[str, Any]:
        """The fields of a model family that the codec decides, by name."""
        return {"vocab": self.vocab}

    def prefix(self, array: np.ndarray) -> np.ndarray:
        """Returns an encoded piece without its end, so that it can be continued."""
        return array if self.frame_shape else array[array != BOUNDARY]

    def encode_primer(
        self: Any, sequence: NoteSequence, missing: Sequence[str] = ()
    ) -> np.ndarray:
        """Encodes a piece that is to be continued, or that lacks the voices `missing`.

        Raises:
          Refused: the piece does not fit.
        """
        return self.prefix(self.encode(sequence))

    def constraint(self, **values: str | int) -> np.ndarray:
        """Returns a row [k] with those values, and BOUNDARY where a value is free.

        Raises:
          UsageError: the codec has no such values.
        """
        raise UsageError(
            f"{type(self).__name__} has no {' or '.join(values)} to fix: leave it out, or "
            "load a model of the Compound codec, such as a SeqGAN."
        )

    def region(
        self, array: np.ndarray, voices: Sequence[str], span: tuple[int, int]
    ) -> np.ndarray:
        """Returns bool [t, ..], True for what a model rewrites of an encoded piece.

        Args:
          array: the piece.
          voices: names of the voices to rewrite; all by default.
          span: the first step to rewrite, and the step after the last.

        Raises:
          UsageError: the codec has no voices of those names.
        """
        if voices:
            raise UsageError(
                f"{type(self).__name__} has no separate voices: leave `rewrite` out."
            )
        return within(span, len(array))

    def event_mask(self, rows: np.ndarray) -> np.ndarray:
        """Returns bool [n, t], True for what is part of a piece in rows [n, t, ..].

        A stream of events is one up to and including its end; frames have no end.
        """
        return np.ones(rows.shape[:2], bool) if self.frame_shape else up_to_end(rows)

    def corruptions(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Returns copies of rows [n, t, ..] with their order destroyed, by name.

        They hold the same values, so that a critic can tell them from real ones by
        nothing but the order.
        """
        return {"mixed_notes": shuffled_steps(rows, rng)}


@runtime_checkable
class PhraseCodec(Protocol):
    """A codec of phrases of equal length, cut from the pieces of `source`."""

    bars: int
    metres: tuple[str, ...]

    @property
    def source(self) -> Any:
        """The codec of whole pieces."""

    @property
    def length(self) -> int:
        """Steps of a phrase."""

    @property
    def dimensions(self) -> Mapping[str, Any]: ...

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns the phrases of a piece that begin at every `stride`-th bar."""

    def adapted(self, sequence: NoteSequence) -> Fit:
        """Encodes the first phrase; pads or transposes a piece that does not fit."""


def within(span: tuple[int, int], length: int) -> np.ndarray:
    """Returns bool [length], True from the first step of `span` up to its last."""
    return np.isin(np.arange(length), range(*span))


def up_to_end(rows: np.ndarray) -> np.ndarray:
    """Returns bool [n, t], True up to and including the first step of BOUNDARY alone."""
    ends = (rows == BOUNDARY).reshape(*rows.shape[:2], -1).all(axis=2)
    return np.cumsum(ends, axis=1) - ends == 0


def shuffled_steps(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns rows [n, t, k] with the steps of each in random order, BOUNDARY last."""
    ended = (rows == BOUNDARY).all(axis=-1)
    keys = np.where(ended, np.arange(rows.shape[1]), rng.random(ended.shape) - 1)
    return np.take_along_axis(rows, keys.argsort(axis=1)[..., None], axis=1)


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
