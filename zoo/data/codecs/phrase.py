"""So many full bars, always of one length: what a model reads as a whole."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from zoo.data.codecs.base import BOUNDARY, BaseCodec, Fit
from zoo.data.codecs.chorale import CHOIR, VOICES, Chorale
from zoo.data.codecs.grammar import Grammar, explore
from zoo.data.codecs.melody import Melody
from zoo.data.codecs.steps import HOLD, METRE, REST
from zoo.data.proto import QPM, NoteSequence, seconds
from zoo.data.refusal import Refused
from zoo.errors import UsageError

PITCH = METRE  # the token of the lowest pitch: where a Melody has its metres


class At(NamedTuple):
    """Where a phrase stands: how many steps are written, and of what."""

    step: int = 0
    sounding: bool = False
    noted: bool = False


@dataclass(frozen=True)
class Excerpt(BaseCodec, ABC):
    """What `Phrase` and `Quartet` share: phrases as tokens, one per step and voice and no other.

    Tokens: 0 BOUNDARY, which no phrase has, 1 HOLD, 2 REST, then one to strike each pitch
    low..high. A note held from before is struck anew where a phrase begins. Bars are those of the
    first metre, which all are decoded in: in 2/4, two of its bars are one of 4/4.

    Raises:
      UsageError: `metres` whose bars do not make up one of the first, and what `source` raises.
    """

    voices: ClassVar[int] = 1

    bars: int = 2
    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    low: int = 36
    high: int = 96
    steps_per_quarter: int = 4
    off_grid: float = 0.25
    chords: float = 0.1

    def __post_init__(self):
        if any(self.bar % length for length in self._lengths):
            raise UsageError(
                f"bars of {', '.join(self.metres)} do not make up bars of {self.metres[0]}, as in "
                "phrases they must: choose metres that do, and train another model for the others."
            )

    @property
    @abstractmethod
    def source(self) -> Melody | Chorale:  # type: ignore[override]
        """The codec of the pieces that phrases are cut from."""

    @property
    def _range(self) -> tuple[int, int, int, tuple[str, ...], float, float]:
        """The fields that `source` has too."""
        grain = self.steps_per_quarter, self.metres, self.off_grid, self.chords
        return (self.low, self.high, *grain)

    @functools.cached_property
    def _lengths(self) -> list[int]:
        """Steps of a bar of each metre."""
        lengths = self.source.bar_lengths()
        return [int(lengths[METRE + i]) for i in range(len(self.metres))]

    @property
    def bar(self) -> int:
        """Steps of a bar."""
        return self._lengths[0]

    @property
    def length(self) -> int:
        """Steps of a phrase."""
        return self.bars * self.bar

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def dimensions(self) -> Mapping[str, Any]:
        sizes = {"bars": self.bars, "steps": self.bar, "voices": self.voices}
        return {"vocab": self.vocab, "length": self.length, **sizes}

    @property
    def vocab(self) -> int:
        return PITCH + self.high - self.low + 1

    def fit(self, sequence: NoteSequence) -> Fit:
        """The first phrase, and what was done. Raises `Refused` as `source` does, and `short`."""
        phrases, notes = self._windows(sequence)
        found = f"cropped: the first of {len(phrases)} windows of {self.bars} bars"
        return Fit(phrases[0], (*notes, found))

    def phrases(self, sequence: NoteSequence) -> np.ndarray:
        """A piece phrase after phrase, int32 [n, length, ..]. Raises `Refused` as `fit` does."""
        return np.stack(self._windows(sequence, self.bars)[0])

    def _windows(
        self, sequence: NoteSequence, stride: int = 1
    ) -> tuple[list[np.ndarray], tuple[str, ...]]:
        """The `crops` of a piece, one at least, and what was done to it."""
        try:
            stream, notes = self.source.fit(sequence)
        except Refused as refused:
            if refused.reason != "metre":
                raise
            # to add a metre is no cure here: its bars are of another length
            bar, kinds = refused.detail.partition(";")[0], " or ".join(self.metres)
            raise Refused(
                "metre",
                f"{bar}. Phrases are of {kinds}: other metres need a model of their own.",
            ) from refused
        phrases = self.crops(stream, stride)
        if not phrases:
            bars = f"{self.bars} full bars of {self.metres[0]} in a row with a note"
            raise Refused("short", f"It has no {bars}.")
        return phrases, notes

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """The first phrase. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def adapted(self, sequence: NoteSequence) -> Fit:
        """As `fit`; a piece too short is filled with rests, and one out of range moved into it."""
        piece = NoteSequence()
        piece.CopyFrom(sequence)
        wanted = self.length / self.steps_per_quarter
        step = float(seconds(piece)(np.array(wanted)))
        done = []
        if piece.total_time < step:
            piece.total_time = step
            done.append(f"padded: rests up to {self.bars} bars")
        try:
            fit = self.fit(piece)
        except Refused as refused:
            pitches = [x.pitch for x in piece.notes if not x.is_drum]
            least, most = min(pitches, default=0), max(pitches, default=0)
            if refused.reason != "range" or most - least > self.high - self.low:
                raise
            by = self.low - least if least < self.low else self.high - most
            for note in piece.notes:
                note.pitch += 0 if note.is_drum else by
            done.append(f"transposed: by {by:+d} semitones")
            fit = self.fit(piece)
        return Fit(fit.array, (*done, *fit.notes))

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """The phrases of a piece, a stream of `source`, from every `stride`-th bar on.

        Silent ones are left out, and those after them begin where they would have begun.
        """
        phrases = []
        for length in sorted(set(self._lengths), reverse=True):
            parts = self.bar // length
            windows = self.source.excerpts(stream, self.bars * parts, stride * parts)
            phrases += [
                phrase for x in windows if len(phrase := self._strip(x)) == self.length
            ]
        return phrases

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """The music of a phrase, or of any number of steps up to the first BOUNDARY."""
        rows = np.asarray(array).reshape(-1, self.voices)
        rows = np.where(rows >= PITCH, rows + len(self.metres), rows)
        return self.source.decode(np.insert(rows, 0, METRE, axis=0), qpm, program)

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch within low..high."""
        struck = array[array >= PITCH]
        if not struck.size:
            return range(1)
        return range(PITCH - int(struck.min()), self.vocab - int(struck.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music, `semitones` higher. Raises `Refused` (`range`) out of `reach`."""
        more = len(self.metres)
        moved = self.source.transpose(
            np.where(array >= PITCH, array + more, array), semitones
        )
        return np.where(moved >= PITCH, moved - more, moved).astype(np.int32)

    def describe(self, token: int) -> str:
        """`boundary`, `hold`, `rest`, or a pitch such as `C4`."""
        token = int(token)
        return self.source.describe(
            token + len(self.metres) if token >= PITCH else token
        )

    def _strip(self, stream: np.ndarray) -> np.ndarray:
        """The tokens of steps alone, in the alphabet of phrases."""
        lead, more = stream.reshape(len(stream), -1)[:, 0], len(self.metres)
        stream = stream[(lead == HOLD) | (lead == REST) | (lead >= PITCH + more)]
        return np.where(stream >= PITCH, stream - more, stream).astype(np.int32)


@dataclass(frozen=True)
class Phrase(Excerpt):
    """`bars` full bars of a melody as int32 [length], the tokens of `Excerpt`."""

    monophonic = True

    @functools.cached_property
    def source(self) -> Melody:  # type: ignore[override]
        return Melody(*self._range, fewest=1)

    def grammar(self) -> Grammar:
        """Phrases that have a note, and no HOLD of nothing."""

        def rules(at: At) -> dict[int, At]:
            if at.step == self.length:
                return {BOUNDARY: at._replace(step=at.step + 1)} if at.noted else {}
            if at.step > self.length:
                return {}
            on = at._replace(step=at.step + 1)
            after = {
                REST: on._replace(sounding=False),
                PITCH: on._replace(sounding=True, noted=True),
            }
            return after | ({HOLD: on} if at.sounding else {})

        kinds = np.minimum(np.arange(self.vocab), PITCH)
        return explore(
            At(), rules, lambda at: at.noted and at.step >= self.length, kinds
        )


@dataclass(frozen=True)
class Quartet(Excerpt):
    """`bars` full bars of four voices as int32 [length, 4], the tokens of `Excerpt`.

    From soprano to bass: the tracks in order of mean pitch, as `Chorale` has them.
    """

    voices: ClassVar[int] = len(VOICES)
    frame_shape = (len(VOICES),)

    high: int = 84

    @functools.cached_property
    def source(self) -> Chorale:
        return Chorale(*self._range)

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = CHOIR
    ) -> NoteSequence:
        """As of one line, for a choir."""
        return super().decode(array, qpm, program)

    def grammar(self) -> None:
        """None: every array of rows is music, but for silence."""
