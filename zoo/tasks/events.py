"""Music as streams of events, one token each."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.core import Batch
from zoo.data.batching.batches import PackedBatches, PackedRows, packed_eval_batches
from zoo.data.batching.encoded import corpus_pieces
from zoo.data.codecs import make
from zoo.data.codecs.base import Codec
from zoo.data.pieces import Pieces
from zoo.errors import UsageError
from zoo.ranges import BatchSize, Length, Semitones, checked
from zoo.tasks.base import MusicTask, Process


@dataclasses.dataclass(frozen=True)
@checked
class Events(MusicTask):
    """Streams of events; several pieces share a row."""

    SIZES: ClassVar[tuple[str, ...]] = ("vocab", "bar_lengths", "length")

    corpus: str = "tunes"
    """tunes, essen, chorales, folder:/path/to/files, or a union such as tunes+essen."""
    codec: str = "melody"
    """Codec from scores to events: melody or performance."""
    batch: BatchSize = 16
    """Rows of a batch, over all devices."""
    _: dataclasses.KW_ONLY
    length: Length = 256
    """Events of a row; several pieces share one."""
    transpose: Semitones = 5
    """Largest random transposition in training, in semitones."""
    metre: str = ""
    """The metre of all pieces, such as 3/4, in place of those that they state."""
    metres: tuple[str, ...] = ()
    """Metres that the codec reads; by default all that it can."""

    @functools.cached_property
    def coder(self) -> Codec:
        return make(self.codec, **{"metres": self.metres} if self.metres else {})

    @property
    def sizes(self) -> Mapping[str, Any]:
        return {**self.coder.dimensions, "length": self.length}

    def pieces(self, split: str, corpus: str | None = None) -> Pieces:
        """Returns the encoded pieces of a split.

        Raises:
          UsageError: the codec or the file is one of frames.
        """
        spec = self.spec(corpus)
        pieces = corpus_pieces(spec, split, self.coder)
        if pieces.shape:
            raise UsageError(
                f"{spec} encoded by {type(self.coder).__name__} is a row of values at "
                "each step: choose the codec melody or performance, or a corpus."
            )
        return pieces

    def epoch(self) -> int:
        """Returns the batches that hold every row once in every transposition."""
        rows = PackedRows(self.pieces("train"), self.coder, self.length)
        return max(1, len(rows) * (2 * self.transpose + 1) // self.batch)

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> PackedBatches:
        return PackedBatches(
            self.pieces("train"),
            self.coder,
            batch=self.batch,
            length=self.length,
            seed=seed,
            transpose=self.transpose,
            process=process,
        )

    def eval_batches(
        self,
        split: str,
        *,
        corpus: str | None = None,
        batch: int | None = None,
        process: Process = (0, 1),
    ) -> Iterable[Batch]:
        pieces = self.pieces(split, corpus)
        return packed_eval_batches(pieces, self.coder, batch or self.batch, process)

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        return [piece[:length] for piece in self.pieces(split, corpus)]
