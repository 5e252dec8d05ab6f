"""Music as a row of values at each step: piano rolls, voices, or notes."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo.core import Batch
from zoo.data.batching.batches import CropBatches, padded_eval_batches
from zoo.data.batching.encoded import corpus_pieces, file_codec
from zoo.data.batching.phrases import require_styles, select_styles, split_excerpts
from zoo.data.codecs import make
from zoo.data.codecs.base import Codec
from zoo.data.pieces import InMemoryPieces, Pieces
from zoo.errors import UsageError, ZooError
from zoo.ranges import BatchSize, Length, Semitones, StepsPerQuarter, checked
from zoo.tasks.base import SPLITS, Label, MusicTask, Process, cached_method


@dataclasses.dataclass(frozen=True)
@checked
class Frames(MusicTask):
    """Frames of several values at each step; a row is one piece, or a crop of one."""

    SIZES: ClassVar[tuple[str, ...]] = ("vocab", "keys", "voices", "length")

    corpus: str = "chorales"
    """A .mat or .pickle file of piano rolls, a .json or .npz file of chorales, the name
    of one (musedata, piano-midi, jsb-rolls, nottingham-rolls, jsb16), or a corpus such
    as chorales or folder:/path/to/files."""
    codec: str = "pianoroll"
    """Codec from scores to frames: pianoroll or voices. A file of either decides it."""
    batch: BatchSize = 16
    """Rows of a batch, over all devices."""
    _: dataclasses.KW_ONLY
    length: Length = 256
    """Frames of a row."""
    transpose: Semitones = 0
    """Largest random transposition in training, in semitones."""
    styles: tuple[str, ...] = ()
    """Styles to condition on; pieces of other styles are left out. None for all
    pieces."""
    label: Label = "style"
    """The label that styles are values of: style (irish), mode (major) or metre
    (4/4)."""
    steps_per_quarter: StepsPerQuarter = 1
    """Steps of a file of piano rolls in a quarter note, for playback alone: 1 in
    JSB_Chorales, 2 in Nottingham."""
    metre: str = ""
    """The metre of all pieces, such as 3/4, in place of those that they state."""
    metres: tuple[str, ...] = ()
    """Metres that the codec reads; by default all that it can."""

    @functools.cached_property
    def coder(self) -> Codec:
        codec = file_codec(self.corpus, self.steps_per_quarter)
        if codec is None:
            fields: dict[str, Any] = {}
            if self.codec == "pianoroll":
                fields["onsets"] = False
            if self.metres:
                fields["metres"] = self.metres
            codec = make(self.codec, **fields)
        if not codec.frame_shape:
            raise UsageError(
                f"the codec {self.codec} writes single events: choose pianoroll or "
                "voices."
            )
        return codec

    @property
    def sizes(self) -> Mapping[str, Any]:
        return {**self.coder.dimensions, "length": self.length}

    @cached_method
    def minima(self, corpus: str | None = None) -> Mapping[str, int]:
        """Returns the slots for the voices, or for the fullest frame of any split."""
        voices = self.coder.dimensions.get("voices")
        if voices is not None:
            return {"slots": voices}
        counts = []
        for split in SPLITS:
            with contextlib.suppress(ZooError):  # a small corpus may lack the split
                pieces = corpus_pieces(self.spec(corpus), split, self.coder)
                counts.append(pieces.most_at_once)
        return {"slots": max(counts, default=0)}

    @property
    def training_pieces(self) -> Pieces:
        return corpus_pieces(self.spec(), "train", self.coder)

    @cached_method
    def pieces(self, split: str, corpus: str | None = None) -> Pieces:
        """Returns the pieces of a split, of the task's styles alone.

        Raises:
          UsageError: the file has frames of another size.
        """
        spec = self.spec(corpus)
        pieces = corpus_pieces(spec, split, self.coder)
        if tuple(pieces.shape) != tuple(self.coder.frame_shape):
            raise UsageError(
                f"the model reads frames of shape {tuple(self.coder.frame_shape)}, and "
                f"{spec} has {tuple(pieces.shape)}: evaluate it on what it was trained "
                "on, or on a corpus."
            )
        if not self.styles:
            return pieces
        return select_styles(pieces, self.styles, pieces.labels(self.label))

    def train_pieces(self) -> Pieces:
        """Returns the pieces to train on.

        Raises:
          UsageError: one of the styles is not among them.
        """
        if self.styles:
            labels = self.training_pieces.labels(self.label)
            require_styles(self.styles, labels)
        return self.pieces("train")

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> CropBatches:
        return self.crops(seed, process, context=True)

    def crops(self, seed: int, process: Process, *, context: bool) -> CropBatches:
        """Returns batches of crops, the first eighth of each unscored with
        `context`."""
        return CropBatches(
            self.train_pieces(),
            self.coder,
            batch=self.batch,
            length=self.length,
            seed=seed,
            transpose=self.transpose,
            process=process,
            context=context,
        )

    def eval_batches(
        self,
        split: str,
        *,
        corpus: str | None = None,
        batch: int | None = None,
        process: Process = (0, 1),
    ) -> Iterable[Batch]:
        return padded_eval_batches(
            self.pieces(split, corpus), batch or self.batch, process
        )

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        return [piece[:length] for piece in self.pieces(split, corpus)]


@dataclasses.dataclass(frozen=True)
@checked
class NoteRows(Frames):
    """Excerpts of notes, a row of seven values each, in the compound encoding."""

    SIZES: ClassVar[tuple[str, ...]] = ("sizes", "styles", "length")

    corpus: str = "tunes"
    """tunes, essen, chorales, folder:/path/to/files, or a union such as tunes+essen."""
    codec: str = "compound"
    """Codec from scores to rows of values: compound."""
    batch: BatchSize = 32
    """Excerpts of a batch, over all devices."""
    _: dataclasses.KW_ONLY
    length: Length = 32
    """Notes of an excerpt."""

    @property
    def sizes(self) -> Mapping[str, Any]:
        return {
            **self.coder.dimensions,
            "length": self.length,
            "styles": self.styles,
        }

    @cached_method
    def pieces(self, split: str, corpus: str | None = None) -> InMemoryPieces:
        return split_excerpts(super().pieces(split, corpus), self.length)

    def eval_batches(
        self,
        split: str,
        *,
        corpus: str | None = None,
        batch: int | None = None,
        process: Process = (0, 1),
    ) -> Iterable[Batch]:
        rows = self.pieces(split, corpus)
        return padded_eval_batches(rows, batch or self.batch, process, self.length)

    def train_pieces(self) -> Pieces:
        super().train_pieces()  # checks the styles
        return super().pieces("train")

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> CropBatches:
        return self.crops(seed, process, context=False)
