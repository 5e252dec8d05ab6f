"""Training and evaluation batches of encoded pieces.

Training batches are random access: `batches[i]` is the batch of step i, so that a
resumed run sees the batches that an uninterrupted run would have seen. Axes: b row,
t event or frame.
"""

import dataclasses
import functools
from collections.abc import Iterator

import grain.python as grain
import numpy as np

from zoo import memory
from zoo.data.batching.encoded import Segment, pack
from zoo.data.codecs.base import Codec
from zoo.data.pieces import Pieces
from zoo.errors import UsageError

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class PackedRows:
    """Rows of `length` events, each packed with one or several segments of pieces."""

    pieces: Pieces
    codec: Codec
    length: int

    @functools.cached_property
    def rows(self) -> list[list[Segment]]:
        return pack(self.pieces.lengths.tolist(), self.length)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> list[tuple[np.ndarray, int]]:
        """Returns the segments of a row: events, and how many of them are context."""
        return [
            (self.pieces[segment.piece][segment.first : segment.stop], segment.context)
            for segment in self.rows[index]
        ]

    def concatenate(self, segments: list[tuple[np.ndarray, int]]) -> Batch:
        """Concatenates segments to {"tokens": [t], "mask": [t]}, padded with 0.

        Context and padding are masked out.
        """
        tokens = np.concatenate([events for events, _ in segments])
        mask = np.concatenate(
            [np.arange(len(events)) >= context for events, context in segments]
        )
        empty = self.length - len(tokens)
        padding = [(0, empty)] + [(0, 0)] * (tokens.ndim - 1)
        return {"tokens": np.pad(tokens, padding), "mask": np.pad(mask, (0, empty))}

    def transpose(
        self,
        segments: list[tuple[np.ndarray, int]],
        rng: np.random.Generator,
        semitones: int,
    ) -> list[tuple[np.ndarray, int]]:
        """Transposes each segment at random by at most `semitones`, within range."""
        return [
            (random_transposition(self.codec, events, rng, semitones), context)
            for events, context in segments
        ]


@dataclasses.dataclass(frozen=True)
class PackedBatches:
    """Endless training batches of packed rows; `batches[i]` is the batch of step i.

    The rows of an epoch are shuffled by (seed, epoch) and transposed by (seed, row of
    the run). A batch is {"tokens": [b / processes, t], "mask": [b / processes, t]}.

    Attributes:
      batch: rows in a batch, over all processes.
      length: events in a row.
      transpose: maximum of the random transposition, in semitones.
      process: index of this process, and number of processes.

    Raises:
      UsageError: the data fill fewer than `batch` rows, or `batch` is not a multiple of
        the number of processes.
    """

    pieces: Pieces
    codec: Codec
    batch: int
    _: dataclasses.KW_ONLY
    length: int
    seed: int = 0
    transpose: int = 0
    process: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        rows = PackedRows(self.pieces, self.codec, self.length)
        if self.batch > len(rows):
            raise UsageError(
                f"batch={self.batch} is larger than the data, which fill {len(rows)} "
                f"rows of {self.length} events: reduce batch or length, or add music."
            )
        require_divisible(self.batch, self.process[1])

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        rows = PackedRows(self.pieces, self.codec, self.length)
        dataset = grain.MapDataset.source(rows).seed(self.seed).shuffle().repeat()
        if self.transpose:
            dataset = dataset.random_map(
                lambda segments, rng: rows.transpose(segments, rng, self.transpose)
            )
        return dataset.map(rows.concatenate).batch(self.batch // self.process[1])

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


@dataclasses.dataclass(frozen=True)
class CropBatches:
    """Endless training batches of crops, one in each row.

    For models that read a frame of several values at each step. A piece has one crop
    for every started `length` frames. Its first crop begins where the piece begins; the
    others begin at a random beat. Their first eighth is masked out as context, so that
    the model learns from beginnings alone how pieces begin. Without `context` nothing
    is masked out, and the model learns excerpts. A batch is {"tokens": [b / processes,
    t, ...], "mask": [b / processes, t]}, and `pieces.columns`.

    Attributes:
      batch: rows in a batch, over all processes.
      length: frames in a row.
      transpose: maximum of the random transposition, in semitones.
      process: index of this process, and number of processes.
      context: whether the first eighth of a crop within a piece is masked out.

    Raises:
      UsageError: `batch` is not a multiple of the number of processes, or a batch does
        not fit in memory.
    """

    pieces: Pieces
    codec: Codec
    batch: int
    _: dataclasses.KW_ONLY
    length: int
    seed: int = 0
    transpose: int = 0
    process: tuple[int, int] = (0, 1)
    context: bool = True

    def __post_init__(self) -> None:
        require_divisible(self.batch, self.process[1])
        row = self.length * self.pieces[0][:1].nbytes
        memory.require(
            self.batch // self.process[1] * row,
            f"a batch of {self.batch:,} rows of {self.length:,} frames",
            "lower `batch` or `length`",
        )

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        counts = -(-self.pieces.lengths // self.length)
        source = [
            (piece, crop)
            for piece, count in enumerate(counts.tolist())
            for crop in range(count)
        ]
        dataset = grain.MapDataset.source(source).seed(self.seed).shuffle().repeat()
        return dataset.random_map(self.crop).batch(self.batch // self.process[1])

    def crop(self, which: tuple[int, int], rng: np.random.Generator) -> Batch:
        """Returns the row of (piece, crop): the beginning if crop is 0, else random."""
        index, number = which
        piece = self.pieces[index]
        start, last = 0, len(piece) - self.length
        if number:
            start = int(rng.integers(1, last, endpoint=True))
            beat = self.codec.beat
            start = min(-(-start // beat) * beat, last)
        tokens = piece[start : start + self.length]
        if self.transpose:
            tokens = random_transposition(self.codec, tokens, rng, self.transpose)
        context = self.length // 8 if number and self.context else 0
        return pad_row(tokens, self.length, context) | columns(self.pieces, index)

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


def columns(pieces: Pieces, index: int) -> Batch:
    """Returns the row of each of `pieces.columns` that belongs to piece `index`."""
    return {name: values[index] for name, values in pieces.columns.items()}


def pad_row(tokens: np.ndarray, length: int, context: int = 0) -> Batch:
    """Pads `tokens` with 0; masks out padding and the first `context` frames."""
    empty = length - len(tokens)
    mask = (np.arange(length) >= context) & (np.arange(length) < len(tokens))
    return {
        "tokens": np.pad(tokens, [(0, empty)] + [(0, 0)] * (tokens.ndim - 1)),
        "mask": mask,
    }


def random_transposition(
    codec: Codec, tokens: np.ndarray, rng: np.random.Generator, semitones: int
) -> np.ndarray:
    """Transposes at random by at most `semitones`, within the range of the codec."""
    reach = codec.reach(tokens)
    low, high = max(reach.start, -semitones), min(reach.stop, semitones + 1)
    return codec.transpose(tokens, int(rng.integers(low, high)))


def require_divisible(batch: int, processes: int) -> None:
    """Raises UsageError if `batch` is not a multiple of the number of processes."""
    if batch % processes:
        raise UsageError(
            f"batch={batch} does not divide over {processes} processes: choose a "
            f"multiple of {processes}."
        )


def padded_eval_batches(
    pieces: Pieces,
    batch: int,
    process: tuple[int, int] = (0, 1),
    length: int | None = None,
) -> Iterator[Batch]:
    """Yields every piece once, one in each row, from short to long, for evaluation.

    The last batch is filled with rows that are masked out.

    Args:
      batch: rows in a batch, over all processes.
      process: index of this process, and number of processes.
      length: frames in a row. By default each batch has the length of its longest
        piece, rounded up by `bucket_length`, so that few programs are compiled.
    """
    index, count = process
    share = batch // count
    order = np.argsort(pieces.lengths, kind="stable")
    for first in range(0, len(order), batch):
        chosen = order[first : first + batch].tolist()
        size = length or bucket_length(len(pieces[chosen[-1]]))
        rows = [pad_row(pieces[i], size) | columns(pieces, i) for i in chosen]
        rows += [rows[0] | pad_row(pieces[chosen[0]][:0], size)] * (batch - len(rows))
        local = rows[index * share : (index + 1) * share]
        yield {key: np.stack([row[key] for row in local]) for key in local[0]}


def bucket_length(length: int) -> int:
    """Rounds up to the next number of the form 2**n or 3 * 2**n, at least 32."""
    power = max(32, 1 << (length - 1).bit_length())
    return power * 3 // 4 if length <= power * 3 // 4 and power > 32 else power


def packed_eval_batches(
    pieces: Pieces, codec: Codec, batch: int, process: tuple[int, int] = (0, 1)
) -> list[Batch]:
    """Returns every piece once, uncut and untransposed, for evaluation.

    Rows are as long as the longest piece, and short pieces share one. The last batch is
    filled with rows that are masked out.

    Args:
      batch: rows in a batch, over all processes.
      process: index of this process, and number of processes.
    """
    rows = PackedRows(pieces, codec, int(pieces.lengths.max()))
    index, count = process
    share = batch // count
    local = slice(index * share, (index + 1) * share)
    return [
        {key: values[local] for key, values in stack_rows(rows, first, batch).items()}
        for first in range(0, len(rows), batch)
    ]


def stack_rows(rows: PackedRows, first: int, batch: int) -> Batch:
    """Stacks rows `first` to `first + batch`; those past the last are masked out."""
    stop = min(first + batch, len(rows))
    packed = [rows.concatenate(rows[i]) for i in range(first, stop)]
    empty = {key: np.zeros_like(values) for key, values in packed[0].items()}
    packed += [empty] * (batch - len(packed))
    return {key: np.stack([row[key] for row in packed]) for key in packed[0]}
