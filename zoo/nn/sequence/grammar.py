"""A codec's grammar on the device: which tokens may follow, so that all samples decode.

A codec describes its legal streams as tables (`zoo.data.codecs.grammar.Grammar`): an
automaton, and a memory of which keys are down. Here they are arrays, an argument of the
jitted sampler. Axes: n row, v vocabulary, s node of the automaton, k key.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import BOUNDARY, Array, Bool, Int

NONE = -1
NEVER = np.iinfo(np.int16).max  # the need of a token that is forbidden
MAX_EVENTS = np.iinfo(np.int32).max


class GrammarState(NamedTuple):
    """The state of each row, int32."""

    node: Array  # [n], NONE after an illegal primer: everything is then allowed
    left: Array  # [n], events that still fit
    down: Array  # [n, k], `left` at the onset of a key, or 0 if the key is up
    struck: Array  # [n], the last note-on token of this time step, or NONE
    lifted: Array  # [n], `down` of the last key lifted in this time step, or MAX_EVENTS


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Grammar:
    """The legal streams of a codec, a pytree.

    Rows that cannot go on draw BOUNDARY.
    """

    follow: Array  # int32 [s, v], the node after a token, or NONE if it is forbidden
    needs: Array  # int16 [s, v], fewest events after a token until the piece may end
    strikes: Array  # int32 [v], the key that a token strikes, or NONE
    _: dataclasses.KW_ONLY
    lifts: Array  # int32 [v], the key that a token lifts, or NONE
    passes: Array  # bool [v], the tokens in which time passes
    heralds: Array  # bool [v], the tokens after which a key must be struck
    limit: Array  # int32, the most events in a piece
    keys: int = dataclasses.field(metadata={"static": True})  # number of keys

    @classmethod
    def from_tables(cls, tables: Any, limit: int = MAX_EVENTS) -> "Grammar":
        """Returns the grammar of a codec; `tables` has the arrays named above."""
        names = [field.name for field in dataclasses.fields(cls)][:6]
        arrays = {name: jnp.asarray(getattr(tables, name)) for name in names}
        keys = 1 + int(max(tables.strikes.max(), tables.lifts.max()))
        return cls(**arrays, limit=jnp.int32(limit), keys=keys)

    def with_limit(self, limit: int) -> "Grammar":
        """Returns the grammar of pieces of at most `limit` events."""
        return dataclasses.replace(self, limit=jnp.int32(limit))

    def without_end(self) -> "Grammar":
        """Returns the grammar of pieces that go on until the limit."""
        needs = self.needs.at[:, BOUNDARY].set(NEVER)
        return dataclasses.replace(self, needs=needs)

    def start(self, n: int, length: int) -> GrammarState:
        """Returns the state of `n` rows of at most `length` events."""
        left = jnp.full((n,), jnp.minimum(self.limit, length))
        node, down = jnp.zeros((n,), jnp.int32), jnp.zeros((n, self.keys), jnp.int32)
        return GrammarState(
            node=node,
            left=left,
            down=down,
            struck=node + NONE,
            lifted=node + MAX_EVENTS,
        )

    def allow(self, state: GrammarState) -> Bool[Array, "n v"]:
        """Returns the tokens after which the piece can still end legally in time."""
        legal = self.needs[state.node] < jnp.minimum(state.left, NEVER)[:, None]
        if self.keys:
            legal &= self._allowed_keys(state)
        return legal | (state.node == NONE)[:, None]

    def _allowed_keys(self, state: GrammarState) -> Array:
        """Returns the tokens that the keys which are down allow, bool [n, v]."""
        tokens = jnp.arange(len(self.lifts))
        strikes, lifts = self.strikes >= 0, self.lifts >= 0
        down = state.down[:, jnp.maximum(self.strikes, self.lifts)]
        in_order = tokens[None] > state.struck[:, None]
        can_strike = strikes[None] & (down == 0) & in_order
        can_lift = lifts[None] & (down > 0) & (down < state.lifted[:, None])
        legal = can_strike | can_lift | ~(strikes | lifts)[None]
        legal &= can_strike.any(axis=-1, keepdims=True) | ~self.heralds[None]
        all_up = (state.down == 0).all(axis=-1, keepdims=True)
        return legal & (all_up | (tokens != BOUNDARY)[None])

    def advance(self, state: GrammarState, token: Int[Array, " n"]) -> GrammarState:
        """Returns the state after a token of each row."""
        node = jnp.where(state.node == NONE, NONE, self.follow[state.node, token])
        left = state.left - 1
        if not self.keys:
            return state._replace(node=node, left=left)
        keys = jnp.arange(self.keys)[None]
        strike, lift = self.strikes[token], self.lifts[token]
        passed = self.passes[token]
        lifting = keys == lift[:, None]
        down = jnp.where(keys == strike[:, None], state.left[:, None], state.down)
        struck = jnp.where(passed, NONE, state.struck)
        struck = jnp.where(strike != NONE, token, struck)
        latest = jnp.where(passed, MAX_EVENTS, state.lifted)
        lifted = jnp.where(lift != NONE, (down * lifting).sum(axis=-1), latest)
        return GrammarState(
            node=node,
            left=left,
            down=jnp.where(lifting, 0, down),
            struck=struck,
            lifted=lifted,
        )
