"""Recordings and rendered notes as samples."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.core import Batch
from zoo.data.audio.batches import AudioBatches, audio_eval_batches
from zoo.data.audio.datasets import AudioSplit, audio_dataset, open_split
from zoo.data.codecs.base import Fit
from zoo.data.codecs.waveform import Waveform
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.listen.audio_page import AudioComparison, write_audio_page
from zoo.ranges import BatchSize, Hertz, Samples, Seconds, checked
from zoo.tasks.base import Process, cached_method


@dataclasses.dataclass(frozen=True)
@checked
class Audio:
    """Crops of excerpts: notes, or parts of recordings."""

    SIZES: ClassVar[tuple[str, ...]] = ("rate",)

    corpus: str = "soundfont_notes"
    """soundfont_notes, audio_folder:/path/to/recordings, rendered:tunes,
    spoken:flite/slt, sung:tunes/flite/slt (corpus, engine and voice), or
    tfds:nsynth."""
    hertz: Hertz = 16_000
    """Sample rate, in hertz; recordings of another rate are resampled."""
    seconds: Seconds = 4.0
    """Length of an excerpt, in seconds."""
    _: dataclasses.KW_ONLY
    length: Samples = 16_384
    """Length of a training crop, in samples."""
    batch: BatchSize = 16
    """Crops of a batch, over all devices."""

    @functools.cached_property
    def coder(self) -> Waveform:
        return Waveform(self.hertz)

    @property
    def sizes(self) -> Mapping[str, Any]:
        return {"rate": self.coder.rate}

    def minima(self, corpus: str | None = None) -> Mapping[str, int]:
        return {}

    def data_digest(self) -> str:
        dataset = audio_dataset(self.corpus, self.coder.rate, self.seconds)
        return dataset.home(pathlib.Path()).name  # it changes with the contents

    @cached_method
    def excerpts(self, split: str, corpus: str | None = None) -> AudioSplit:
        """Returns the excerpts of a split.

        Raises:
          UsageError: they are shorter than a training crop.
        """
        dataset = audio_dataset(corpus or self.corpus, self.coder.rate, self.seconds)
        if self.length > dataset.length:
            raise UsageError(
                f"crops of {self.length} samples are longer than excerpts of "
                f"{dataset.length}: lower length, or raise seconds."
            )
        return open_split(dataset, split)

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> AudioBatches:
        return AudioBatches(
            self.excerpts("train"),
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
        length = audio_dataset(
            corpus or self.corpus, self.coder.rate, self.seconds
        ).length
        excerpts = self.excerpts(split, corpus)
        return audio_eval_batches(excerpts, batch or self.batch, length, process)

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        return [
            self.coder.decode(excerpt.audio)[:length]
            for excerpt in self.excerpts(split, corpus)
        ]

    def fit_primer(self, piece: NoteSequence, missing: Sequence[str] = ()) -> Fit:
        raise UsageError("a model of audio continues no score: leave the primer out.")

    def write_page(
        self, model: Any, folder: pathlib.Path, n: int, *, seed: int, title: str
    ) -> None:
        """Writes excerpts of the test split beside their reconstructions."""
        if not n:
            return
        excerpts = self.excerpts("test")
        numbers = np.linspace(0, len(excerpts) - 1, min(n, len(excerpts))).astype(int)
        pairs = []
        for number in numbers.tolist():
            original = self.coder.decode(excerpts[number].audio)
            made = model.reconstruct(original[None], seed)[0]
            versions = {"original": original, "reconstruction": made}
            pairs.append(AudioComparison(excerpts[number].id, versions))
        write_audio_page(pairs, folder, self.coder.rate, title=title)
