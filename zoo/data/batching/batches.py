"""From encoded pieces to batches: `dataset[i]` is the batch of step i, in any run or resume."""

import dataclasses
import functools
from collections.abc import Iterator

import grain.python as grain
import numpy as np

from zoo.data.batching.encoded import Part, pack
from zoo.data.codecs.base import Codec
from zoo.data.pieces import Pieces
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
        return [
            (self.pieces[p.piece][p.start - p.lead : p.stop], p.lead)
            for p in self.rows[index]
        ]

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
            (self.codec.transpose(part, interval(self.codec, part, rng, most)), lead)
            for part, lead in parts
        ]


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
        divides(self.batch, count)

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


@dataclasses.dataclass(frozen=True)
class Crops:
    """Training batches of one crop a row, for models that read a whole frame of values at a step.

    A piece has one crop for each `length` frames of it, begun. The first crop is the piece's own
    beginning; each other one begins at a random beat, and an eighth of it is only context, so that
    a model learns how pieces begin from beginnings alone; or, without `context`, nothing, so that
    it learns excerpts. Tokens [b / processes, t, ...], mask [b / processes, t]; as with `Batches`,
    any batch can be had without those before it.
    """

    pieces: Pieces
    codec: Codec
    batch: int
    length: int
    seed: int = 0
    transpose: int = 0
    process: tuple[int, int] = (0, 1)
    context: bool = True

    def __post_init__(self) -> None:
        divides(self.batch, self.process[1])

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        counts = -(-self.pieces.lengths // self.length)
        source = [
            (piece, part)
            for piece, n in enumerate(counts.tolist())
            for part in range(n)
        ]
        dataset = grain.MapDataset.source(source).seed(self.seed).shuffle().repeat()
        return dataset.random_map(self.crop).batch(self.batch // self.process[1])

    @property
    def beat(self) -> int:
        """Steps to a quarter: crops begin on one, so that a model may count."""
        return self.codec.beat

    def crop(self, which: tuple[int, int], rng: np.random.Generator) -> Batch:
        """A row of the piece and part."""
        number, part = which
        piece = self.pieces[number]
        start, last = 0, len(piece) - self.length
        if part:
            start = int(rng.integers(1, last, endpoint=True))
            start = min(-(-start // self.beat) * self.beat, last)
        tokens = piece[start : start + self.length]
        if self.transpose:
            tokens = self.codec.transpose(
                tokens, interval(self.codec, tokens, rng, self.transpose)
            )
        lead = self.length // 8 if part and self.context else 0
        return framed(tokens, self.length, lead) | columns(self.pieces, number)

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


def columns(pieces: Pieces, index: int) -> Batch:
    """Returns the row of each of `pieces.columns` that belongs to piece `index`."""
    return {name: values[index] for name, values in pieces.columns.items()}


def framed(tokens: np.ndarray, length: int, lead: int = 0) -> Batch:
    """One row of `length` frames, padded with 0; padding and the first `lead` frames masked out."""
    empty = length - len(tokens)
    mask = (np.arange(length) >= lead) & (np.arange(length) < len(tokens))
    return {
        "tokens": np.pad(tokens, [(0, empty)] + [(0, 0)] * (tokens.ndim - 1)),
        "mask": mask,
    }


def whole_frames(
    pieces: Pieces,
    batch: int,
    process: tuple[int, int] = (0, 1),
    length: int | None = None,
) -> Iterator[Batch]:
    """Every piece once, a row each, short ones first: what a likelihood of frames is measured on.

    Rows have `length` frames, or are as long as the longest piece of their batch, rounded up to one
    of few lengths, so that few programs are compiled. The last batch is filled with rows that are
    masked out.
    """
    index, count = process
    share = batch // count
    order = np.argsort(pieces.lengths, kind="stable")
    for first in range(0, len(order), batch):
        chosen = order[first : first + batch].tolist()
        size = length or rounded(len(pieces[chosen[-1]]))
        rows = [framed(pieces[i], size) | columns(pieces, i) for i in chosen]
        rows += [rows[0] | framed(pieces[chosen[0]][:0], size)] * (batch - len(rows))
        mine = rows[index * share : (index + 1) * share]
        yield {key: np.stack([row[key] for row in mine]) for key in mine[0]}


def rounded(length: int) -> int:
    """The next number of the form 2**n or 3 * 2**n, from 32 up."""
    power = max(32, 1 << (length - 1).bit_length())
    return power * 3 // 4 if length <= power * 3 // 4 and power > 32 else power


def interval(
    codec: Codec, tokens: np.ndarray, rng: np.random.Generator, most: int
) -> int:
    """A random transposition within `most` semitones and the codec's range."""
    reach = codec.reach(tokens)
    return int(rng.integers(max(reach.start, -most), min(reach.stop, most + 1)))


def divides(batch: int, processes: int) -> None:
    """Raises UsageError where a batch cannot be shared out."""
    if batch % processes:
        raise UsageError(
            f"a batch of {batch} does not divide over {processes} processes: "
            f"make --batch a multiple of {processes}."
        )


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
        {
            k: v[index * share : (index + 1) * share]
            for k, v in stack(rows, first, batch).items()
        }
        for first in range(0, len(rows), batch)
    ]


def stack(rows: Rows, first: int, batch: int) -> Batch:
    """Rows `first` to `first + batch`; those past the last are empty."""
    laid = [rows.lay(rows[i]) for i in range(first, min(first + batch, len(rows)))]
    laid += [{k: np.zeros_like(v) for k, v in laid[0].items()}] * (batch - len(laid))
    return {key: np.stack([row[key] for row in laid]) for key in laid[0]}
