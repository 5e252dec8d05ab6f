"""Pieces as the latents of their phrases, for models that write a piece phrase by phrase.

A dance tune is played round until the dance is over: so is every piece here, until there are as
many phrases as are asked for. Axes: b row, u phrase, z latent.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from zoo.core import Batch
from zoo.data.batching.encoded import corpus_pieces
from zoo.errors import UsageError
from zoo.inference.latent_space import Space
from zoo.inference.model import Trained, load
from zoo.metrics.repetition import form
from zoo.metrics.self_similarity import consistency
from zoo.models import LatentDiffusion, LatentMDN, MusicVAE
from zoo.nn.latent.latent_sequence import principal
from zoo.runner.run import Task, connected, run
from zoo.train.optim import Adam
from zoo.train.options import Options


@dataclasses.dataclass(frozen=True)
class Rounds:
    """What a model of latents is trained on."""

    corpus: str = ""
    """What the autoencoder was trained on, unless another is named."""
    parts: int = 32
    """Phrases of a piece."""
    batch: int = 32
    """Pieces in a batch, over all devices."""
    transpose: int = 2
    """Most semitones up or down by which a piece is moved, at random, in training."""
    styles: tuple[str, ...] = ()
    """Those that the model is told of, and no other is read; by default the autoencoder's."""


@dataclasses.dataclass(frozen=True)
class Walks:
    """Training batches without end: `walks[i]` is this process's part of the batch of step i.

    A row is a piece that begins at any of its phrases and is played round.
    """

    pieces: list[np.ndarray]  # [u, z] each
    styles: np.ndarray | None
    parts: int
    batch: int
    seed: int = 0
    process: tuple[int, int] = (0, 1)

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step))
        chosen = rng.integers(0, len(self.pieces), self.batch)
        begin = rng.integers(0, [len(self.pieces[i]) for i in chosen])
        return self.rows(chosen[self.mine], begin[self.mine])

    @property
    def mine(self) -> slice:
        """The rows of a batch that are this process's."""
        index, count = self.process
        return slice(index * self.batch // count, (index + 1) * self.batch // count)

    def rows(self, chosen: np.ndarray, begin: np.ndarray) -> Batch:
        """The pieces `chosen` [b] from the phrases `begin` [b] on."""
        rounds = [
            self.pieces[i].take(range(at, at + self.parts), axis=0, mode="wrap")
            for i, at in zip(chosen, begin, strict=True)
        ]
        batch = {
            "latents": np.stack(rounds),
            "mask": np.ones((len(chosen), self.parts), bool),
        }
        return batch | (
            {"style": self.styles[chosen]} if self.styles is not None else {}
        )

    def once(self) -> Iterator[Batch]:
        """Every piece once, from its beginning; the last batch is filled with what is masked."""
        for first in range(0, len(self.pieces), self.batch):
            numbers = np.arange(first, first + self.batch)[self.mine]
            there = numbers < len(self.pieces)
            batch = self.rows(np.where(there, numbers, 0), np.zeros(len(numbers), int))
            yield {**batch, "mask": batch["mask"] & there[:, None]}


def told(
    space: Space,
    pieces: Sequence[np.ndarray],
    of: Sequence[str],
    styles: tuple[str, ...],
    most: int,
) -> tuple[list[np.ndarray], np.ndarray | None, list[np.ndarray]]:
    """Pieces as latents, in every key up to `most` semitones away; their styles; their phrases."""
    codec = space.melody
    found: list[np.ndarray] = []
    numbers = []
    for piece, style in zip(pieces, of, strict=True):
        rows = codec.crops(piece, codec.bars)
        if not rows or (styles and style not in styles):
            continue
        for semitones in range(-most, most + 1):
            if all(semitones in codec.reach(row) for row in rows):
                found.append(
                    np.stack([codec.transpose(row, semitones) for row in rows])
                )
                numbers.append(styles.index(style) if styles else 0)
    if not found:
        raise UsageError(
            "there is no piece of these styles and metres: choose others, or more."
        )
    of_each = np.repeat(numbers, [len(rows) for rows in found])
    shares = np.eye(len(styles), dtype=np.float32)[of_each] if space.styles else None
    means = space.means(np.concatenate(found), shares)
    cuts = np.cumsum([len(rows) for rows in found])[:-1]
    return np.split(means, cuts), np.array(numbers, np.int32) if styles else None, found


def held_out(model: Trained, spec: str, split: str, batch: int) -> Iterable[Batch]:
    """A split of a corpus, every piece of it once, as a `model` of latents reads it."""
    family: Any = model.family
    whole: Any = model.codec
    codec = dataclasses.replace(whole, bars=family.vae.bars)
    space = Space(Trained(family.vae, model.params["vae"], codec, {}))
    lines = corpus_pieces(spec, split, codec.whole)
    latents, styles, _ = told(space, lines, lines.labels("style"), family.styles, 0)
    return Walks(latents, styles, family.parts, batch).once()


def rounds(
    family: Callable[[MusicVAE, tuple[str, ...]], LatentDiffusion | LatentMDN],
    *,
    vae: str | pathlib.Path,
    name: str,
    workdir: str | pathlib.Path,
    steps: int,
    music: Rounds,
    adam: Adam = Adam(),
    options: Options = Options(),
    samples: int = 8,
    drawn: int = 64,
) -> dict[str, Any]:
    """As `zoo.runner.experiment.events`, for `family(autoencoder, styles)`, over latents of the run `vae`.

    `drawn` pieces are compared with real ones, 0 for none, by `zoo.metrics.self_similarity` and
    `zoo.metrics.repetition`.
    """
    began = time.perf_counter()
    process = connected(options, music.batch)
    model = load(vae)
    space, walks, real = Space(model), {}, {}
    corpus, styles = (
        music.corpus or model.about["music"]["corpus"],
        music.styles or space.styles,
    )
    music = dataclasses.replace(music, corpus=corpus, styles=styles)
    for split in ("train", "validation", "test"):
        lines = corpus_pieces(music.corpus, split, space.melody.whole)
        most = music.transpose if split == "train" else 0
        latents, of, real[split] = told(
            space, lines, lines.labels("style"), styles, most
        )
        walks[split] = Walks(
            latents, of, music.parts, music.batch, options.seed, process
        )
    assert isinstance(model.family, MusicVAE)
    codec = dataclasses.replace(space.melody, bars=music.parts * model.family.bars)
    whole = [played_round(rows, music.parts) for rows in real["test"]]
    task = Task(
        name, codec, walks["train"], lambda split: walks[split].once(), whole[:3], music
    )

    def finish(
        trained: Trained, over: Callable[[str], Iterable[Batch]]
    ) -> dict[str, float]:
        if not drawn:
            return {}
        tokens, played = trained.tokens(drawn, options.seed), np.stack(whole)
        return {**consistency(tokens, played, codec), **form(tokens, played, codec)}

    net = family(model.family, styles)
    norm = principal(np.concatenate(walks["train"].pieces), net.axes)
    given = {"vae": model.params, "norm": norm}
    return run(net, task, workdir, steps, adam, options, samples, finish, began, given)


def played_round(phrases: np.ndarray, parts: int) -> np.ndarray:
    """Phrases [u, t] as one piece of `parts` of them."""
    return phrases.take(range(parts), axis=0, mode="wrap").reshape(-1)
