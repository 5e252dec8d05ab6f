"""A trained model: what `zoo.load` returns."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zoo.config import record
from zoo.core import LatentSequenceModel, Likelihood, Params, Styled, supports
from zoo.errors import UsageError, ZooError, require
from zoo.inference.abilities import abilities
from zoo.inference.continuation import Samples, Writer, check_bars
from zoo.inference.known_keys import in_known_key
from zoo.inference.primer import Primer, primer_reader
from zoo.inference.sampler import Request, Sampler, drawing
from zoo.inference.saving import save
from zoo.inference.shipped import require_able
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Pieces, Seed, require_range
from zoo.tasks.base import refusals
from zoo.train.evaluate import evaluator, plain
from zoo.train.weights import Precision

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A family with its parameters, its codec, and the task it was trained on.

    Attributes:
      family: the family.
      params: its parameters, one subtree for each network.
      codec: the codec of its arrays; None if the run recorded none.
      task: what it was trained on; None if the run recorded none.
      about: what the checkpoint records, e.g. "experiment", "step" and "seed".
      extras: other arrays, by `FILE/NAME`, such as vectors of attributes.
      process: the process that made the model.
    """

    family: Any
    params: Params
    codec: Any = None
    _: dataclasses.KW_ONLY
    task: Any = None
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    extras: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    process: int = dataclasses.field(default_factory=os.getpid, init=False, repr=False)

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

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verbs that the model can do, such as "sample" and "interpolate"."""
        return abilities(self.family, self.codec)

    @property
    def sampler(self) -> Sampler:
        """The sampler of the family's arrays.

        Raises:
          UsageError: this process is a fork of the one that made the model.
        """
        self.require_own_process()
        return self._sampler

    @functools.cached_property
    def _sampler(self) -> Sampler:
        return Sampler(self.family, self.params, self.codec)

    def require_own_process(self) -> None:
        """Raises UsageError in a fork, where JAX would wait for lost threads."""
        require(
            self.process == os.getpid(),
            "the model was made in another process, of which this one is a fork: use "
            "multiprocessing.get_context('spawn'), or load the model in each process.",
        )

    def __getstate__(self) -> dict[str, Any]:
        """Returns what is pickled: the fields, without compiled programs."""
        fields = [field.name for field in dataclasses.fields(self) if field.init]
        return {name: vars(self)[name] for name in fields}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state, process=os.getpid())

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
        primer_bars: int | None = None,
        bars: int | None = None,
        rewrite: Sequence[str] = (),
        span: tuple[int, int] | None = None,
        grammar: bool = True,
        best_of: int = 1,
        judge: Literal["likelihood", "critic"] = "likelihood",
        beam: int | None = None,
        style: str | None = None,
        fixed: Mapping[str, str | int] = MappingProxyType({}),
        **controls: Any,
    ) -> Samples:
        """Writes `n` pieces, none of them silent.

        Args:
          n: number of pieces.
          seed: seed of the sampling; piece i depends on the seed and i alone.
          length: maximum length of a piece, in events or steps; by default the
            family's.
          draw: how tokens are sampled from their distribution.
          primer: a piece to continue; with `rewrite` or `span`, a piece to change; or
            the tracks that a model accompanies. Pieces have its tempo, and a text
            annotation "model" where the model begins.
          primer_bars: bars of the primer to read, from its end; by default all, or 8
            if that leaves no bar to write.
          bars: bars of new music, after the bar in which the primer ends; by default
            the model ends a piece, or `length` does.
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

        Returns:
          The pieces, and as `remarks` what was changed or left out of the primer.
        """
        require_range("n", n, Pieces)
        require_range("seed", seed, Seed)
        require(
            self.codec is not None,
            f"{self.title} was trained without a codec and writes no music: draw "
            "arrays by `tokens`.",
        )
        changes = bool(rewrite) or span is not None
        check_bars(bars, length=length, beam=beam, changes=changes)
        begin = None
        if primer is not None:
            room = length or self.family.length
            begin = self.prime(
                primer,
                primer_bars,
                missing=rewrite,
                room=room,
                new=0 if changes else bars,
            )
            if self.task is not None and not changes and not self.sampler.accompanies:
                begin = in_known_key(begin, self.sampler, self.task.transpose)
        array = None if begin is None else begin.array
        request = Request(
            length=length,
            draw=drawing(draw, controls),
            primer=array,
            free=self.region(array, rewrite, span),
            grammar=grammar,
            best_of=best_of,
            judge=judge,
            style=None if style is None else self.style_index(style),
            fixed=self.constraint(fixed),
        )
        write = Writer(self.sampler, self.codec, request, primer=begin, bars=bars)
        remarks = () if begin is None else begin.remarks
        if beam is not None:
            rows = self.sampler.search(beam, write.sized)
            if pieces := sounding(write.decoded(rows)):
                return Samples(pieces[:n], remarks)
        else:
            for count in (n, 2 * n, 8 * n):  # piece i does not depend on the count
                pieces = sounding(write.pieces(count, seed))
                if len(pieces) >= n:
                    return Samples(pieces[:n], remarks)
        raise ZooError("the model writes pieces without notes: train it for longer.")

    def prime(
        self,
        piece: "NoteSequence",
        primer_bars: int | None = None,
        *,
        missing: Sequence[str] = (),
        room: int | None = None,
        new: int | None = None,
    ) -> Primer:
        """Reads a piece that the model is to continue, with remarks.

        Args:
          piece: the piece.
          primer_bars: the bars to read, from the end.
          missing: voices that the piece lacks.
          room: events or frames of a whole piece; by default any number.
          new: bars of new music after the primer; 0 if the primer is changed.

        Raises:
          UsageError: the family takes no primer, or the codec refuses the piece.
        """
        return primer_reader(self)(piece, missing, bars=primer_bars, room=room, new=new)

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
        self.require_own_process()
        minima = {} if corpus is None else self.task.minima(corpus)
        for name, size in minima.items():
            own = getattr(self.family, name, size)
            require(
                own >= size,
                f"{name} of the model is {own} and {corpus} needs {size}: evaluate it "
                "on another corpus.",
            )
        batches = self.task.eval_batches(split, corpus=corpus, batch=batch)
        return plain(evaluator(self.family)(self.params, batches))

    def save(
        self, path: str | pathlib.Path, *, precision: Precision = "float32"
    ) -> pathlib.Path:
        """Writes the model so that `zoo.load` reads it.

        Args:
          path: a file that ends in .safetensors; or a directory, for a checkpoint,
            which must not hold any yet.
          precision: the numbers to store parameters as: float32, float16, bfloat16 or,
            in a file, int8.

        Returns:
          `path`.

        Raises:
          UsageError: `path` holds checkpoints already, or a parameter is too large for
            `precision`.
        """
        parts = {"family": self.family, "codec": self.codec, "task": self.task}
        records = {k: record(v) for k, v in parts.items() if v is not None}
        return save(
            pathlib.Path(path),
            self.params,
            {k: v for k, v in self.about.items() if k != "music"} | records,
            precision=precision,
            extras=self.extras,
        )

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
        require_able(
            self.sampler.takes("free"),
            f"{self.name} writes from left to right and takes no `rewrite` "
            "and no `span`",
            "harmonise" if voices else "rewrite",
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


def sounding(pieces: "Iterable[NoteSequence]") -> "list[NoteSequence]":
    """Returns the pieces that have notes."""
    return [piece for piece in pieces if piece.notes]
