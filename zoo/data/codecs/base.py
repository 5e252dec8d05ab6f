"""The interface of codecs, and the reading and writing of protos that they share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from zoo.data.bars import at_tempo, excerpt, main_tempo
from zoo.data.codecs.grammar import BOUNDARY as BOUNDARY
from zoo.data.codecs.grammar import Grammar
from zoo.data.proto import QPM, TICKS, NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError

VELOCITY = 90  # of decoded notes, in codecs that do not keep velocities


class Fit(NamedTuple):
    """An encoded piece, and remarks on what encoding changed or left out.

    Attributes:
      array: the encoded piece.
      remarks: one `code: sentence` for each change.
    """

    array: np.ndarray
    remarks: tuple[str, ...]


@runtime_checkable
class Codec(Protocol):
    """Encodes a NoteSequence as an array, and decodes it.

    A codec is a frozen dataclass, so that a checkpoint can store and restore it.
    """

    @property
    def vocab(self) -> int:
        """Number of values that an element of the array may have, 0 included."""

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece, with remarks on what was changed or left out.

        Raises:
          Refused: the piece cannot be encoded.
        """

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Returns the array of `fit` alone; raises Refused as `fit` does."""

    def decode(self, array: np.ndarray) -> NoteSequence:
        """Decodes any array of legal values, without raising."""

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions, in semitones, that keep all pitches in range."""

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes an encoded piece.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """

    def describe(self, token: int) -> str:
        """Returns the name of a value."""

    def grammar(self) -> Grammar | None:
        """Returns the grammar of legal streams of events, or None for frames."""

    # `BaseCodec` documents the following members, and defines their defaults.

    @property
    def frame_shape(self) -> tuple[int, ...]: ...

    @property
    def monophonic(self) -> bool: ...

    @property
    def voices(self) -> int | None: ...

    @property
    def lists_notes(self) -> bool: ...

    @property
    def beat(self) -> int: ...

    @property
    def source(self) -> Any: ...

    @property
    def dimensions(self) -> Mapping[str, Any]: ...

    def prefix(self, array: np.ndarray) -> np.ndarray: ...

    @property
    def lenient(self) -> Any: ...

    def fit_primer(
        self, sequence: NoteSequence, missing: Sequence[str] = ()
    ) -> Fit: ...

    def tail(
        self, array: np.ndarray, music: NoteSequence, start: float
    ) -> np.ndarray: ...

    def decode_like(self, array: np.ndarray, source: NoteSequence) -> NoteSequence: ...

    def constraint(self, **values: str | int) -> np.ndarray: ...

    def region(
        self, array: np.ndarray, voices: Sequence[str], span: tuple[int, int]
    ) -> np.ndarray: ...

    def event_mask(self, rows: np.ndarray) -> np.ndarray: ...

    def corruptions(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]: ...


class BaseCodec:
    """Default implementations of the members that samplers, tasks and evaluations use.

    They suit codecs of whole pieces: streams of events that end with BOUNDARY, or, with
    a `frame_shape`, a frame of values at each step. Other codecs override them.

    Attributes:
      frame_shape: shape of one step of an array; () for tokens.
      monophonic: whether the arrays are phrases of a single melodic line.
      voices: number of voices of every piece; None if there may be any number.
      lists_notes: whether a row is a note, and no time passes after the last one.
      sets_text: whether there is a `TextSetting` of the codec.
    """

    frame_shape: ClassVar[tuple[int, ...]] = ()
    monophonic: ClassVar[bool] = False
    voices: ClassVar[int | None] = None
    lists_notes: ClassVar[bool] = False
    sets_text: ClassVar[bool] = False

    @property
    def beat(self) -> int:
        """Steps of a quarter note, to which crops are aligned; 1 without a grid."""
        return 1

    @property
    def source(self: Any) -> Any:
        """The codec of whole pieces; the codec itself unless it encodes phrases."""
        return self

    @property
    def dimensions(self: Any) -> Mapping[str, Any]:
        """The fields of a model family that the codec determines, by name."""
        return {"vocab": self.vocab}

    def prefix(self, array: np.ndarray) -> np.ndarray:
        """Returns an encoded piece without its last BOUNDARY, to be continued."""
        return array if self.frame_shape else array[array != BOUNDARY]

    @property
    def lenient(self) -> Any:
        """The codec that reduces any chords to a line, if the codec reads lines."""
        return self

    def fit_primer(
        self: Any, sequence: NoteSequence, missing: Sequence[str] = ()
    ) -> Fit:
        """Encodes a piece that is to be continued, or that lacks the voices `missing`.

        A corpus is better without pieces of many chords; of a primer the upper line is
        taken, with a remark.

        Raises:
          Refused: the piece cannot be encoded.
        """
        array, remarks = fit_line(self, lambda codec: codec.fit(sequence))
        return Fit(self.prefix(array), remarks)

    def tail(
        self: Any, array: np.ndarray, music: NoteSequence, start: float
    ) -> np.ndarray:
        """Returns an encoded piece without its end, from a time on.

        A note that sounds then is struck there.

        Args:
          array: the encoded piece.
          music: the same, decoded.
          start: the time of a bar line of `music`, in seconds.

        Raises:
          Refused: the rest of the piece cannot be encoded.
        """
        return self.prefix(self.encode(excerpt(music, start)))

    def decode_like(self: Any, array: np.ndarray, source: NoteSequence) -> NoteSequence:
        """Decodes an array at the tempo of `source`, in its metres if it has none."""
        return at_tempo(self.decode(array), main_tempo(source))

    def constraint(self, **values: str | int) -> np.ndarray:
        """Returns a row [k] with the values to fix, and BOUNDARY in free columns.

        Raises:
          UsageError: the codec has no such values.
        """
        raise UsageError(
            f"{type(self).__name__} has no {' or '.join(values)} to fix: leave it out, "
            "or load a model of the Compound codec, such as a SeqGAN."
        )

    def region(
        self, array: np.ndarray, voices: Sequence[str], span: tuple[int, int]
    ) -> np.ndarray:
        """Returns bool [t, ..], True for the elements of a piece that are rewritten.

        Args:
          array: the encoded piece.
          voices: names of the voices to rewrite; if empty, all.
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
        """Returns bool [n, t], True for the steps of rows [n, t, ..] within a piece.

        A stream of events ends with its first BOUNDARY. Frames have no end.
        """
        return np.ones(rows.shape[:2], bool) if self.frame_shape else up_to_end(rows)

    def corruptions(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Returns copies of rows [n, t, ..] in a random order, by name of the shuffle.

        They contain the same values as the rows, so that a critic can distinguish them
        from real ones only by their order.
        """
        return {"mixed_notes": shuffled_steps(rows, rng)}


@runtime_checkable
class PhraseCodec(Protocol):
    """A codec of phrases of equal length, cropped from the pieces of `source`."""

    bars: int
    metres: tuple[str, ...]

    @property
    def source(self) -> Any:
        """The codec of whole pieces."""

    @property
    def length(self) -> int:
        """Number of steps in a phrase."""

    @property
    def dimensions(self) -> Mapping[str, Any]: ...

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns the phrases of a piece, one from every `stride`-th bar on."""

    def adapted(self, sequence: NoteSequence) -> Fit:
        """Encodes the first phrase; first pads or transposes a piece if necessary."""


def fit_line(codec: Any, fit: Callable[[Any], Fit]) -> Fit:
    """Returns `fit(codec)`; of chords that the codec refuses, the upper line."""
    try:
        return fit(codec)
    except Refused as refused:
        if refused.reason != "polyphonic":
            raise
        return fit(codec.lenient)


def within(span: tuple[int, int], length: int) -> np.ndarray:
    """Returns bool [length], True from the first step of `span` up to its last."""
    return np.isin(np.arange(length), range(*span))


def up_to_end(rows: np.ndarray) -> np.ndarray:
    """Returns bool [n, t], True up to and including the first step of all BOUNDARY."""
    ends = (rows == BOUNDARY).reshape(*rows.shape[:2], -1).all(axis=2)
    return np.cumsum(ends, axis=1) - ends == 0


def shuffled_steps(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns rows [n, t, k] with the steps of each in random order, BOUNDARY last."""
    ended = (rows == BOUNDARY).all(axis=-1)
    keys = np.where(ended, np.arange(rows.shape[1]), rng.random(ended.shape) - 1)
    return np.take_along_axis(rows, keys.argsort(axis=1)[..., None], axis=1)


class Notes(NamedTuple):
    """Pitched notes as columns [n], in order of onset, and from high to low in pitch.

    Attributes:
      onset: float64, in the unit of the function that returns them.
      offset: the same.
      pitch: int64, MIDI number.
      velocity: int64.
      track: one number for each combination of instrument, part and voice.
    """

    onset: np.ndarray
    offset: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    track: np.ndarray

    def take(self, index: np.ndarray) -> "Notes":
        """Returns the notes at `index`, which is of integers or of booleans."""
        return Notes(*(column[index] for column in self))


def read_notes(sequence: NoteSequence) -> tuple[Notes, list[str]]:
    """Reads the pitched notes of a piece, times in seconds; returns them with remarks.

    Raises:
      Refused: `empty`: it has no pitched notes; `malformed`: a note has an impossible
        time or pitch.
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


def discard_remarks(
    sequence: NoteSequence, notes: Notes, seconds: bool = False, bars: bool = True
) -> list[str]:
    """Returns remarks on properties of a piece that a codec discards.

    Repeats are never kept.

    Args:
      sequence: the piece.
      notes: its notes.
      seconds: whether the codec keeps time in seconds; then tempo and velocities are
        kept.
      bars: whether the codec keeps metres.
    """
    remarks = []
    rates = sorted({round(x.qpm, 1) for x in sequence.tempos})
    if not seconds and rates not in ([], [QPM]):
        span = f"{rates[0]:g}" if len(rates) == 1 else f"{rates[0]:g} to {rates[-1]:g}"
        remarks.append(f"tempo: {span} quarters per minute left out")
    if not seconds and notes.velocity.min() != notes.velocity.max():
        remarks.append(
            f"velocities: {notes.velocity.min()} to {notes.velocity.max()} left out"
        )
    if not bars and sequence.time_signatures:
        remarks.append("metre: time signatures left out")
    if sequence.section_groups:
        remarks.append("repeats: not expanded, each section is encoded once")
    return remarks


def require_in_range(pitch: np.ndarray, low: int, high: int) -> None:
    """Raises Refused (`range`) unless all pitches are within low..high."""
    lowest, highest = int(pitch.min()), int(pitch.max())
    if low <= lowest and highest <= high:
        return
    if highest - lowest > high - low:
        advice = (
            f"it spans {highest - lowest} semitones, and no transposition would fit."
        )
    else:
        semitones = low - lowest if lowest < low else high - highest
        advice = f"transposed by {semitones:+d} it would fit."
    raise Refused(
        "range",
        f"Pitches {lowest} to {highest} leave the range {low} to {high}; {advice}",
    )


def require_pitch_range(low: int, high: int) -> None:
    """Raises UsageError unless low..high is a range of MIDI pitches."""
    if not 0 <= low <= high <= 127:
        raise UsageError(
            f"pitches {low} to {high} are not a range: choose 0 <= low <= high <= 127."
        )


def empty_sequence(qpm: float = QPM) -> NoteSequence:
    """Returns a sequence with one tempo and no notes."""
    sequence = NoteSequence(ticks_per_quarter=TICKS)
    sequence.tempos.add(qpm=qpm)
    return sequence


def write_notes(
    sequence: NoteSequence,
    columns: Iterable[tuple[float, float, int, int]],
    instrument: int = 0,
    program: int = 0,
) -> None:
    """Adds notes to a sequence.

    Args:
      sequence: the sequence.
      columns: (onset, offset, pitch, velocity) of each note, times in seconds.
      instrument: number of the instrument.
      program: General MIDI program, counted from 0.
    """
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
