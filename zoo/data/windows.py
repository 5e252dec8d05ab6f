"""From pieces to phrases: `dataset[i]` is the batch of step i, in any run or resume."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import grain.python as grain
import numpy as np

from zoo.data.codecs.phrase import Phrase
from zoo.data.pipeline import Batch, divides, interval
from zoo.errors import UsageError


def cut(pieces: Sequence[np.ndarray], codec: Phrase, stride: int = 1) -> np.ndarray:
    """The phrases of `pieces`, streams of `codec.whole`, one from every `stride`-th: [n, t].

    Raises UsageError where there are none.
    """
    rows = [phrase for piece in pieces for phrase in codec.crops(piece)[::stride]]
    if not rows:
        raise UsageError(
            f"no piece has {codec.bars} full bars of {' or '.join(codec.metres)} in a row: "
            "choose fewer bars, other metres or more music."
        )
    return np.stack(rows)


@dataclasses.dataclass(frozen=True, eq=False)
class Phrases:
    """Training batches without end of `rows` [n, t]: tokens int32 [b / processes, t], mask too.

    The rows of an epoch are shuffled by (seed, epoch) and transposed by (seed, row of the run).
    """

    rows: np.ndarray
    codec: Phrase
    batch: int
    seed: int = 0
    transpose: int = 0
    process: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        divides(self.batch, self.process[1])

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        source = grain.MapDataset.source(range(len(self.rows))).seed(self.seed).shuffle().repeat()
        return source.random_map(self.row).batch(self.batch // self.process[1])

    def row(self, index: int, rng: np.random.Generator) -> Batch:
        tokens = self.rows[index]
        if self.transpose:
            tokens = self.codec.transpose(tokens, interval(self.codec, tokens, rng, self.transpose))
        return {"tokens": tokens, "mask": np.ones(len(tokens), bool)}

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


def whole(rows: np.ndarray, batch: int, process: tuple[int, int] = (0, 1)) -> Iterator[Batch]:
    """Every phrase once; the last batch is filled with rows that are masked out."""
    index, count = process
    share = batch // count
    for first in range(0, len(rows), batch):
        tokens = rows[first : first + batch]
        empty = batch - len(tokens)
        mask = np.pad(np.ones(tokens.shape, bool), ((0, empty), (0, 0)))
        mine = slice(index * share, (index + 1) * share)
        yield {"tokens": np.pad(tokens, ((0, empty), (0, 0)))[mine], "mask": mask[mine]}
