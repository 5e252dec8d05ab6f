"""An LSTM over rows of several values, each value drawn knowing those before it in its row.

A single value to a row makes it a language model. Axes: b and n sequence, t step, k value of a row,
v vocabulary, e embedding, h width, y style.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Key, Params
from zoo.nn.adversarial.gumbel import relaxed
from zoo.nn.adversarial.rollout import Go
from zoo.nn.rng import uniforms
from zoo.nn.sequence.lstm import Carry, LSTMLayer, stacked_step, zero_carry
from zoo.nn.sequence.sampling import Draw

NEVER = -1e9  # the logit of what cannot be


class Reading(NamedTuple):
    """How far a sequence is read: what the LSTM keeps, and whether it has begun, bool [n]."""

    carry: Carry
    begun: Array


class RowLSTM(nn.Module):
    """`sizes`: values of each kind; `ends`: whether a row of BOUNDARY ends a sequence.

    Where it does, the first value of a row says so: the others are then BOUNDARY too, and in any
    other row none of them is.
    """

    sizes: tuple[int, ...]
    embed: int
    width: int
    ends: bool

    def setup(self) -> None:
        self.table = [nn.Embed(size, self.embed) for size in self.sizes]
        self.lstm = LSTMLayer(self.width)
        self.known = [nn.Embed(size, self.width) for size in self.sizes[:-1]]
        self.head = [nn.Dense(size) for size in self.sizes]

    def __call__(self, rows: Array, style: Array | None) -> tuple[Array, Array]:
        """Rows [b, t, k] and shares of styles [b, y] -> the log-likelihood [b, t] of each row, and
        the share of its values that were held likeliest."""
        going = (rows[..., 0] != BOUNDARY) | (not self.ends)
        log_p, hits = jnp.zeros(rows.shape[:2]), jnp.zeros(rows.shape[:2])
        for i, logits in enumerate(self.logits(rows, style)):
            chosen = (logits * jax.nn.one_hot(rows[..., i], logits.shape[-1])).sum(
                axis=-1
            )
            counts = going | (i == 0)
            log_p += jnp.where(counts, chosen - jax.nn.logsumexp(logits, axis=-1), 0.0)
            hits += ~counts | (chosen >= logits.max(axis=-1))
        return log_p, hits / len(self.sizes)

    def logits(self, rows: Array, style: Array | None) -> list[Array]:
        """Of each value of rows [b, t, k] its logits [b, t, v], given all before it."""
        before = jnp.pad(rows[:, :-1], ((0, 0), (1, 0), (0, 0)))
        x = sum(table(before[..., i].T) for i, table in enumerate(self.table))
        told = self.lstm(x, conditioning=style)[1].swapaxes(0, 1)
        found = []
        for i, head in enumerate(self.head):
            if i:
                told += self.known[i - 1](rows[..., i - 1])
            h = jnp.tanh(told) if i else told
            found.append(bar(head(h).astype(jnp.float32), self.ends and i > 0))
        return found

    def relaxed(
        self, rows: Array, style: Array | None, rng: Key, heat: float, count: int
    ) -> list[Array]:
        """Shares [b, t, v] of each value of rows [b, t, k] that were drawn, for a gradient."""
        keys = jax.random.split(rng, len(self.sizes))
        ended = (rows[..., 0] == BOUNDARY) & self.ends
        over = jnp.pad(ended[:, :-1], ((0, 0), (1, 0)))
        found = []
        for i, logits in enumerate(self.logits(rows, style)):
            shares = relaxed(logits, rows[..., i], keys[i], heat, count)
            sure = (ended if i else over)[..., None]  # nothing was drawn
            found.append(jnp.where(sure, jax.lax.stop_gradient(shares), shares))
        return found

    def start(self, n: int) -> Reading:
        """The state of `n` sequences, before whose first row is one of BOUNDARY."""
        return Reading(zero_carry(n, self.width), jnp.zeros(n, bool))

    def stepper(
        self,
        net: Params,
        style: Array | None,
        draw: Draw = Draw(),
        fixed: Array | None = None,
    ) -> Go:
        """Draws a row at a time: (state, row before [n, k], u [n, k]) -> state, row int32 [n, k].

        What does not change from row to row is worked out beforehand. After a row that ended a
        sequence come rows of BOUNDARY. `fixed` [k] is what each value is, and BOUNDARY
        where it is drawn.
        """
        lstm = net["lstm"]
        enter = [
            net[f"table_{i}"]["embedding"] @ lstm["w"] for i in range(len(self.sizes))
        ]
        bias = lstm["b"][None] + (0.0 if style is None else style @ lstm["v"])
        advance = stacked_step([lstm])
        heads = [net[f"head_{i}"] for i in range(len(self.sizes))]

        def go(state: Reading, before: Array, u: Array) -> tuple[Reading, Array]:
            ended = state.begun & (before[:, 0] == BOUNDARY) & self.ends
            gates = sum(table[before[:, i]] for i, table in enumerate(enter)) + bias
            (carry,) = advance((state.carry,), gates)
            told = carry.h
            row: list[Array] = []
            for i, head in enumerate(heads):
                if i:
                    told += net[f"known_{i - 1}"]["embedding"][row[-1]]
                logits = (jnp.tanh(told) if i else told) @ head["kernel"] + head[
                    "bias"
                ][None]
                value = draw(bar(logits, self.ends and i > 0), u[:, i])
                if fixed is not None:  # the end of a sequence is drawn in any case
                    keep = (fixed[i] == BOUNDARY) | (
                        not i and self.ends and value == BOUNDARY
                    )
                    value = jnp.where(keep, value, fixed[i])
                row.append(value)
                ended |= (row[0] == BOUNDARY) & self.ends
            return Reading(carry, jnp.ones_like(ended)), jnp.where(
                ended[:, None], BOUNDARY, jnp.stack(row, axis=-1)
            )

        return go

    def write(
        self, go: Go, rng: Key, numbers: Array, length: int, primer: Array | None = None
    ) -> Array:
        """Sequences int32 [n, t, k] of those numbers, by a `stepper`.

        They begin with a primer [p, k] or [n, p, k], whose rows of BOUNDARY are drawn.
        """
        n, k = len(numbers), len(self.sizes)
        forced = jnp.zeros((n, length, k), jnp.int32)
        if primer is not None:
            given = jnp.broadcast_to(primer, (n, *primer.shape[-2:]))[:, :length]
            forced = forced.at[:, : given.shape[1]].set(given.astype(jnp.int32))
        u = uniforms(rng, numbers, length * k).reshape(length, k, n).swapaxes(1, 2)

        def one(now: tuple[Reading, Array], inputs: tuple[Array, Array]):
            u, forced = inputs
            state, row = go(*now, u)
            row = jnp.where(
                (forced != BOUNDARY).any(axis=-1, keepdims=True), forced, row
            )
            return (state, row), row

        begin = self.start(n), jnp.zeros((n, k), jnp.int32)
        return jax.lax.scan(one, begin, (u, forced.swapaxes(0, 1)))[1].swapaxes(0, 1)


def bar(logits: Array, barred: bool) -> Array:
    """Logits [.., v] with BOUNDARY left out, where it is `barred`."""
    return logits.at[..., BOUNDARY].set(NEVER) if barred else logits
