"""Music as phrases of a number of bars, each a row of its own."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from zoo.core import Batch
from zoo.data.batching.batches import CropBatches, padded_eval_batches
from zoo.data.batching.encoded import corpus_pieces
from zoo.data.batching.phrases import extract_phrases, require_styles
from zoo.data.codecs import make
from zoo.data.codecs.chorale import VOICES
from zoo.data.pieces import InMemoryPieces, Pieces
from zoo.ranges import Bars, BatchSize, Pitch, Semitones, checked
from zoo.tasks.base import Label, MusicTask, Process, cached_method


@dataclasses.dataclass(frozen=True)
@checked
class Phrases(MusicTask):
    """Phrases of a melody, of four voices, or of drums."""

    SIZES: ClassVar[tuple[str, ...]] = (
        "vocab",
        "bars",
        "steps",
        "voices",
        "length",
        "styles",
    )

    corpus: str = "tunes"
    """tunes, essen, folder:/path/to/files, or a union such as tunes+essen."""
    bars: Bars = 2
    """Bars of a phrase."""
    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    """Metres to read: the first, and others whose bars divide one of it."""
    _: dataclasses.KW_ONLY
    batch: BatchSize = 128
    """Phrases of a batch, over all devices."""
    transpose: Semitones = 5
    """Largest random transposition in training, in semitones."""
    metre: str = ""
    """The metre of all pieces, such as 3/4, in place of those that they state."""
    styles: tuple[str, ...] = ()
    """Styles to condition on; pieces of other styles are left out. None for all
    pieces."""
    label: Label = "style"
    """The label that styles are values of: style (irish), mode (major) or metre
    (4/4)."""
    codec: Literal["phrase", "quartet", "drums"] = "phrase"
    """Part of a piece to read: one melody, four voices, or the drums."""

    @functools.cached_property
    def coder(self) -> Any:
        return make(self.codec, bars=self.bars, metres=self.metres)

    @property
    def sizes(self) -> Mapping[str, Any]:
        return {**self.coder.dimensions, "styles": self.styles}

    @property
    def training_pieces(self) -> Pieces:
        return corpus_pieces(self.spec(), "train", self.coder.source)

    @cached_method
    def rows(
        self, split: str, corpus: str | None = None, stride: int = 0
    ) -> InMemoryPieces:
        """Returns the phrases of a split that begin at every `stride`-th bar.

        By default they do not overlap.
        """
        codec = self.coder
        pieces = corpus_pieces(self.spec(corpus), split, codec.source)
        labels = pieces.labels(self.label) if self.styles else ()
        return extract_phrases(
            pieces,
            codec,
            stride or codec.bars,
            styles=self.styles,
            labels=labels,
        )

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> CropBatches:
        if self.styles:
            labels = self.training_pieces.labels(self.label)
            require_styles(self.styles, labels)
        return CropBatches(
            self.rows("train", stride=1),
            self.coder,
            batch=self.batch,
            length=self.coder.length,
            seed=seed,
            transpose=self.transpose,
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
        rows = self.rows(split, corpus)
        return padded_eval_batches(
            rows, batch or self.batch, process, self.coder.length
        )

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        return self.rows(split, corpus)


@dataclasses.dataclass(frozen=True)
@checked
class MultitrackPhrases(Phrases):
    """Phrases of several tracks as binary piano rolls."""

    SIZES: ClassVar[tuple[str, ...]] = (
        "tracks",
        "conditioning",  # names of tracks, which the options of a task alone decide
        "polyphonic",
        "bars",
        "steps",
        "pitches",
        "styles",
    )

    corpus: str = "chorales"
    """chorales, folder:/path/to/files, or another corpus."""
    bars: Bars = 2
    """Bars of a phrase."""
    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    """Metres to read: the first, and others whose bars divide one of it."""
    _: dataclasses.KW_ONLY
    codec: Literal["multitrack"] = "multitrack"  # type: ignore[assignment]
    """Codec from scores to piano rolls: multitrack."""
    tracks: tuple[str, ...] = VOICES
    """The four voices of a chorale, or some of melody, drums, bass, guitar, piano and
    strings."""
    keys: tuple[Pitch, Pitch] = (36, 83)
    """The lowest and the highest key, as MIDI numbers."""

    @functools.cached_property
    def coder(self) -> Any:
        low, high = self.keys
        return make(
            "multitrack",
            bars=self.bars,
            metres=self.metres,
            tracks=self.tracks,
            low=low,
            high=high,
        )
