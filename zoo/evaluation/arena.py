"""Arenas: music of one kind and length, in which models of all families are compared.

An excerpt is a number of bars of 4/4, from a bar line on. Real and written pieces are
cut into excerpts, which do not overlap, in one representation: pitches and onsets on
one grid, without tempo, velocity, program and metre. A family cannot be told by these,
nor by the lengths of its pieces. Axes: n excerpt, t step, k part.
"""

import dataclasses
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.data.batching.encoded import corpus_pieces, file_codec
from zoo.data.codecs import Phrase, Pianoroll
from zoo.data.codecs.phrase import PITCH
from zoo.data.codecs.steps import HOLD
from zoo.data.corpora.build import open_split
from zoo.data.corpora.dedup import groups, sketch
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.evaluation.part_tokens import PARTS, QUARTERS, parts_as_tokens
from zoo.metrics.attributes import sounding_pitches
from zoo.metrics.note_table import TOLERANCE, note_table
from zoo.ranges import Bars, StepsPerQuarter, checked
from zoo.tasks.base import cached_method

MAX_EXCERPTS = 2  # of a piece
HELD_OUT = "validation", "test"


@dataclasses.dataclass(frozen=True)
class Excerpts:
    """Excerpts of pieces, and the piece of each.

    Attributes:
      arrays: of an arena, [n, t, ..].
      groups: excerpts of one piece, and of variants of it, have the same number, [n].
    """

    arrays: np.ndarray
    groups: np.ndarray

    def take(self, index: Any) -> "Excerpts":
        """Returns some of the excerpts."""
        return Excerpts(self.arrays[index], self.groups[index])

    def __len__(self) -> int:
        return len(self.arrays)


@dataclasses.dataclass(frozen=True)
@checked
class Arena(ABC):
    """Music of one kind, in excerpts of `bars` bars of 4/4.

    Attributes:
      bars: bars of an excerpt.
      steps_per_quarter: steps in a quarter note.
    """

    name: ClassVar[str]
    corpus: ClassVar[str]
    voices: ClassVar[int]

    bars: Bars = 8
    steps_per_quarter: StepsPerQuarter = 4

    @property
    def length(self) -> int:
        """Steps of an excerpt."""
        return self.bars * QUARTERS * self.steps_per_quarter

    @abstractmethod
    def cut(self, piece: NoteSequence) -> list[np.ndarray]:
        """Returns the excerpts of a piece from its beginning on, at least one.

        Raises:
          Refused: it has none.
        """

    @abstractmethod
    def decode(self, excerpt: np.ndarray) -> NoteSequence:
        """Returns the music of an excerpt, or of any number of steps."""

    @abstractmethod
    def whole(self, piece: NoteSequence) -> NoteSequence:
        """Returns a whole piece in the representation of the excerpts.

        Raises:
          Refused: it does not fit.
        """

    @abstractmethod
    def parts(self, excerpts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns MIDI pitches [n, t, k], -1 for silence, and whether they begin.

        The parts of a step are sorted from high to low.
        """

    @property
    def line(self) -> Phrase:
        """The codec of the upper line."""
        return Phrase(bars=self.bars, steps_per_quarter=self.steps_per_quarter)

    def lines(self, excerpts: np.ndarray) -> np.ndarray:
        """Returns the upper line of each excerpt as tokens [n, t] of `line`."""
        pitch, onset = (x[..., 0] for x in self.parts(excerpts))
        notes = np.clip(pitch, self.line.low, self.line.high) - self.line.low + PITCH
        return np.where(pitch < 0, HOLD + 1, np.where(onset, notes, HOLD))

    def excerpts(self, pieces: Sequence[NoteSequence]) -> tuple[Excerpts, list[str]]:
        """Returns excerpts of pieces, grouped by piece, and why others have none."""
        arrays, numbers, refused = [], [], []
        for number, piece in enumerate(pieces):
            try:
                cut = self.cut(piece)[:MAX_EXCERPTS]
            except Refused as reason:
                refused.append(str(reason))
                continue
            arrays += cut
            numbers += [number] * len(cut)
        empty = np.zeros((0, self.length), np.int32)
        stacked = np.stack(arrays) if arrays else empty
        return Excerpts(stacked, np.array(numbers, np.int64)), refused

    @cached_method
    def real(self, spec: str, splits: Sequence[str] = HELD_OUT) -> Excerpts:
        """Returns the excerpts of real pieces; variants of a tune are one group.

        Raises:
          UsageError: no piece has an excerpt.
        """
        pieces = [piece for split in splits for piece in real_pieces(spec, split)]
        found, _ = self.excerpts(pieces)
        if not len(found):
            raise UsageError(
                f"no piece of {spec} has {self.bars} full bars of 4/4: choose fewer "
                "bars, or another corpus."
            )
        variants = np.array(groups([sketch(piece) for piece in pieces]))
        return Excerpts(found.arrays, variants[found.groups])

    @cached_method
    def training(self, spec: str) -> list[NoteSequence]:
        """Returns whole pieces of the train split, from which a model may copy."""
        pieces = []
        for piece in real_pieces(spec, "train"):
            try:
                pieces.append(self.whole(piece))
            except Refused:
                continue
        return pieces

    def tokens(self, excerpts: np.ndarray) -> np.ndarray:
        """Returns what a classifier reads, int32 [n, t, k]; see `parts_as_tokens`."""
        return parts_as_tokens(*self.parts(excerpts), self.steps_per_quarter)


@dataclasses.dataclass(frozen=True)
class Tunes(Arena):
    """Melodies, as tokens [t] of the `Phrase` codec; two bars of 2/4 are one of 4/4."""

    name: ClassVar[str] = "tunes"
    corpus: ClassVar[str] = "tunes"
    voices: ClassVar[int] = 1

    def cut(self, piece: NoteSequence) -> list[np.ndarray]:
        return [*self.line.phrases(piece)]

    def decode(self, excerpt: np.ndarray) -> NoteSequence:
        return self.line.decode(excerpt)

    def whole(self, piece: NoteSequence) -> NoteSequence:
        source = self.line.source
        source = dataclasses.replace(source, metres=type(source)().metres)
        return source.decode(source.encode(piece))

    def parts(self, excerpts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sounding, pitch = sounding_pitches(excerpts, self.line)
        return np.where(sounding, pitch, -1)[..., None], (excerpts >= PITCH)[..., None]


@dataclasses.dataclass(frozen=True)
class Chorales(Arena):
    """Music of up to four parts, as piano rolls [t, keys].

    A pitch that is repeated or doubled is one. Bars are those that a piece states, from
    the first bar of four quarters on; a piece that states none, as in benchmark files,
    begins with a bar.
    """

    name: ClassVar[str] = "chorales"
    corpus: ClassVar[str] = "chorales"
    voices: ClassVar[int] = PARTS

    @functools.cached_property
    def codec(self) -> Pianoroll:
        return Pianoroll(steps_per_quarter=self.steps_per_quarter, onsets=False)

    def cut(self, piece: NoteSequence) -> list[np.ndarray]:
        roll, size = self._roll(piece), QUARTERS * self.steps_per_quarter
        lines = note_table(piece).bars
        full = np.abs(np.diff(lines, axis=1)[:, 0] - QUARTERS) < TOLERANCE
        found, bar = [], 0
        while bar + self.bars <= len(lines):
            first = round(lines[bar, 0] * self.steps_per_quarter)
            excerpt = roll[first : first + self.bars * size]
            whole = full[bar : bar + self.bars].all() and len(excerpt) == self.length
            if whole and excerpt.any():
                found.append(excerpt)
            bar += self.bars if whole else 1
        if not found:
            raise Refused("short", f"It has no {self.bars} full bars of 4/4 in a row.")
        return found

    def decode(self, excerpt: np.ndarray) -> NoteSequence:
        return self.codec.decode(excerpt)

    def whole(self, piece: NoteSequence) -> NoteSequence:
        return self.codec.decode(self._roll(piece))

    def _roll(self, piece: NoteSequence) -> np.ndarray:
        """Returns a piece as a roll of what sounds where each step begins."""
        fine = self.steps_per_quarter * math.ceil(4 / self.steps_per_quarter)
        codec = dataclasses.replace(self.codec, steps_per_quarter=fine)
        return codec.encode(piece)[:: fine // self.steps_per_quarter]

    def parts(self, excerpts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        on = excerpts.astype(bool)
        rank = np.cumsum(on[..., ::-1], axis=-1)[..., ::-1]  # of a pitch, from above
        lowest = rank == rank.max(axis=-1, keepdims=True)
        pitch = np.full((*on.shape[:-1], PARTS), -1)
        for part in range(PARTS):
            at = on & (lowest if part == PARTS - 1 else rank == part + 1)
            at &= (rank > part) if part == PARTS - 1 else True
            pitch[..., part] = np.where(
                at.any(axis=-1), at.argmax(axis=-1) + self.codec.low, -1
            )
        before = np.pad(on[:, :-1], ((0, 0), (1, 0), (0, 0)))
        key = np.maximum(pitch - self.codec.low, 0)
        begins = np.take_along_axis(on & ~before, key, axis=-1) & (pitch >= 0)
        return pitch, begins


ARENAS: dict[str, type[Arena]] = {"tunes": Tunes, "chorales": Chorales}


def real_pieces(spec: str, split: str) -> list[NoteSequence]:
    """Returns the pieces of a split of a corpus or of a benchmark file."""
    codec = file_codec(spec)
    if codec is None:
        return [record.sequence for record in open_split(spec, split)]
    return [codec.decode(array) for array in corpus_pieces(spec, split, codec)]
