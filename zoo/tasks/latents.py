"""Pieces as the latents of their phrases, for models that write a piece phrase by
phrase.

A dance tune is repeated until the dance is over: so is every piece here, until there
are as many phrases as a piece is to have. Axes: b row, u phrase, t step, z latent.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from zoo import memory
from zoo.core import Batch
from zoo.data.batching.encoded import corpus_pieces
from zoo.data.codecs.base import Fit, fit_line
from zoo.data.pieces import Pieces
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.ranges import BatchSize, Parts, Semitones, checked
from zoo.tasks.base import (
    Label,
    MusicTask,
    Process,
    cached_method,
    refusals,
)

# (phrases int [n, t], shares of styles [n, y] or None) -> latents [n, z]
Encode = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclasses.dataclass(frozen=True)
@checked
class LatentSequences(MusicTask):
    """Sequences of latents of an autoencoder of phrases.

    The autoencoder is bound by `zoo.tasks.bound(task, coder=..., encode=...)`: the
    codec of whole pieces, and a function from phrases to latents.
    """

    SIZES: ClassVar[tuple[str, ...]] = ("parts", "styles", "vae")

    corpus: str = ""
    """A corpus; by default the one that the autoencoder was trained on."""
    parts: Parts = 32
    """Phrases of a piece."""
    batch: BatchSize = 32
    """Pieces of a batch, over all devices."""
    _: dataclasses.KW_ONLY
    transpose: Semitones = 2
    """Largest transposition in training, in semitones; each is a piece of its own."""
    metre: str = ""
    """The metre of all pieces, such as 3/4, in place of those that they state."""
    styles: tuple[str, ...] = ()
    """Styles to condition on; by default those of the autoencoder."""
    label: Label = "style"
    """The label that styles are values of: style (irish), mode (major) or metre
    (4/4)."""

    @functools.cached_property
    def coder(self) -> Any:
        raise UsageError(
            "the task has no autoencoder yet: bind one by `zoo.tasks.bound`, or "
            "train by "
            "`zoo.runner.train_on_latents`."
        )

    @functools.cached_property
    def encode(self) -> Encode:
        return self.coder  # raises the same error

    @property
    def sizes(self) -> Mapping[str, Any]:
        return {"parts": self.parts, "styles": self.styles}

    @property
    def training_pieces(self) -> Pieces:
        return corpus_pieces(self.spec(), "train", self.phrase_coder.source)

    @property
    def phrase_coder(self) -> Any:
        """The codec of one phrase."""
        return dataclasses.replace(self.coder, bars=self.coder.bars // self.parts)

    @cached_method
    def phrases(
        self, split: str, corpus: str | None = None
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Returns pieces as phrases [u, t], in all transpositions, and their styles
        [n].

        Raises:
          UsageError: there is no piece of the task's styles and metres.
        """
        codec = self.phrase_coder
        limit = self.transpose if split == "train" and corpus is None else 0
        streams = corpus_pieces(self.spec(corpus), split, codec.source)
        pieces: list[np.ndarray] = []
        numbers: list[int] = []
        for stream, style in zip(streams, streams.labels(self.label), strict=True):
            rows = codec.crops(stream, codec.bars)
            if not rows or (self.styles and style not in self.styles):
                continue
            for semitones in range(-limit, limit + 1):
                if all(semitones in codec.reach(row) for row in rows):
                    moved = [codec.transpose(row, semitones) for row in rows]
                    pieces.append(np.stack(moved))
                    numbers.append(self.styles.index(style) if self.styles else 0)
        if not pieces:
            raise UsageError(
                "there is no piece of these styles and metres: choose others, or a "
                "larger "
                "corpus."
            )
        return pieces, np.array(numbers, np.int32)

    @cached_method
    def sequences(
        self, split: str, corpus: str | None = None
    ) -> tuple[list[np.ndarray], np.ndarray | None]:
        """Returns pieces as latents [u, z], and their styles [n] if the task has
        any."""
        pieces, styles = self.phrases(split, corpus)
        counts = [len(piece) for piece in pieces]
        shares = np.eye(max(1, len(self.styles)), dtype=np.float32)[
            np.repeat(styles, counts)
        ]
        conditioned = shares if self.styles else None
        latents = self.encode(np.concatenate(pieces), conditioned)
        sequences = np.split(latents, np.cumsum(counts)[:-1])
        return sequences, styles if self.styles else None

    def train_batches(self, seed: int = 0, process: Process = (0, 1)) -> "Repeats":
        return Repeats(
            *self.sequences("train"),
            parts=self.parts,
            batch=self.batch,
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
        sequences, styles = self.sequences(split, corpus or self.corpus)
        repeats = Repeats(
            sequences,
            styles,
            parts=self.parts,
            batch=batch or self.batch,
            process=process,
        )
        return repeats.once()

    def examples(
        self, split: str, *, corpus: str | None = None, length: int | None = None
    ) -> Sequence[np.ndarray]:
        pieces, _ = self.phrases(split, corpus or self.corpus)
        return [repeated(piece, self.parts) for piece in pieces]

    def fit_primer(self, piece: NoteSequence, missing: Sequence[str] = ()) -> Fit:
        with refusals(self.coder):
            phrases, remarks = fit_line(
                self.phrase_coder, lambda codec: codec.fit_phrases(piece)
            )
        return Fit(phrases.reshape(-1, *phrases.shape[2:]), remarks)


@dataclasses.dataclass(frozen=True)
class Repeats:
    """Training batches without end: `batches[i]` is this process's part of that of step
    i.

    A row is a piece that begins at a random phrase and is repeated until it is full.
    """

    pieces: list[np.ndarray]  # [u, z] each
    styles: np.ndarray | None
    _: dataclasses.KW_ONLY
    parts: int
    batch: int
    seed: int = 0
    process: Process = (0, 1)

    def __post_init__(self) -> None:
        memory.require(
            self.batch // self.process[1] * self.parts * self.pieces[0][:1].nbytes,
            f"a batch of {self.batch:,} pieces of {self.parts:,} phrases",
            "lower `batch` or `parts`",
        )

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step))
        chosen = rng.integers(0, len(self.pieces), self.batch)
        begin = rng.integers(0, [len(self.pieces[i]) for i in chosen])
        return self.rows(chosen[self.share], begin[self.share])

    @property
    def share(self) -> slice:
        """The rows of a batch that are this process's."""
        index, count = self.process
        return slice(index * self.batch // count, (index + 1) * self.batch // count)

    def rows(self, chosen: np.ndarray, begin: np.ndarray) -> Batch:
        """Returns the pieces `chosen` [b] from the phrases `begin` [b] on."""
        rows = [
            self.pieces[i].take(range(at, at + self.parts), axis=0, mode="wrap")
            for i, at in zip(chosen, begin, strict=True)
        ]
        mask = np.ones((len(chosen), self.parts), bool)
        batch = {"latents": np.stack(rows), "mask": mask}
        if self.styles is not None:
            batch["style"] = self.styles[chosen]
        return batch

    def once(self) -> Iterator[Batch]:
        """Yields every piece once, from its beginning; the last batch is padded."""
        for first in range(0, len(self.pieces), self.batch):
            numbers = np.arange(first, first + self.batch)[self.share]
            real = numbers < len(self.pieces)
            batch = self.rows(np.where(real, numbers, 0), np.zeros(len(numbers), int))
            yield {**batch, "mask": batch["mask"] & real[:, None]}


def repeated(phrases: np.ndarray, parts: int) -> np.ndarray:
    """Returns phrases [u, t, ..] as a piece of `parts` phrases, repeated in turn."""
    rows = phrases.take(range(parts), axis=0, mode="wrap")
    return rows.reshape(-1, *phrases.shape[2:])
