"""What a row may not draw next: what its grammar forbids, and what would repeat it.

Axes: n rows, t step, v vocabulary.
"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.sequence.grammar import NONE, Grammar, Place


class Past(NamedTuple):
    """The events of each row so far, int32."""

    events: Array  # [n, t], NONE where there is none yet
    match: Array  # [n, t] how many events right before each agree with the latest ones
    seen: Array  # [n] how many there are


def repeats(past: Past, size: int, vocab: int) -> Array:
    """bool [n, v]: the tokens that would end a run of `size` events which the row already has."""
    again = (past.match >= size - 1) & (past.events != NONE)
    rows = jnp.arange(len(again))[:, None]
    tokens = jnp.where(again, past.events, vocab)
    return jnp.zeros((len(again), vocab), bool).at[rows, tokens].set(True, mode="drop")


def remember(past: Past, token: Array) -> Past:
    """The past with `token` [n] in it: each match grows by one, or ends."""
    match = jnp.where(past.events == token[:, None], past.match + 1, 0)
    match = jnp.pad(match[:, :-1], ((0, 0), (1, 0)))
    here = jnp.arange(past.events.shape[1])[None] == past.seen[:, None]
    return Past(jnp.where(here, token[:, None], past.events), match, past.seen + 1)


class Course(NamedTuple):
    """How far each row has come, as far as its bounds need to know."""

    place: Place | None
    past: Past | None


@dataclasses.dataclass(frozen=True)
class Bounds:
    """A grammar, and a number of events of which no run may come twice. They cost only when on.

    Where no token would do for both, the grammar's word counts.
    """

    grammar: Grammar | None = None
    no_repeat: int | None = None

    def start(self, n: int, length: int) -> Course:
        """Where `n` rows of `length` events stand before their first."""
        place = None if self.grammar is None else self.grammar.start(n, length)
        empty = jnp.full((n, length), NONE), jnp.zeros((n, length), jnp.int32)
        past = Past(*empty, jnp.zeros((n,), jnp.int32)) if self.no_repeat else None
        return Course(place, past)

    def mask(self, course: Course, logits: Array) -> Array:
        """`logits` [n, v] with minus infinity where a token may not be drawn."""
        legal = jnp.ones(logits.shape, bool)
        if self.grammar is not None and course.place is not None:
            legal = self.grammar.allow(course.place)
        elif not self.no_repeat:
            return logits
        if self.no_repeat and course.past is not None:
            fresh = legal & ~repeats(course.past, self.no_repeat, logits.shape[-1])
            legal = jnp.where(fresh.any(axis=-1, keepdims=True), fresh, legal)
        return jnp.where(legal, logits, -jnp.inf)

    def advance(self, course: Course, token: Array) -> Course:
        """`course` after `token` [n]."""
        place, past = course
        if self.grammar is not None and place is not None:
            place = self.grammar.advance(place, token)
        return Course(place, None if past is None else remember(past, token))
