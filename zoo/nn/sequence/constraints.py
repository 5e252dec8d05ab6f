"""Constraints on sampling: a grammar, and a ban on repeated n-grams.

Axes: n row, t step, v vocabulary.
"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp

from zoo.core import Array, Bool, Float, Int
from zoo.nn.sequence.grammar import NONE, Grammar, GrammarState


class History(NamedTuple):
    """The events of each row so far, int32."""

    events: Array  # [n, t], NONE where there is none yet
    match: Array  # [n, t], how many events before each one equal the latest events
    size: Array  # [n], events so far


def repeated_tokens(history: History, size: int, vocab: int) -> Bool[Array, "n v"]:
    """Returns the tokens that would complete an n-gram of `size` that the row has."""
    again = (history.match >= size - 1) & (history.events != NONE)
    rows = jnp.arange(len(again))[:, None]
    tokens = jnp.where(again, history.events, vocab)
    return jnp.zeros((len(again), vocab), bool).at[rows, tokens].set(True, mode="drop")


def update_history(history: History, token: Int[Array, " n"]) -> History:
    """Appends a token to each row: each match grows by one, or ends."""
    match = jnp.where(history.events == token[:, None], history.match + 1, 0)
    match = jnp.pad(match[:, :-1], ((0, 0), (1, 0)))
    here = jnp.arange(history.events.shape[1])[None] == history.size[:, None]
    events = jnp.where(here, token[:, None], history.events)
    return History(events, match, history.size + 1)


class ConstraintState(NamedTuple):
    """The state of the constraints in each row; None for those that are off."""

    grammar: GrammarState | None
    history: History | None


@dataclasses.dataclass(frozen=True)
class Constraints:
    """Logits processors: a grammar, and no repeated n-grams.

    If no token satisfies both, the grammar decides.

    Attributes:
      grammar: which tokens may follow; None for any.
      no_repeat: size of the n-grams that may not occur twice in a row; None for none.
    """

    grammar: Grammar | None = None
    no_repeat: int | None = None

    def start(self, n: int, length: int) -> ConstraintState:
        """Returns the state of `n` rows of `length` events before their first."""
        grammar = None if self.grammar is None else self.grammar.start(n, length)
        history = None
        if self.no_repeat:
            events, match = (
                jnp.full((n, length), NONE),
                jnp.zeros((n, length), jnp.int32),
            )
            history = History(events, match, jnp.zeros((n,), jnp.int32))
        return ConstraintState(grammar, history)

    def mask(
        self, state: ConstraintState, logits: Float[Array, "n v"]
    ) -> Float[Array, "n v"]:
        """Returns `logits` with minus infinity for the forbidden tokens."""
        legal = jnp.ones(logits.shape, bool)
        if self.grammar is not None and state.grammar is not None:
            legal = self.grammar.allow(state.grammar)
        elif not self.no_repeat:
            return logits
        if self.no_repeat and state.history is not None:
            repeated = repeated_tokens(state.history, self.no_repeat, logits.shape[-1])
            fresh = legal & ~repeated
            legal = jnp.where(fresh.any(axis=-1, keepdims=True), fresh, legal)
        return jnp.where(legal, logits, -jnp.inf)

    def advance(
        self, state: ConstraintState, token: Int[Array, " n"]
    ) -> ConstraintState:
        """Returns the state after a token of each row."""
        grammar, history = state
        if self.grammar is not None and grammar is not None:
            grammar = self.grammar.advance(grammar, token)
        if history is not None:
            history = update_history(history, token)
        return ConstraintState(grammar, history)
