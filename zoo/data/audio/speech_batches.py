"""Training and evaluation batches of sentences with their phonemes.

Training batches are random access: `batches[i]` is the batch of step i. Axes: b row,
t token, s sample.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import grain.python as grain
import numpy as np

from zoo.data.audio.batches import pad_or_trim
from zoo.data.batching.batches import Batch, require_divisible
from zoo.errors import UsageError, require


class HasSpeech(Protocol):
    """A sentence: samples int16 [s], and features `phonemes`, `ends` and `voice`."""

    @property
    def id(self) -> str: ...

    @property
    def audio(self) -> np.ndarray: ...

    @property
    def features(self) -> Mapping[str, Any]: ...


@dataclasses.dataclass(frozen=True)
class SpeechRows:
    """Rows of fixed shapes.

    Attributes:
      voices: names of the voices; a row has the index of one.
      tokens: tokens of a row.
      samples: samples of a row.
    """

    voices: tuple[str, ...]
    tokens: int
    samples: int

    def __call__(self, sentence: HasSpeech) -> Batch:
        """Returns a row; see `SpeechBatches`.

        Raises:
          UsageError: the sentence has more tokens or samples, or an unknown voice.
        """
        features = sentence.features
        tokens, ends = features["phonemes"], features["ends"]
        voice = features["voice"].decode()
        require(
            voice in self.voices,
            f"{sentence.id} is spoken by {voice}, which is none of "
            f"{', '.join(self.voices)}: choose a corpus of these voices.",
        )
        require(
            len(tokens) <= self.tokens,
            f"{sentence.id} has {len(tokens)} tokens: raise `tokens` to at least that.",
        )
        require(
            len(sentence.audio) <= self.samples,
            f"{sentence.id} has {len(sentence.audio)} samples, and rows have "
            f"{self.samples}: raise `seconds`.",
        )
        empty = self.tokens - len(tokens)
        return {
            "phonemes": np.pad(tokens, (0, empty)).astype(np.int32),
            "ends": np.pad(ends, (0, empty), mode="edge").astype(np.int32),
            "audio": pad_or_trim(sentence.audio, self.samples),
            "samples": np.array(len(sentence.audio), np.int32),
            "voice": np.array(self.voices.index(voice), np.int32),
        }


@dataclasses.dataclass(frozen=True)
class SpeechBatches:
    """Endless training batches of sentences, shuffled by (seed, epoch).

    A batch, of b / processes rows, is {"phonemes": int32 [b, t], "ends": int32 [b, t],
    "audio": int16 [b, s], "samples": int32 [b], "voice": int32 [b]}. Tokens and audio
    are padded with 0. `ends` is the sample at which each token ends, or -1 if it is not
    known; its padding repeats the last one.

    Attributes:
      batch: rows in a batch, over all processes.
      process: index of this process, and number of processes.

    Raises:
      UsageError: there are fewer than `batch` sentences, or `batch` is not a multiple
        of the number of processes.
    """

    sentences: Sequence[HasSpeech]
    rows: SpeechRows
    batch: int
    _: dataclasses.KW_ONLY
    seed: int = 0
    process: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if self.batch > len(self.sentences):
            raise UsageError(
                f"batch={self.batch} is larger than the number of sentences, "
                f"{len(self.sentences)}: reduce batch, or add voices."
            )
        require_divisible(self.batch, self.process[1])

    @functools.cached_property
    def dataset(self) -> grain.MapDataset:
        dataset = grain.MapDataset.source(self.sentences).seed(self.seed)
        dataset = dataset.shuffle().repeat().map(self.rows)
        return dataset.batch(self.batch // self.process[1])

    def __getitem__(self, step: int) -> Batch:
        index, count = self.process
        return self.dataset[step * count + index]


def speech_eval_batches(
    sentences: Sequence[HasSpeech],
    rows: SpeechRows,
    batch: int,
    process: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Yields every sentence once, for evaluation.

    Batches are those of `SpeechBatches` with "mask": bool [b / processes]. The last one
    is filled with rows that are masked out.

    Args:
      sentences: those of a split.
      rows: makes a row of a sentence.
      batch: rows in a batch, over all processes.
      process: index of this process, and number of processes.
    """
    index, count = process
    share = batch // count
    for first in range(0, len(sentences), batch):
        numbers = np.arange(first, first + batch)[index * share :][:share]
        mask = numbers < len(sentences)
        found = [rows(sentences[i]) for i in np.where(mask, numbers, 0).tolist()]
        stacked = {name: np.stack([row[name] for row in found]) for name in found[0]}
        yield {**stacked, "mask": mask}
