"""Training and evaluation batches of audio excerpts.

Training batches are random access: `batches[i]` is the batch of step i, so that a
resumed run sees the batches that an uninterrupted run would have seen. Axes: b row,
s sample.
"""

import bisect
import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import grain.python as grain
import numpy as np

from zoo.data.batching.batches import Batch, require_divisible
from zoo.errors import UsageError

T = TypeVar("T")


class HasAudio(Protocol):
    """An object with samples int16 [s]."""

    @property
    def audio(self) -> np.ndarray: ...


@dataclasses.dataclass(frozen=True)
class AudioBatches:
    """Endless training batches of random crops, {"audio": int16 [b / processes, s]}.

    The excerpts of an epoch are shuffled by (seed, epoch) and cropped by (seed, row of
    the run). An excerpt that is shorter than a crop is padded with silence.

    Attributes:
      batch: rows in a batch, over all processes.
      length: samples in a crop.
      process: index of this process, and number of processes.

    Raises:
      UsageError: there are fewer than `batch` excerpts, or `batch` is not a multiple of
        the number of processes.
    """

    excerpts: Sequence[HasAudio]
    batch: int
    length: int
    _: dataclasses.KW_ONLY
    seed: int = 0
    process: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if self.batch > len(self.excerpts):
            raise UsageError(
                f"batch={self.batch} is larger than the number of excerpts, "
                f"{len(self.excerpts)}: reduce batch, or add recordings."
            )
        require_divisible(self.batch, self.process[1])

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        dataset = grain.MapDataset.source(self.excerpts).seed(self.seed)
        dataset = dataset.shuffle().repeat().random_map(self.crop)
        return dataset.batch(self.batch // self.process[1])

    def crop(self, excerpt: HasAudio, rng: np.random.Generator) -> Batch:
        """Crops an excerpt at random."""
        last = max(0, len(excerpt.audio) - self.length)
        start = int(rng.integers(0, last, endpoint=True))
        return {"audio": pad_or_trim(excerpt.audio[start:], self.length)}

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


@dataclasses.dataclass(frozen=True)
class MixedBatches:
    """Endless training batches with as many rows of each of several sources.

    Attributes:
      sources: the batches of each; their rows are joined in this order.
    """

    sources: Sequence[AudioBatches]

    def __getitem__(self, step: int) -> Batch:
        parts = [source[step] for source in self.sources]
        return {
            name: np.concatenate([part[name] for part in parts]) for name in parts[0]
        }


class Joined(Sequence[T]):
    """Sequences one after the other."""

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self.parts = parts
        self.ends = list(itertools.accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> T:  # type: ignore[override]
        index = range(len(self))[index]
        part = bisect.bisect_right(self.ends, index)
        return self.parts[part][index - self.ends[part]]


def pad_or_trim(audio: np.ndarray, length: int) -> np.ndarray:
    """Returns the first `length` samples, padded with silence."""
    return np.pad(audio[:length], (0, max(0, length - len(audio))))


def audio_eval_batches(
    excerpts: Sequence[HasAudio],
    batch: int,
    length: int,
    process: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Yields the first `length` samples of every excerpt once, for evaluation.

    Batches are {"audio": int16 [b / processes, length], "mask": bool [b / processes]}.
    The last batch is filled with rows that are masked out.

    Args:
      batch: rows in a batch, over all processes.
      process: index of this process, and number of processes.
    """
    index, count = process
    share = batch // count
    for first in range(0, len(excerpts), batch):
        numbers = np.arange(first, first + batch)[index * share :][:share]
        mask = numbers < len(excerpts)
        rows = [
            pad_or_trim(excerpts[number].audio, length)
            for number in np.where(mask, numbers, 0).tolist()
        ]
        yield {"audio": np.stack(rows), "mask": mask}
