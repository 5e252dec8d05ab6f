"""One's own arrays."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.core import Batch
from zoo.data import pieces
from zoo.data.batching.batches import CropBatches, padded_eval_batches
from zoo.data.codecs.base import BaseCodec, Codec
from zoo.errors import UsageError
from zoo.ranges import BatchSize, Length, checked
from zoo.tasks.base import MusicTask, Process


def unrecorded() -> Any:
    """Returns an empty field that checkpoints do not record."""
    return dataclasses.field(default=(), metadata={"recorded": False})


@dataclasses.dataclass(frozen=True)
@checked
class Arrays(MusicTask):
    """Arrays of one's own: int [t] or [t, ..] each, of any lengths.

    `train`, `validation` and `test` are lists, or any objects with `__len__` and
    `__getitem__`. They are not recorded in checkpoints; the codec is.
    """

    SIZES: ClassVar[tuple[str, ...]] = ("length",)

    train: Any = unrecorded()
    validation: Any = unrecorded()
    test: Any = unrecorded()
    _: dataclasses.KW_ONLY
    coder: Codec | None = None
    """The codec that wrote them; without one a model draws arrays, and no music."""
    batch: BatchSize = 16
    """Rows of a batch, over all devices."""
    length: Length = 256
    """Steps of a row."""
    corpus: str = ""
    """Not used: the arrays are the corpus."""

    @property
    def sizes(self) -> Mapping[str, Any]:
        known = {} if self.coder is None else self.coder.dimensions
        return {**known, "length": self.length}

    def pieces(self, split: str) -> pieces.InMemoryPieces:
        """Returns the arrays of a split.

        Raises:
          UsageError: there are none.
        """
        source = getattr(self, split)
        arrays = [np.asarray(source[i]) for i in range(len(source))]
        if not arrays:
            raise UsageError(f"there are no arrays to read: give Arrays({split}=...).")
        return pieces.InMemoryPieces(arrays)

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> CropBatches:
        return CropBatches(
            self.pieces("train"),
            self.coder or BaseCodec(),  # type: ignore[arg-type]
            batch=self.batch,
            length=self.length,
            seed=seed,
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
        return padded_eval_batches(self.pieces(split), batch or self.batch, process)

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        return [piece[:length] for piece in self.pieces(split)]

    def write_page(self, model: Any, *args: Any, **options: Any) -> None:
        if self.coder is not None:
            super().write_page(model, *args, **options)
