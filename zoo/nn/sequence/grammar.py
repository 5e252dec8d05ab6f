"""Which tokens may come next, so that whatever is drawn is music.

A codec describes the streams it writes as tables (`zoo.data.codecs.grammar.Grammar`): an automaton, and a
memory of which keys are down. Here they are arrays, which a jitted sampler takes as an argument.
Axes: n rows, v vocabulary, s node of the automaton, k key.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import BOUNDARY, Array

NONE = -1
MOST = np.iinfo(np.int32).max


class Place(NamedTuple):
    """Where each row stands, int32."""

    node: Array  # [n], NONE where an event was forced that the grammar forbids: the row is free
    left: Array  # [n] events there is room for
    down: Array  # [n, k] `left` when the key was struck, or 0 where it is up
    struck: Array  # [n] the last token that struck a key since time passed, or NONE
    lifted: (
        Array  # [n] what `down` was of the last key lifted since time passed, or MOST
    )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Grammar:
    """What a row may hold: a pytree. Rows that may not go on draw BOUNDARY."""

    follow: Array  # int32 [s, v] the node after a token, or NONE where it is forbidden
    needs: (
        Array  # int16 [s, v] the fewest events after a token until the piece may stop
    )
    strikes: Array  # int32 [v] the key that a token strikes, or NONE
    lifts: Array  # int32 [v] the key that a token lifts, or NONE
    passes: Array  # bool [v] the tokens in which time passes
    heralds: Array  # bool [v] the tokens after which a key must be struck
    limit: Array  # int32, the most events in a piece
    keys: int = dataclasses.field(metadata={"static": True})  # how many there are

    @classmethod
    def of(cls, tables: Any, limit: int = MOST) -> "Grammar":
        """The grammar of a codec: `tables` has the arrays named above."""
        names = [field.name for field in dataclasses.fields(cls)][:6]
        arrays = {name: jnp.asarray(getattr(tables, name)) for name in names}
        keys = 1 + int(max(tables.strikes.max(), tables.lifts.max()))
        return cls(**arrays, limit=jnp.int32(limit), keys=keys)

    def within(self, limit: int) -> "Grammar":
        """The same for pieces of at most `limit` events."""
        return dataclasses.replace(self, limit=jnp.int32(limit))

    def start(self, n: int, length: int) -> Place:
        """The places of `n` rows of at most `length` events, before their first."""
        left = jnp.full((n,), jnp.minimum(self.limit, length))
        node, down = jnp.zeros((n,), jnp.int32), jnp.zeros((n, self.keys), jnp.int32)
        return Place(node, left, down, node + NONE, node + MOST)

    def allow(self, place: Place) -> Array:
        """bool [n, v]: the tokens after which there is still room to end the piece as music."""
        legal = self.needs[place.node] < place.left[:, None]
        if self.keys:
            tokens, strikes, lifts = (
                jnp.arange(len(self.lifts)),
                self.strikes >= 0,
                self.lifts >= 0,
            )
            down = place.down[:, jnp.maximum(self.strikes, self.lifts)]
            ready = strikes[None] & (down == 0) & (tokens[None] > place.struck[:, None])
            due = (down > 0) & (down < place.lifted[:, None])
            legal &= ready | (due & lifts[None]) | ~(strikes | lifts)[None]
            legal &= ready.any(axis=-1, keepdims=True) | ~self.heralds[None]
            legal &= (place.down == 0).all(axis=-1, keepdims=True) | (
                tokens != BOUNDARY
            )[None]
        return legal | (place.node == NONE)[:, None]

    def advance(self, place: Place, token: Array) -> Place:
        """The places after `token` [n]."""
        node = jnp.where(place.node == NONE, NONE, self.follow[place.node, token])
        left = place.left - 1
        if not self.keys:
            return place._replace(node=node, left=left)
        keys = jnp.arange(self.keys)[None]
        strike, lift, passed = (
            self.strikes[token],
            self.lifts[token],
            self.passes[token],
        )
        lifting = keys == lift[:, None]
        down = jnp.where(keys == strike[:, None], place.left[:, None], place.down)
        struck = jnp.where(strike != NONE, token, jnp.where(passed, NONE, place.struck))
        latest = jnp.where(passed, MOST, place.lifted)
        lifted = jnp.where(lift != NONE, (down * lifting).sum(axis=-1), latest)
        return Place(node, left, jnp.where(lifting, 0, down), struck, lifted)
