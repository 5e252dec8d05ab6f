"""From encoded pieces to batches: `dataset[i]` is the batch of step i, in any run or resume."""

import dataclasses
import functools

import grain.python as grain
import numpy as np

from zoo.data.codecs.base import Codec
from zoo.data.pieces import Part, Pieces, pack
from zoo.errors import UsageError

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of `length` events, several pieces laid in each: {"tokens": [t], "mask": [t]}."""

    pieces: Pieces
    codec: Codec
    length: int

    @functools.cached_property
    def rows(self) -> list[list[Part]]:
        return pack(self.pieces.lengths.tolist(), self.length)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> list[tuple[np.ndarray, int]]:
        """The parts of a row: events, and how many of them are only context."""
        return [(self.pieces[p.piece][p.start - p.lead : p.stop], p.lead) for p in self.rows[index]]

    def lay(self, parts: list[tuple[np.ndarray, int]]) -> Batch:
        """One row of the parts, padded with 0; context and padding are masked out."""
        events = np.concatenate([part for part, _ in parts])
        mask = np.concatenate([np.arange(len(part)) >= lead for part, lead in parts])
        empty = self.length - len(events)
        padding = [(0, empty)] + [(0, 0)] * (events.ndim - 1)
        return {"tokens": np.pad(events, padding), "mask": np.pad(mask, (0, empty))}

    def transposed(
        self, parts: list[tuple[np.ndarray, int]], rng: np.random.Generator, most: int
    ) -> list[tuple[np.ndarray, int]]:
        """Each part in a key of its own, within `most` semitones and the codec's range."""
        return [
            (self.codec.transpose(part, self.interval(part, rng, most)), lead)
            for part, lead in parts
        ]

    def interval(self, part: np.ndarray, rng: np.random.Generator, most: int) -> int:
        reach = self.codec.reach(part)
        return int(rng.integers(max(reach.start, -most), min(reach.stop, most + 1)))


@dataclasses.dataclass(frozen=True)
class Batches:
    """Training batches without end: `batches[i]` is this process's part of the batch of step `i`.

    The rows of an epoch are shuffled by (seed, epoch) and transposed by (seed, row of the run), so
    any batch can be had without those before it. Tokens int32 [b / processes, t], mask likewise.
    """

    pieces: Pieces
    codec: Codec
    batch: int
    length: int
    seed: int = 0
    transpose: int = 0
    process: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        rows = Rows(self.pieces, self.codec, self.length)
        _, count = self.process
        if self.batch > len(rows):
            raise UsageError(
                f"a batch of {self.batch} is larger than the data, which fills {len(rows)} rows of "
                f"{self.length} events: lower --batch or --length, or add music."
            )
        if self.batch % count:
            raise UsageError(
                f"a batch of {self.batch} does not divide over {count} processes: "
                f"make --batch a multiple of {count}."
            )

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        rows = Rows(self.pieces, self.codec, self.length)
        dataset = grain.MapDataset.source(rows).seed(self.seed).shuffle().repeat()
        if self.transpose:
            dataset = dataset.random_map(
                lambda parts, rng: rows.transposed(parts, rng, self.transpose)
            )
        return dataset.map(rows.lay).batch(self.batch // self.process[1])

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


def whole(
    pieces: Pieces, codec: Codec, batch: int, process: tuple[int, int] = (0, 1)
) -> list[Batch]:
    """Every piece once, none cut and none transposed: what a likelihood is measured on.

    The last batch is filled with rows that are masked out, so that all have one shape.
    """
    rows = Rows(pieces, codec, int(pieces.lengths.max()))
    index, count = process
    share = batch // count
    return [
        {k: v[index * share : (index + 1) * share] for k, v in stack(rows, first, batch).items()}
        for first in range(0, len(rows), batch)
    ]


def stack(rows: Rows, first: int, batch: int) -> Batch:
    """Rows `first` to `first + batch`; those past the last are empty."""
    laid = [rows.lay(rows[i]) for i in range(first, min(first + batch, len(rows)))]
    laid += [{k: np.zeros_like(v) for k, v in laid[0].items()}] * (batch - len(laid))
    return {key: np.stack([row[key] for row in laid]) for key in laid[0]}
