"""From excerpts of recordings to batches: `batches[i]` is that of step i, in any run or resume."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Protocol

import grain.python as grain
import numpy as np

from zoo.data.batching.batches import Batch, require_divisible
from zoo.errors import UsageError


class HasAudio(Protocol):
    """Whatever has samples int16 [s]."""

    @property
    def audio(self) -> np.ndarray: ...


@dataclasses.dataclass(frozen=True)
class AudioBatches:
    """Training batches without end of crops, {"audio": int16 [b / processes, length]}.

    The excerpts of an epoch are shuffled by (seed, epoch), and each is cropped by (seed, row of the
    run), so that any batch can be had without those before it. One that is shorter than a crop has
    silence after it.

    Raises:
      UsageError: there are fewer excerpts than rows, or a batch that cannot be shared out.
    """

    excerpts: Sequence[HasAudio]
    batch: int
    length: int
    seed: int = 0
    process: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if self.batch > len(self.excerpts):
            raise UsageError(
                f"a batch of {self.batch} is more than {len(self.excerpts)} excerpts: lower "
                "--batch, or add recordings."
            )
        require_divisible(self.batch, self.process[1])

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        dataset = (
            grain.MapDataset.source(self.excerpts).seed(self.seed).shuffle().repeat()
        )
        return dataset.random_map(self.crop).batch(self.batch // self.process[1])

    def crop(self, excerpt: HasAudio, rng: np.random.Generator) -> Batch:
        """Some of it."""
        start = int(
            rng.integers(0, max(0, len(excerpt.audio) - self.length), endpoint=True)
        )
        return {"audio": pad_or_trim(excerpt.audio[start:], self.length)}

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


def pad_or_trim(audio: np.ndarray, length: int) -> np.ndarray:
    """The first `length` samples, silence after the last."""
    return np.pad(audio[:length], (0, max(0, length - len(audio))))


def audio_eval_batches(
    excerpts: Sequence[HasAudio],
    batch: int,
    length: int,
    process: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """The first `length` samples of every excerpt once, which is what is measured: {"audio": int16
    [b / processes, length], "mask": bool [b / processes]}. The last batch is filled with rows that
    are masked out."""
    index, count = process
    share = batch // count
    for first in range(0, len(excerpts), batch):
        numbers = np.arange(first, first + batch)[index * share :][:share]
        there = numbers < len(excerpts)
        rows = [
            pad_or_trim(excerpts[int(i) if i < len(excerpts) else 0].audio, length)
            for i in numbers
        ]
        yield {"audio": np.stack(rows), "mask": there}
