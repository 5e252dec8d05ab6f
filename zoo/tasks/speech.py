"""Sentences with their phonemes, spoken by one or more voices."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.core import Batch
from zoo.data.audio.datasets import AudioSplit, audio_dataset, open_split
from zoo.data.audio.speech_batches import (
    SpeechBatches,
    SpeechRows,
    speech_eval_batches,
)
from zoo.data.audio.spoken import PREFIX, SpokenSentences
from zoo.data.codecs.base import Fit
from zoo.data.codecs.spoken_text import SpokenText
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError, require, shown
from zoo.listen.audio_page import AudioComparison, write_audio_page
from zoo.ranges import BatchSize, Hertz, Length, Seconds, checked
from zoo.tasks.base import Process, cached_method


@dataclasses.dataclass(frozen=True)
@checked
class Speech:
    """Whole sentences: phonemes with the samples at which they end, and the sound."""

    SIZES: ClassVar[tuple[str, ...]] = ("rate", "vocab", "voices")

    corpus: str = "spoken:flite/slt+flite/rms"
    """Voices with + between them, such as spoken:flite/slt+flite/rms."""
    hertz: Hertz = 16_000
    """Sample rate, in hertz."""
    seconds: Seconds = 5.0
    """Longest sentence, in seconds; longer ones are left out."""
    _: dataclasses.KW_ONLY
    tokens: Length = 112
    """Tokens of a row: phonemes, pauses and ends of words."""
    batch: BatchSize = 16
    """Sentences of a batch, over all devices."""

    @functools.cached_property
    def coder(self) -> SpokenText:
        return SpokenText(self.hertz)

    @property
    def sizes(self) -> Mapping[str, Any]:
        return {
            "rate": self.coder.rate,
            "vocab": self.coder.vocab,
            "voices": self.dataset().voices,
        }

    def minima(self, corpus: str | None = None) -> Mapping[str, int]:
        return {}

    def dataset(self, corpus: str | None = None) -> SpokenSentences:
        """Returns the dataset.

        Raises:
          UsageError: it is not one of speech, or there is no such voice.
        """
        spec = corpus or self.corpus
        require(
            spec.startswith(PREFIX),
            f"{shown(spec)} is no corpus of speech: write as in "
            "spoken:flite/slt+flite/rms.",
        )
        found = audio_dataset(spec, self.coder.rate, self.seconds)
        assert isinstance(found, SpokenSentences)
        return found

    def data_digest(self) -> str:
        return self.dataset().home(pathlib.Path()).name  # it changes with the contents

    @cached_method
    def excerpts(self, split: str, corpus: str | None = None) -> AudioSplit:
        """Returns the sentences of a split."""
        return open_split(self.dataset(corpus), split)

    @property
    def rows(self) -> SpeechRows:
        """The function that makes a row of a sentence."""
        dataset = self.dataset()
        return SpeechRows(dataset.voices, self.tokens, dataset.length)

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> SpeechBatches:
        return SpeechBatches(
            self.excerpts("train"), self.rows, self.batch, seed=seed, process=process
        )

    def eval_batches(
        self,
        split: str,
        *,
        corpus: str | None = None,
        batch: int | None = None,
        process: Process = (0, 1),
    ) -> Iterable[Batch]:
        excerpts = self.excerpts(split, corpus)
        return speech_eval_batches(excerpts, self.rows, batch or self.batch, process)

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        return [
            self.coder.decode(excerpt.audio)[:length]
            for excerpt in self.excerpts(split, corpus)
        ]

    def fit_primer(self, piece: NoteSequence, missing: Sequence[str] = ()) -> Fit:
        raise UsageError("a model of speech continues no score: leave the primer out.")

    def write_page(
        self, model: Any, folder: pathlib.Path, n: int, *, seed: int, title: str
    ) -> None:
        """Writes sentences of the test split beside what the model makes of them.

        Args:
          model: has `speak(text, voice, seed)`, which returns samples float32 [s].
          folder: the folder to write to.
          n: number of sentences.
          seed: of the model.
          title: title of the page.
        """
        if not n:
            return
        excerpts = self.excerpts("test")
        numbers = np.linspace(0, len(excerpts) - 1, min(n, len(excerpts))).astype(int)
        pairs = []
        for number in numbers.tolist():
            one = excerpts[number]
            text, voice = (one.features[x].decode() for x in ("text", "voice"))
            versions = {
                "engine": self.coder.decode(one.audio),
                "model": model.speak(text, voice, seed),
            }
            pairs.append(AudioComparison(f"{text} ({voice})", versions))
        write_audio_page(pairs, folder, self.coder.rate, title=title)
