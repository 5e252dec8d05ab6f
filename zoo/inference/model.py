"""A trained model: what `zoo.load` returns."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np
from jax.sharding import Mesh

from zoo.config import restore
from zoo.core import (
    AudioAutoencoder,
    LatentSequenceModel,
    Likelihood,
    Params,
    Styled,
    supports,
)
from zoo.errors import UsageError, ZooError, require
from zoo.inference.sampler import Request, Sampler
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Pieces, Seed, require_range
from zoo.tasks.base import Task, bound, refusals
from zoo.train.checkpoint import Checkpoints, shapes
from zoo.train.evaluate import evaluator, plain

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

WEIGHTS = pathlib.Path(__file__).parents[1] / "weights"


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A family with its parameters, its codec, and the task it was trained on.

    Attributes:
      family: the family.
      params: its parameters, one subtree for each network.
      codec: the codec of its arrays; None if the run recorded none.
      task: what it was trained on; None if the run recorded none.
      about: what the checkpoint records, e.g. "experiment", "step" and "seed".
    """

    family: Any
    params: Params
    codec: Any = None
    _: dataclasses.KW_ONLY
    task: Any = None
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the family."""
        return type(self.family).__name__

    @property
    def title(self) -> str:
        """The name of the experiment that trained the model, or of its family."""
        return self.about.get("experiment", self.name)

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that the model is conditioned on, or tells apart."""
        return self.family.styles if supports(self.family, Styled) else ()

    @functools.cached_property
    def sampler(self) -> Sampler:
        return Sampler(self.family, self.params, self.codec)

    def tokens(
        self,
        n: int,
        seed: int = 0,
        *,
        length: int | None = None,
        draw: Draw | None = None,
        primer: np.ndarray | None = None,
        grammar: bool = True,
        **controls: Any,
    ) -> np.ndarray:
        """Draws arrays int [n, length, ..]; row i depends on the seed and i alone.

        `controls` are fields of `Draw`, such as `temperature`, instead of `draw`.
        """
        require_range("n", n, Pieces)
        require_range("seed", seed, Seed)
        request = Request(
            length=length,
            draw=drawing(draw, controls),
            primer=primer,
            grammar=grammar,
        )
        return self.sampler.draw(n, seed, request)

    def sample(
        self,
        n: int = 8,
        seed: int = 0,
        *,
        length: int | None = None,
        draw: Draw | None = None,
        primer: "NoteSequence | None" = None,
        rewrite: Sequence[str] = (),
        span: tuple[int, int] | None = None,
        grammar: bool = True,
        best_of: int = 1,
        judge: Literal["likelihood", "critic"] = "likelihood",
        beam: int | None = None,
        style: str | None = None,
        fixed: Mapping[str, str | int] = MappingProxyType({}),
        **controls: Any,
    ) -> "list[NoteSequence]":
        """Writes `n` pieces, none of them silent.

        Args:
          n: number of pieces.
          seed: seed of the sampling; piece i depends on the seed and i alone.
          length: maximum length of a piece, in events or steps; by default the
            family's.
          draw: how tokens are sampled from their distribution.
          primer: a piece to continue; with `rewrite` or `span`, a piece to change; or
            the tracks that a model accompanies.
          rewrite: voices to rewrite: soprano, alto, tenor, bass; by default all.
          span: the first step to rewrite, and the step after the last.
          grammar: whether to sample only what the codec can write.
          best_of: pieces to draw for each one that is kept.
          judge: what selects them: the likelihood per event, or the model's critic.
          beam: width of a beam search for the likeliest pieces, instead of sampling; it
            may end with fewer than `n`.
          style: name of the style to write in; by default any.
          fixed: values that every note has, by column of the Compound codec, such as
            {"metre": "3/4", "instrument": "flute"}.
          controls: fields of `Draw` instead of `draw`: temperature, top_k, top_p,
            min_p, no_repeat.

        Raises:
          UsageError: the arguments do not fit together, or the family cannot do it.
          ZooError: most of what the model writes is silent.
        """
        require_range("n", n, Pieces)
        require_range("seed", seed, Seed)
        require(
            self.codec is not None,
            f"{self.title} was trained without a codec and writes no music: draw "
            "arrays by `tokens`.",
        )
        begin = None if primer is None else self.encode_primer(primer, rewrite)
        drawn = drawing(draw, controls)
        request = Request(
            length=length,
            draw=drawn,
            primer=begin,
            free=self.region(begin, rewrite, span),
            grammar=grammar,
            best_of=best_of,
            judge=judge,
            style=None if style is None else self.style_index(style),
            fixed=self.constraint(fixed),
        )
        if beam is not None:
            rows = self.sampler.search(beam, request)
            if pieces := self.sounding(rows):
                return pieces[:n]
        else:
            for count in (n, 2 * n, 8 * n):  # row i does not depend on the count
                pieces = self.sounding(self.sampler.draw(count, seed, request))
                if len(pieces) >= n:
                    return pieces[:n]
        raise ZooError("the model writes pieces without notes: train it for longer.")

    def log_prob(self, pieces: "Sequence[NoteSequence]") -> np.ndarray:
        """Returns the log-likelihood of pieces, float [n], in nats.

        Raises:
          UsageError: the family has no likelihood, or the codec refuses a piece.
        """
        require(
            supports(self.family, Likelihood),
            f"{self.name} has no likelihood: load a model that has one.",
        )
        arrays = [self.encode(piece) for piece in pieces]
        length = max(map(len, arrays))
        pad = lambda x: np.pad(x, [(0, length - len(x))] + [(0, 0)] * (x.ndim - 1))
        rows = np.stack([pad(array) for array in arrays])
        mask = np.arange(length) < np.array([len(x) for x in arrays])[:, None]
        return self.sampler.log_prob(rows, mask)

    def encode(self, piece: "NoteSequence") -> np.ndarray:
        """Encodes a piece by the model's codec.

        Raises:
          UsageError: the codec refuses it.
        """
        with refusals(self.codec):
            return self.codec.encode(piece)

    def evaluate(
        self, split: str = "test", *, corpus: str | None = None, batch: int = 32
    ) -> dict[str, float]:
        """Returns the model's metrics on a split, each piece of which is read once.

        Args:
          split: "train", "validation" or "test".
          corpus: another corpus or file than the model was trained on.
          batch: rows evaluated at a time.

        Raises:
          UsageError: the run recorded no task, or the corpus does not fit the model.
        """
        require(self.task is not None, "the run recorded no task to evaluate on.")
        batches = self.task.eval_batches(split, corpus=corpus, batch=batch)
        return plain(evaluator(self.family)(self.params, batches))

    def save(self, path: str | pathlib.Path) -> pathlib.Path:
        """Writes the model as a checkpoint that `zoo.load` reads; returns `path`."""
        from zoo.inference.saving import save

        return save(self, pathlib.Path(path))

    def style_index(self, name: str) -> int:
        """Returns the index of a style.

        Raises:
          UsageError: the model has no such style, or cannot write in it.
        """
        require(
            name in self.styles and self.sampler.takes("style"),
            f"{self.name} knows no style {name!r}: it knows "
            f"{', '.join(self.styles) or 'none'}.",
        )
        return self.styles.index(name)

    def constraint(self, values: Mapping[str, str | int]) -> np.ndarray | None:
        """Returns the row [k] of values that every note has, or None without any."""
        if not values:
            return None
        row = self.codec.constraint(**values)
        require(
            self.sampler.takes("fixed"),
            f"{self.name} cannot fix {' or '.join(values)}: load a SeqGAN.",
        )
        return row

    def encode_primer(
        self, primer: "NoteSequence", missing: Sequence[str] = ()
    ) -> np.ndarray:
        """Encodes a piece that is to be continued, or that lacks the voices `missing`.

        Raises:
          UsageError: the codec refuses it.
        """
        encoder = self.codec if self.task is None else self.task
        with refusals(self.codec):
            return encoder.encode_primer(primer, missing)

    def region(
        self,
        primer: np.ndarray | None,
        voices: Sequence[str],
        span: tuple[int, int] | None,
    ) -> np.ndarray | None:
        """Returns bool [t, ..], True where the primer is rewritten; None without any.

        Raises:
          UsageError: the family cannot rewrite, or the region is not in the primer.
        """
        if not voices and span is None:
            return None
        require(
            self.sampler.takes("free"),
            f"{self.name} writes from left to right and rewrites nothing: leave out "
            "`rewrite` and `span`, or load a model such as a Coconet.",
        )
        if primer is None:
            raise UsageError("there is nothing to rewrite: give the piece as `primer`.")
        first, last = span or (0, len(primer))
        require(
            0 <= first < last <= len(primer),
            f"the span {first} {last} is not within the primer: it has {len(primer)} "
            "steps.",
        )
        region = self.codec.region(primer, voices, (first, last))
        if supports(self.family, LatentSequenceModel):  # which writes whole pieces
            region = np.pad(region, (0, self.family.length - len(region)))
        return region

    def sounding(self, arrays: Iterable[np.ndarray]) -> "list[NoteSequence]":
        """Decodes the arrays, and leaves out those without notes."""
        return [piece for piece in map(self.codec.decode, arrays) if piece.notes]


@dataclasses.dataclass(frozen=True, eq=False)
class AudioModel(Model):
    """A trained model of audio, which reconstructs it."""

    def sample(self, *args: Any, **options: Any) -> Any:
        raise UsageError(
            f"{self.name} reconstructs audio and writes none of its own: use "
            "`reconstruct`, or the command zoo reconstruct."
        )

    def reconstruct(
        self, audio: np.ndarray, seed: int = 0, **options: Any
    ) -> np.ndarray:
        """Reconstructs audio float [b, s] from the means of its latents."""
        from zoo.inference.resynthesis import reconstructed

        return reconstructed(self, audio, seed, **options)


def drawing(draw: Draw | None, controls: Mapping[str, Any]) -> Draw:
    """Returns `draw`, or one made of its fields.

    Raises:
      UsageError: both are given, or a field that does not exist.
    """
    fields = [field.name for field in dataclasses.fields(Draw)]
    if unknown := [name for name in controls if name not in fields]:
        raise UsageError(
            f"there is no argument {unknown[0]}: the controls of sampling are "
            f"{', '.join(fields)}."
        )
    require(
        draw is None or not controls,
        f"give draw, or {' and '.join(controls)}, but not both.",
    )
    return Draw(**controls) if draw is None else draw


def resolve(name: str | pathlib.Path) -> pathlib.Path:
    """Returns the directory of a run, or of the weights that ship under that name.

    Raises:
      UsageError: there is neither.
    """
    for path in (pathlib.Path(name), WEIGHTS / str(name)):
        if (path / "checkpoints").is_dir():
            return path
    shipped = ", ".join(weights()) or "none"
    raise UsageError(
        f"there is no run at {name}: give a directory that training has written, "
        f"or the name of shipped weights ({shipped})."
    )


def weights() -> list[str]:
    """Returns the names of the weights that ship with the package."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/checkpoints"))


def load(
    path: str | pathlib.Path,
    *,
    step: int | None = None,
    known: tuple[type, ...] = (),
    mesh: Mesh | None = None,
) -> Model:
    """Loads the model of a run directory, or of shipped weights.

    Args:
      path: the directory, or the name of shipped weights.
      step: the step of a checkpoint; by default the best one.
      known: classes outside the zoo that the checkpoint may name.
      mesh: devices to put the parameters on; by default one.

    Raises:
      UsageError: there is no such run or step.
      ZooError: the checkpoint was written by an incompatible version.
    """
    checkpoints = Checkpoints(resolve(path), read_only=True)
    try:
        chosen = checkpoints.best if step is None else step
        if chosen not in checkpoints.steps:
            there = ", ".join(map(str, checkpoints.steps)) or "none"
            raise UsageError(
                f"there is no checkpoint {step} in {path}: it has {there}."
            )
        about = checkpoints.meta(chosen)
        version = about.get("versions", {}).get("music-zoo")
        if "family" not in about:
            raise ZooError(
                f"{path} records no family: train it by `zoo.runner.train`, or give "
                "`meta={'family': zoo.config.record(family)}` to `fit`."
            )
        recorded = {
            name: restore(about[name], known, version)
            for name in ("family", "codec", "task", "music")
            if about.get(name)
        }
        family, codec = recorded["family"], recorded.get("codec")
        fresh = jax.eval_shape(family.init, jax.random.key(0), family.example(1))
        params = checkpoints.params(shapes(fresh, mesh), chosen)
        task = recorded.get("task", recorded.get("music"))  # as 0.1 called it
    finally:
        checkpoints.close()
    return assembled(family, params, codec, task=task, about=about)


def assembled(
    family: Any, params: Params, codec: Any, *, task: Task | None, about: Any
) -> Model:
    """Returns a model whose task has the codec, and the encoder, of its checkpoint."""
    if task is not None and codec is not None:
        task = bound(task, coder=codec)
    if task is not None and supports(family, LatentSequenceModel):
        from zoo.inference.latent_space import LatentSpace

        vae = family.vae
        coder = dataclasses.replace(codec, bars=vae.bars)
        space = LatentSpace(Model(vae, params["vae"], coder))
        task = bound(task, coder=codec, encode=space.means)
    cls = AudioModel if supports(family, AudioAutoencoder) else Model
    return cls(family, params, codec, task=task, about=about)
