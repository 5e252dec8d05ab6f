"""Methods that codecs of phrases share."""

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np

from zoo.data.codecs.base import Codec, Fit
from zoo.data.proto import NoteSequence, quarters, seconds
from zoo.data.refusal import Refused
from zoo.ranges import Bars, StepsPerQuarter

Whole = TypeVar("Whole")


class CroppedPhrases(ABC):
    """A mixin for codecs of phrases of `bars` full bars, cropped from whole pieces.

    Attributes:
      bars: number of bars in a phrase.
      metres: metres of the pieces; all bars have the length of the first one's.
      steps_per_quarter: steps in a quarter note.
      event: name of the events without which a phrase is silent.
    """

    bars: Bars
    metres: tuple[str, ...]
    steps_per_quarter: StepsPerQuarter

    event: ClassVar[str] = "note"

    @property
    @abstractmethod
    def source(self) -> Any:
        """The codec of the pieces that phrases are cropped from."""

    @property
    @abstractmethod
    def bar(self) -> int:
        """Number of steps in a bar."""

    @abstractmethod
    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns the phrases of a piece, one from every `stride`-th bar on."""

    @property
    def length(self) -> int:
        """Number of steps in a phrase."""
        return self.bars * self.bar

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes the first phrase of a piece, with remarks.

        Raises:
          Refused: `short`: the piece has no phrase; or as `source.fit`.
        """
        phrases, remarks = self._fit_phrases(sequence)
        cropped = f"cropped: the first of {len(phrases)} windows of {self.bars} bars"
        return Fit(phrases[0], (*remarks, cropped))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes the first phrase of a piece; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def phrases(self, sequence: NoteSequence) -> np.ndarray:
        """Returns the array of `fit_phrases` alone; raises Refused as it does."""
        return self.fit_phrases(sequence).array

    def fit_phrases(self, sequence: NoteSequence) -> Fit:
        """Encodes consecutive phrases of a piece, [n, length, ..], with remarks.

        Raises:
          Refused: as `fit`.
        """
        phrases, remarks = self._fit_phrases(sequence, self.bars)
        read = f"phrases: {len(phrases)} of {self.bars} bars are read, all of them full"
        return Fit(np.stack(phrases), (*remarks, read))

    def tail(self, array: np.ndarray, music: NoteSequence, start: float) -> np.ndarray:
        step = float(quarters(music)(np.array(start))) * self.steps_per_quarter
        return array[round(step) :]

    def adapted(self, sequence: NoteSequence) -> Fit:
        """Encodes the first phrase as `fit` does; pads a short piece with rests."""
        piece, remarks = self._padded(sequence)
        fit = self.fit(piece)
        return Fit(fit.array, (*remarks, *fit.remarks))

    def _padded(self, sequence: NoteSequence) -> tuple[NoteSequence, list[str]]:
        """Returns a copy of a piece that lasts for a phrase at least, and remarks."""
        piece = NoteSequence()
        piece.CopyFrom(sequence)
        quarters = np.array(self.length / self.steps_per_quarter)
        min_time = float(seconds(piece)(quarters))
        if piece.total_time >= min_time:
            return piece, []
        piece.total_time = min_time
        return piece, [f"padded: rests up to {self.bars} bars"]

    def _fit_phrases(
        self, sequence: NoteSequence, stride: int = 1
    ) -> tuple[list[np.ndarray], tuple[str, ...]]:
        """Returns the phrases of a piece, at least one, and remarks."""
        stream, remarks = self.source.fit(sequence)
        phrases = self.crops(stream, stride)
        if not phrases:
            raise Refused(
                "short",
                f"It has no {self.bars} full bars of {self.metres[0]} in a row with a "
                f"{self.event}.",
            )
        return phrases, remarks


def whole_piece_codec(cls: type[Whole], codec: Codec) -> Whole:
    """Returns the codec of class `cls` that has the fields of `codec`, a subclass."""
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    return cls(**{name: getattr(codec, name) for name in names})
