"""Piano rolls of several tracks, bars of one length: what MuseGAN reads as a whole.

Dong, Hsiao, Yang & Yang 2018, MuseGAN: multi-track sequential generative adversarial networks for
symbolic music generation and accompaniment (arXiv:1709.06298). Deviations: a bar of 4/4 has 16
steps rather than 96, the lead has a track of its own, and every step of a drum is a hit.
"""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.codecs.base import Fit
from zoo.data.codecs.rolls import BAR, OFF, Rolls, marks
from zoo.data.proto import QPM, NoteSequence, seconds
from zoo.data.refusal import Refused
from zoo.errors import UsageError


@dataclass(frozen=True)
class Multitrack(Rolls):
    """`bars` full bars of several tracks as uint8 [length, k, p], 0 off and 1 on, see `Rolls`.

    A note held from before begins anew.

    Raises:
      UsageError: fewer than one bar, and what `Rolls` raises.
    """

    bars: int = 4

    def __post_init__(self):
        if self.bars < 1:
            raise UsageError(f"bars is at least 1, not {self.bars}")
        super().__post_init__()

    @functools.cached_property
    def source(self) -> Rolls:  # type: ignore[override]
        """The codec of the pieces that phrases are cut from."""
        return Rolls(
            **{
                field.name: getattr(self, field.name)
                for field in dataclasses.fields(Rolls)
            }
        )

    @property
    def length(self) -> int:
        """Steps of a phrase."""
        return self.bars * self.bar

    @property
    def dimensions(self) -> Mapping[str, Any]:
        sizes = {"bars": self.bars, "steps": self.bar, "pitches": self.shape[1]}
        return {"tracks": self.tracks, **sizes}

    @property
    def vocab(self) -> int:
        return BAR

    def fit(self, sequence: NoteSequence) -> Fit:
        """The first phrase uint8 [length, k, p], and what was done.

        Raises `Refused`: `short`, and what `Rolls` raises.
        """
        phrases, notes = self._windows(sequence)
        found = f"cropped: the first of {len(phrases)} windows of {self.bars} bars"
        return Fit(phrases[0], (*notes, found))

    def phrases(self, sequence: NoteSequence) -> np.ndarray:
        """A piece phrase after phrase, uint8 [n, length, k, p]. Raises `Refused` as `fit` does."""
        return np.stack(self._windows(sequence, self.bars)[0])

    def adapted(self, sequence: NoteSequence) -> Fit:
        """As `fit`; a piece too short is filled with rests."""
        piece = NoteSequence()
        piece.CopyFrom(sequence)
        least = float(seconds(piece)(np.array(self.length / self.steps_per_quarter)))
        padded = (
            (f"padded: rests up to {self.bars} bars",)
            if piece.total_time < least
            else ()
        )
        piece.total_time = max(piece.total_time, least)
        fit = self.fit(piece)
        return Fit(fit.array, (*padded, *fit.notes))

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """The phrases of a piece, a stream of `source`, from every `stride`-th bar on.

        Silent ones are left out, and those after them begin where they would have begun. They are
        views: a piece has a phrase for each of its bars, and is kept once.
        """
        rolls = np.asarray(stream).reshape(-1, *self.shape)
        edges = np.flatnonzero(marks(rolls))
        loud = np.cumsum(np.append(0, (rolls != OFF).any(axis=(1, 2))))
        phrases = []
        for start, stop in zip([0, *(edges + 1)], [*edges, len(rolls)], strict=True):
            for at in range(start, stop - self.length + 1, stride * self.bar):
                if loud[at + self.length] > loud[at]:
                    phrases.append(rolls[at : at + self.length])
        return phrases

    def decode(self, array: np.ndarray, qpm: float = QPM) -> NoteSequence:
        """The music of a phrase, or of any number of steps, as `Rolls` has it."""
        return super().decode(np.asarray(array) != OFF, qpm)

    def _windows(
        self, sequence: NoteSequence, stride: int = 1
    ) -> tuple[list[np.ndarray], tuple[str, ...]]:
        """The `crops` of a piece, one at least, and what was done to it."""
        stream, notes = super().fit(sequence)
        phrases = self.crops(stream, stride)
        if not phrases:
            bars = f"{self.bars} full bars of {self.metres[0]} in a row with a note"
            raise Refused("short", f"It has no {bars}.")
        return phrases, notes
