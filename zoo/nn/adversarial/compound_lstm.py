"""An LSTM over rows of several attributes, each predicted from those before it.

With one attribute per row it is an LSTM language model. Axes: b and n sequence, t step,
k attribute of a row, v value, e embedding, h width, y style.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Bool, Float, Int, Key, Params
from zoo.nn.adversarial.gumbel import gumbel_softmax
from zoo.nn.rng import uniforms
from zoo.nn.sequence.lstm import Carry, LSTMLayer, stacked_step, zero_carry
from zoo.nn.sequence.sampling import Draw

NEG_INF = -1e9  # finite, so that gradients are


class RowState(NamedTuple):
    """The state of a sequence between rows."""

    carry: Carry
    begun: Array  # bool [n], False before the first row


RowStepper = Callable[[RowState, Array, Array], tuple[RowState, Array]]
"""(state, previous row [n, k], uniforms [n, k]) -> (state, next row int [n, k])."""


class CompoundLSTM(nn.Module):
    """An LSTM over rows.

    Attributes:
      sizes: the number of values of each attribute.
      embed: width of the embeddings.
      width: of the LSTM.
      ends: whether a row of BOUNDARY ends a sequence. Its first attribute decides it:
        then the others are BOUNDARY too, and in any other row none of them is.
    """

    sizes: tuple[int, ...]
    embed: int
    width: int
    _: dataclasses.KW_ONLY
    ends: bool

    def setup(self) -> None:
        self.table = [nn.Embed(size, self.embed) for size in self.sizes]
        self.lstm = LSTMLayer(self.width)
        self.known = [nn.Embed(size, self.width) for size in self.sizes[:-1]]
        self.head = [nn.Dense(size) for size in self.sizes]

    def __call__(
        self, rows: Int[Array, "b t k"], style: Float[Array, "b y"] | None
    ) -> tuple[Float[Array, "b t"], Float[Array, "b t"]]:
        """Returns each row's log-likelihood in nats, and its accuracy.

        The accuracy is the share of the row's values that were the likeliest.
        """
        has_more = (rows[..., 0] != BOUNDARY) | (not self.ends)
        log_p, hits = (
            jnp.zeros(rows.shape[:2], jnp.float32),
            jnp.zeros(rows.shape[:2], jnp.float32),
        )
        for i, logits in enumerate(self.logits(rows, style)):
            target = jax.nn.one_hot(rows[..., i], logits.shape[-1], dtype=jnp.float32)
            chosen = (logits * target).sum(axis=-1)
            counts = has_more | (i == 0)
            log_p += jnp.where(counts, chosen - jax.nn.logsumexp(logits, axis=-1), 0.0)
            hit = ~counts | (chosen >= logits.max(axis=-1))
            hits += hit.astype(jnp.float32)
        return log_p, hits / len(self.sizes)

    def logits(
        self, rows: Int[Array, "b t k"], style: Float[Array, "b y"] | None
    ) -> list[Array]:
        """Returns the logits [b, t, v] of each attribute, under teacher forcing."""
        before = jnp.pad(rows[:, :-1], ((0, 0), (1, 0), (0, 0)))
        x = sum(table(before[..., i].T) for i, table in enumerate(self.table))
        h = self.lstm(x, conditioning=style)[1].swapaxes(0, 1)
        by_attribute = []
        for i, head in enumerate(self.head):
            if i:
                h += self.known[i - 1](rows[..., i - 1])
            logits = head(jnp.tanh(h) if i else h).astype(jnp.float32)
            by_attribute.append(self.mask_boundary(logits, i))
        return by_attribute

    def mask_boundary(self, logits: Float[Array, "*b v"], i: int) -> Array:
        """Masks BOUNDARY in the logits of every attribute but the first, if it ends."""
        return logits.at[..., BOUNDARY].set(NEG_INF) if self.ends and i else logits

    def relaxed(
        self,
        rows: Int[Array, "b t k"],
        style: Float[Array, "b y"] | None,
        *,
        rng: Key,
        temperature: float,
        perturbations: int,
    ) -> list[Array]:
        """Returns relaxed one-hot values [b, t, v] of each attribute of sampled rows.

        A gradient passes to the logits, except of values that were determined by the
        end of the sequence.
        """
        keys = jax.random.split(rng, len(self.sizes))
        is_end = (rows[..., 0] == BOUNDARY) & self.ends
        after_end = jnp.pad(is_end[:, :-1], ((0, 0), (1, 0)))
        by_attribute = []
        for i, logits in enumerate(self.logits(rows, style)):
            soft = gumbel_softmax(
                logits, rows[..., i], keys[i], temperature, perturbations=perturbations
            )
            determined = (is_end if i else after_end)[..., None]
            soft = jnp.where(determined, jax.lax.stop_gradient(soft), soft)
            by_attribute.append(soft)
        return by_attribute

    def start(self, n: int) -> RowState:
        """Returns the state of `n` sequences before their first row.

        The row before the first one is BOUNDARY.
        """
        return RowState(zero_carry(n, self.width), jnp.zeros(n, bool))

    def stepper(
        self,
        net: Params,
        style: Float[Array, "n y"] | None,
        draw: Draw = Draw(),
        *,
        fixed: Int[Array, " k"] | None = None,
        ends: Bool[Array, ""] | bool = True,
    ) -> RowStepper:
        """Returns a function that draws the next row, with its weights prepared.

        After a row that ends a sequence it returns rows of BOUNDARY.

        Args:
          net: the parameters.
          style: the weight of each style.
          draw: how values are sampled.
          fixed: the value of each attribute in every row; BOUNDARY for attributes to
            draw.
          ends: False to draw no BOUNDARY, so that a sequence goes on.
        """
        lstm = net["lstm"]
        advance = stacked_step([lstm])
        enter = [
            net[f"table_{i}"]["embedding"] @ lstm["w"] for i in range(len(self.sizes))
        ]
        bias = lstm["b"][None] + (0.0 if style is None else style @ lstm["v"])
        heads = [net[f"head_{i}"] for i in range(len(self.sizes))]

        def step(state: RowState, before: Array, u: Array) -> tuple[RowState, Array]:
            ended = state.begun & (before[:, 0] == BOUNDARY) & self.ends
            tables = enumerate(map(jnp.asarray, enter))
            gates = sum(table[before[:, i]] for i, table in tables) + bias
            (carry,) = advance((state.carry,), gates)
            h = carry.h
            row: list[Array] = []
            for i, head in enumerate(heads):
                if i:
                    h += jnp.asarray(net[f"known_{i - 1}"]["embedding"])[row[-1]]
                x = jnp.tanh(h) if i else h
                logits = x @ head["kernel"] + head["bias"][None]
                logits = logits.at[..., BOUNDARY].add(jnp.where(ends, 0.0, NEG_INF))
                value = draw(self.mask_boundary(logits, i), u[:, i])
                if fixed is not None:
                    # the end of a sequence is drawn even if the attribute is fixed
                    keep = fixed[i] == BOUNDARY
                    if self.ends and i == 0:
                        keep |= value == BOUNDARY
                    value = jnp.where(keep, value, fixed[i])
                row.append(value)
                if self.ends:
                    ended |= row[0] == BOUNDARY
            rows = jnp.where(ended[:, None], BOUNDARY, jnp.stack(row, axis=-1))
            return RowState(carry, jnp.ones_like(ended)), rows

        return step

    def sample(
        self,
        step: RowStepper,
        rng: Key,
        indices: Int[Array, " n"],
        *,
        length: int,
        primer: Int[Array, "*n p k"] | None = None,
    ) -> Int[Array, "n t k"]:
        """Draws sequences; each is a function of `rng` and of its index.

        Args:
          step: from `stepper`.
          indices: of the rows of the batch.
          length: rows to draw.
          primer: the rows that the sequences begin with, except rows of BOUNDARY, which
            are drawn.
        """
        n, k = len(indices), len(self.sizes)
        forced = jnp.zeros((n, length, k), jnp.int32)
        if primer is not None:
            primer = jnp.broadcast_to(primer, (n, *primer.shape[-2:]))[:, :length]
            forced = forced.at[:, : primer.shape[1]].set(primer.astype(jnp.int32))
        u = uniforms(rng, indices, length * k).reshape(length, k, n).swapaxes(1, 2)

        def advance_rows(
            state: tuple[RowState, Array], inputs: tuple[Array, Array]
        ) -> tuple[tuple[RowState, Array], Array]:
            u, forced = inputs
            row_state, row = step(*state, u)
            is_forced = (forced != BOUNDARY).any(axis=-1, keepdims=True)
            row = jnp.where(is_forced, forced, row)
            return (row_state, row), row

        begin = self.start(n), jnp.zeros((n, k), jnp.int32)
        _, rows = jax.lax.scan(advance_rows, begin, (u, forced.swapaxes(0, 1)))
        return rows.swapaxes(0, 1)
