"""Arrays out of a model of any family: drawn, the best of several drawn, or searched for.

Axes: n rows, t step, k value of a frame.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from zoo.core import BOUNDARY, Params
from zoo.data.codecs.base import Codec
from zoo.data.codecs.grammar import Grammar as Rules
from zoo.errors import UsageError
from zoo.nn.conditioning import any_style
from zoo.nn.sequence.beam_search import beam
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.sampling import Draw, bucket

ALPHA = 1.0  # beams compare by likelihood per event, nearly: or else the shortest piece wins


@dataclasses.dataclass(frozen=True, eq=False)
class Sampler:
    """Writes what `codec` reads. Compiled once for each bucket of lengths and number of rows."""

    family: Any  # a Family, and what else it can do
    params: Params
    codec: Codec

    @property
    def name(self) -> str:
        return type(self.family).__name__

    def takes(self, name: str) -> bool:
        """Whether samples of the family can be asked for under that keyword."""
        return name in inspect.signature(self.family.sample).parameters

    @property
    def streams(self) -> bool:
        """Whether the family writes event by event."""
        return self.takes("grammar") and hasattr(self.family, "stepper")

    @functools.cached_property
    def rules(self) -> Rules | None:
        """The codec's grammar, where the family can keep to one."""
        return self.codec.grammar() if self.takes("grammar") else None

    @functools.cached_property
    def grammar(self) -> Grammar | None:
        return Grammar.of(self.rules) if self.rules else None

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
            return beam(step, start, alpha=ALPHA, **options)

        return jax.jit(search, static_argnames=("width", "length", "no_repeat"))

    def draw(
        self,
        n: int,
        seed: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: np.ndarray | None = None,
        free: np.ndarray | None = None,
        legal: bool = True,
        best_of: int = 1,
        judge: str = "likelihood",
        style: int | np.ndarray | None = None,
        fixed: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draws events [n, length] or frames [n, length, k]; row i is a function of seed and i.

        Of `best_of` rows drawn for each one is kept: the likeliest, by log-likelihood per event,
        its end among them, or per frame; or the one that a critic, as `judge`, holds most real.
        All are of a `style`, by its place, or each of its own [n], and have what is `fixed` [k] in
        every frame.

        Raises:
          UsageError: what the family cannot do, or a primer that does not fit.
        """
        demand(
            not self.takes("batch"),
            f"{self.name} tells styles apart and writes nothing: load a model that writes.",
        )
        demand(
            draw.no_repeat is None or self.takes("grammar"),
            f"{self.name} writes frames, and no_repeat is about events: leave it out.",
        )
        heard = self.takes("tracks") and bool(self.family.conditioning)
        demand(
            primer is None or self.takes("primer") or heard,
            f"{self.name} writes whole phrases and goes on from nothing: leave the primer out.",
        )
        size = length or (self.family.length if free is None else len(free))
        grammar = self.grammar.within(size) if legal and self.grammar else None
        asked = {"free": free, "grammar": grammar, "fixed": fixed}
        if heard:
            asked["tracks"] = primer
        else:
            asked["primer"] = self.begin(primer, size, legal, inside=free is not None)
        given = {name: value for name, value in asked.items() if value is not None}
        # what is not written from left to right cannot be cropped
        room = bucket(size) if self.takes("primer") and not self.takes("free") else size
        rng, count = jax.random.key(seed), n * best_of
        styles: Any = None
        if style is not None:
            styles = np.repeat(np.broadcast_to(np.asarray(style, np.int32), n), best_of)
        if style is None and judge == "critic":  # who is to judge them must know
            styles = any_style(rng, count, getattr(self.family, "styles", ()))
        given |= {} if styles is None else {"style": styles}
        rows = self._draw(self.params, rng, n=count, length=room, draw=draw, **given)
        return self.best(np.asarray(rows)[:, :size], best_of, judge, styles)

    def best(
        self, rows: np.ndarray, of: int, judge: str, style: Any = None
    ) -> np.ndarray:
        """The best of every `of` rows, by a judge: their likelihood, or the family's critic."""
        if of == 1:
            return rows
        worth = self.verdicts if judge == "critic" else self.rates
        best = worth(rows, style).reshape(-1, of).argmax(axis=1)
        return rows[np.arange(len(best)) * of + best]

    def verdicts(self, rows: np.ndarray, style: Any = None) -> np.ndarray:
        """The critic's verdicts [n] on rows: the higher, the more real they look to it."""
        demand(
            "critic" in self.params,
            f"{self.name} has no critic: leave --judge out, or load a model that has one, such as "
            "a MuseGAN.",
        )
        return np.asarray(self._verdict(self.params, rows, style))

    def rates(self, rows: np.ndarray, style: Any = None) -> np.ndarray:
        """The log-likelihood per event, or per frame, of rows [n]."""
        demand(
            hasattr(self.family, "log_prob"),
            f"{self.name} does not say how likely music is: leave --best-of out"
            + (", or judge by its critic." if "critic" in self.params else "."),
        )
        mask = np.ones(rows.shape[:2], bool)
        if rows.ndim == 2 or getattr(self.family, "ends", False):
            ends = (rows == BOUNDARY).reshape(*mask.shape, -1).all(axis=2)
            mask = np.cumsum(ends, axis=1) - ends == 0
        told = {} if style is None else {"style": style}
        return np.asarray(self._log_prob(self.params, rows, mask, **told)) / mask.sum(
            axis=1
        )

    def search(
        self,
        width: int,
        *,
        length: int | None = None,
        no_repeat: int | None = None,
        primer: np.ndarray | None = None,
        legal: bool = True,
    ) -> np.ndarray:
        """The likeliest rows that beam search finds, the best first: events [up to width, t]."""
        demand(
            self.streams,
            f"{self.name} does not write event by event, as beam search does: leave --beam out.",
        )
        size = length or self.family.length
        rows, log_prob = self._search(
            self.params,
            width=width,
            length=size,
            no_repeat=no_repeat,
            primer=self.begin(primer, size, legal),
            grammar=self.grammar.within(size) if legal and self.grammar else None,
        )
        return np.asarray(rows)[np.isfinite(log_prob)]

    def begin(
        self, primer: np.ndarray | None, size: int, legal: bool, inside: bool = False
    ) -> np.ndarray | None:
        """The primer as samples take it: to be gone on from, or to be written `inside` of.

        Raises UsageError where no piece of `size` begins with it.
        """
        events = np.zeros(0, np.int32) if primer is None else primer
        # a model of so many phrases writes no longer pieces
        more = (
            "a --span of it"
            if hasattr(self.family, "parts")
            else f"--length {len(events) + 256}"
        )
        demand(
            len(events) < size + inside,
            f"the primer has {len(events)} events and a piece of {size} was asked for: "
            f"give a shorter primer, or {more}.",
        )
        if legal and self.rules:
            if (wrong := self.rules.wrong(events)) is not None:
                token = self.codec.describe(events[wrong])
                raise UsageError(
                    f"event {wrong + 1} of the primer, {token}, may not stand there in a piece: "
                    "end the primer before it, or turn the grammar off."
                )
            needed = self.rules.room(events)
            demand(
                needed <= size,
                f"a piece that begins so has {needed} events or more, and {size} were asked for: "
                "give a greater --length.",
            )
        if primer is None or primer.ndim > 1:
            return primer
        return np.pad(
            primer, (0, bucket(len(primer)) - len(primer)), constant_values=BOUNDARY
        )


def demand(holds: bool, otherwise: str) -> None:
    """Raises UsageError, saying `otherwise`, unless it `holds`."""
    if not holds:
        raise UsageError(otherwise)
