"""Sampling arrays from a model of any family: drawn, best of several, or searched for.

Axes: n row, t step, k value of a frame.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import numpy as np

from zoo.core import (
    BOUNDARY,
    Accompanist,
    Adversarial,
    Autoregressive,
    LatentSequenceModel,
    Likelihood,
    Params,
    Styled,
    supports,
)
from zoo.data.codecs.base import Codec
from zoo.data.codecs.grammar import Grammar as CodecGrammar
from zoo.errors import UsageError, require
from zoo.inference.shipped import require_able
from zoo.nn.conditioning import random_styles
from zoo.nn.sequence.beam_search import beam_search
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.sampling import Draw, bucket
from zoo.ranges import Count, Length, checked

ALPHA = 1.0  # length penalty of beams: about the likelihood per event


@dataclasses.dataclass(frozen=True, eq=False)
@checked
class Request:
    """The controls of sampling.

    Attributes:
      length: events or steps of a row; by default the family's.
      draw: how tokens are sampled from their distribution.
      primer: events [t] or frames [t, k] to continue, to change, or to accompany.
      free: bool [t, k], True where the primer is rewritten.
      grammar: whether to sample only what the codec can write.
      best_of: rows to draw for each one that is kept.
      judge: what selects them: likelihood per event, or the critic.
      style: index of a style, or one for each row [n].
      fixed: values [k] that every frame has, BOUNDARY where it is free.
      ends: whether a piece may end before `length`.
    """

    length: Length | None = None
    draw: Draw = Draw()
    primer: np.ndarray | None = None
    _: dataclasses.KW_ONLY
    free: np.ndarray | None = None
    grammar: bool = True
    best_of: Count = 1
    judge: Literal["likelihood", "critic"] = "likelihood"
    style: int | np.ndarray | None = None
    fixed: np.ndarray | None = None
    ends: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class Sampler:
    """Samples arrays of `codec`; compiled once for each number of rows and bucket of
    lengths."""

    family: Any
    params: Params
    codec: Codec

    @property
    def name(self) -> str:
        """The name of the family."""
        return type(self.family).__name__

    def takes(self, name: str) -> bool:
        """Says whether the family's `sample` has a keyword of that name."""
        return name in inspect.signature(self.family.sample).parameters

    @property
    def streams(self) -> bool:
        """True if the family writes one event at a time."""
        return self.takes("grammar") and supports(self.family, Autoregressive)

    @property
    def has_critic(self) -> bool:
        return supports(self.family, Adversarial) and "critic" in self.params

    @property
    def accompanies(self) -> bool:
        """True if the family writes tracks to conditioning tracks."""
        return supports(self.family, Accompanist) and bool(self.family.conditioning)

    @functools.cached_property
    def codec_grammar(self) -> CodecGrammar | None:
        """The codec's grammar, if the family can keep to one."""
        has_one = self.takes("grammar") and self.codec is not None
        return self.codec.grammar() if has_one else None

    @functools.cached_property
    def grammar(self) -> Grammar | None:
        """The same as arrays, for compiled samplers."""
        return Grammar.from_tables(self.codec_grammar) if self.codec_grammar else None

    @functools.cached_property
    def _draw(self) -> Callable[..., jax.Array]:
        return jax.jit(self.family.sample, static_argnames=("n", "length", "draw"))

    @functools.cached_property
    def _log_prob(self) -> Callable[..., jax.Array]:
        return jax.jit(self.family.log_prob)

    @functools.cached_property
    def _verdict(self) -> Callable[..., jax.Array]:
        return jax.jit(self.family.verdict)

    @functools.cached_property
    def _search(self) -> Callable[..., tuple[jax.Array, jax.Array]]:
        def search(params: Params, **options: Any) -> tuple[jax.Array, jax.Array]:
            step, start = self.family.stepper(params), self.family.start(1)
            return beam_search(step, start, alpha=ALPHA, **options)

        return jax.jit(search, static_argnames=("width", "length", "no_repeat"))

    def draw(self, n: int, seed: int, request: Request = Request()) -> np.ndarray:
        """Draws events [n, length] or frames [n, length, ..].

        Row i depends on the seed and i alone. Of `best_of` rows drawn for each one the
        likeliest per event is kept, or the one that the critic holds most real.

        Raises:
          UsageError: the family cannot do what is requested, or the primer does not
            fit.
        """
        self.check(request)
        free, size = request.free, request.length
        if size is None:
            size = self.family.length if free is None else len(free)
        conditions = self.conditions(request, size)
        # a family that does not write from left to right cannot be cropped
        crops = self.takes("primer") and not self.takes("free")
        length = bucket(size) if crops else size
        rng, count = jax.random.key(seed), n * request.best_of
        styles = self.styles(rng, count, request)
        if styles is not None:
            conditions["style"] = styles
        rows = self._draw(
            self.params, rng, n=count, length=length, draw=request.draw, **conditions
        )
        return self.best(np.asarray(rows)[:, :size], request, styles)

    def check(self, request: Request) -> None:
        """Raises UsageError if the family cannot do what is requested."""
        require(
            not self.takes("batch"),
            f"{self.name} classifies music and writes none: load a model that writes.",
        )
        require(
            request.draw.no_repeat is None or self.takes("grammar"),
            f"{self.name} writes frames, and no_repeat is about events: leave it out.",
        )
        if request.primer is not None:
            self.check_continues()

    def check_continues(self) -> None:
        """Raises UsageError if the family neither continues nor accompanies music."""
        require_able(
            self.takes("primer") or self.accompanies,
            f"{self.name} writes whole phrases and continues nothing, so leave the "
            "primer out",
            "continue",
        )

    def conditions(self, request: Request, size: int) -> dict[str, Any]:
        """Returns the keyword arguments of `sample` that the request conditions it
        by."""
        values: dict[str, Any] = {"free": request.free, "fixed": request.fixed}
        if request.grammar and self.grammar:
            grammar = self.grammar if request.ends else self.grammar.without_end()
            values["grammar"] = grammar.with_limit(size)
        if self.takes("ends"):
            values["ends"] = request.ends
        if self.accompanies:
            values["tracks"] = request.primer
        else:
            values["primer"] = self.padded_primer(request, size)
        return {name: value for name, value in values.items() if value is not None}

    def styles(self, rng: jax.Array, count: int, request: Request) -> Any:
        """Returns the style of each of `count` rows, or None for the family to
        choose."""
        if request.style is not None:
            styles = np.asarray(request.style, np.int32)
            n = count // request.best_of
            return np.repeat(np.broadcast_to(styles, n), request.best_of)
        known = self.family.styles if supports(self.family, Styled) else ()
        if request.judge == "critic":  # which is conditioned on the style as well
            return random_styles(rng, count, known)
        return None

    def best(
        self, rows: np.ndarray, request: Request, styles: Any = None
    ) -> np.ndarray:
        """Returns the best of every `best_of` rows."""
        if request.best_of == 1:
            return rows
        by_critic = request.judge == "critic"
        values = (self.verdicts if by_critic else self.rates)(rows, styles)
        best = values.reshape(-1, request.best_of).argmax(axis=1)
        return rows[np.arange(len(best)) * request.best_of + best]

    def verdicts(self, rows: np.ndarray, style: Any = None) -> np.ndarray:
        """Returns the critic's verdicts [n] on rows: the higher, the more real."""
        require(
            self.has_critic,
            f"{self.name} has no critic: judge by likelihood, or load a model that has "
            "one, such as a MuseGAN.",
        )
        return np.asarray(self._verdict(self.params, rows, style))

    def log_prob(
        self, rows: np.ndarray, mask: np.ndarray, style: Any = None
    ) -> np.ndarray:
        """Returns the log-likelihood of rows, float [n], in nats."""
        conditions = {} if style is None else {"style": style}
        return np.asarray(self._log_prob(self.params, rows, mask, **conditions))

    def rates(self, rows: np.ndarray, style: Any = None) -> np.ndarray:
        """Returns the log-likelihood per event, or per frame, of rows [n]."""
        instead = " by likelihood: judge by the critic." if self.has_critic else "."
        require(
            supports(self.family, Likelihood),
            f"{self.name} has no likelihood, so best_of cannot compare{instead}",
        )
        mask = self.codec.event_mask(rows)
        return self.log_prob(rows, mask, style) / mask.sum(axis=1)

    def search(self, width: int, request: Request = Request()) -> np.ndarray:
        """Returns the likeliest rows that beam search finds, the best first.

        Raises:
          UsageError: the family does not write one event at a time, or the request asks
            for sampling.
        """
        require(width >= 1, f"the beam is {width} wide: choose 1 or more.")
        plain = dataclasses.replace(request.draw, no_repeat=None) == Draw()
        require(
            plain and request.best_of == 1 and request.free is None,
            "beam search samples nothing: of the controls it takes no_repeat alone.",
        )
        require(
            self.streams,
            f"{self.name} does not write event by event, as beam search does: leave "
            "`beam` out.",
        )
        size = request.length or self.family.length
        constrained = request.grammar and self.grammar
        rows, log_prob = self._search(
            self.params,
            width=width,
            length=size,
            no_repeat=request.draw.no_repeat,
            primer=self.padded_primer(request, size),
            grammar=self.grammar.with_limit(size) if constrained else None,  # type: ignore[union-attr]
        )
        return np.asarray(rows)[np.isfinite(log_prob)]

    def padded_primer(self, request: Request, size: int) -> np.ndarray | None:
        """Returns the primer; events are padded to a bucket of lengths.

        Raises:
          UsageError: no piece of `size` begins with it.
        """
        primer = request.primer
        events = np.zeros(0, np.int32) if primer is None else primer
        rewrites = request.free is not None
        remedy = f"a length of {len(events) + 256}"
        if supports(self.family, LatentSequenceModel):  # which has a fixed length
            remedy = "a span of it"
        require(
            len(events) < size + rewrites,
            f"the primer has {len(events)} events and a piece of {size} was requested: "
            f"give a shorter primer, or {remedy}.",
        )
        if request.grammar and self.codec_grammar:
            self.check_grammar(events, size)
        if primer is None or primer.ndim > 1:
            return primer
        padding = bucket(len(primer)) - len(primer)
        return np.pad(primer, (0, padding), constant_values=BOUNDARY)

    def check_grammar(self, events: np.ndarray, size: int) -> None:
        """Raises UsageError if no legal piece of `size` begins with the events."""
        assert self.codec_grammar is not None
        if (wrong := self.codec_grammar.first_illegal(events)) is not None:
            token = self.codec.describe(events[wrong])
            raise UsageError(
                f"event {wrong + 1} of the primer, {token}, may not stand there in a "
                "piece: end the primer before it, or turn the grammar off."
            )
        needed = self.codec_grammar.min_length(events)
        require(
            needed <= size,
            f"a piece that begins so has {needed} events or more, and {size} were "
            "requested: give a greater length.",
        )


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
