"""Causal self-attention over packed pieces, and the same one event at a time.

A query sees its own piece, from `length` events ago up to itself. Axes: b and n rows, t query, s
key, h head, d width of a head, l event of the context.
"""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.dense import Dense
from zoo.nn.sequence import flash_attention
from zoo.nn.sequence.flash_attention import NEVER, Reach
from zoo.nn.sequence.positional import relative, rotate, skew

Position = Literal["rotary", "relative"]


class Clock(NamedTuple):
    """Where rows that are read one event at a time have come to, int [n] each.

    `slot` is the place in a ring that the next event takes, the same for all rows; `since` counts
    the events of the row's piece so far.
    """

    slot: Array
    since: Array


class Ring(NamedTuple):
    """The last l keys and values of a layer, [n h, d, l] each.

    Rows and heads are one axis, as a product of many matrices wants them: for a reshape between,
    XLA copies a ring three times an event. Measured on a CPU core, for 8 heads of width 32 and l
    1,024, one row: 0.08 ms, 0.9 with an axis for rows.
    """

    keys: Array
    values: Array


def empty(n: int, heads: int, width: int, length: int) -> Ring:
    """A ring of `length` events for `n` rows, before their first event."""
    zeros = jnp.zeros((n * heads, width // heads, length))
    return Ring(zeros, zeros)


def tick(clock: Clock, length: int) -> Clock:
    """The clock an event later."""
    return Clock((clock.slot + 1) % length, clock.since + 1)


def attend(qkv: Array, reach: Reach, table: Array | None = None) -> Array:
    """`blockwise.attend` on CPUs, JAX's own attention elsewhere.

    Measured on a CPU core with gradients, 8 rows of 1,024 events, 8 heads of width 32: blockwise
    0.5 s and 22 MiB, whole 7 s and 1,048 MiB; with a table 1.1 s and 11 s. No other device was at
    hand, so elsewhere nothing is measured. cuDNN's form is not asked for: it is traced only where
    there is a GPU, and a program for two platforms is traced for both.
    """
    forms = {"cpu": flash_attention.attend, "default": whole}
    return jax.lax.platform_dependent(qkv, reach, table, **forms)


def whole(qkv: Array, reach: Reach, table: Array | None = None) -> Array:
    """`blockwise.attend`, with all scores of a row at once, [h, t, s], in one call to JAX."""
    (_, t, _, _, d), at = qkv.shape, jnp.arange(qkv.shape[1])[None]
    q, k, v = jnp.moveaxis(qkv, 3, 0)
    seen = (at[:, None] >= reach.start[..., None]) & (at[:, None] <= at[..., None])
    bias = None
    if table is not None:
        laid = relative(table, t, t).astype(q.dtype)
        far = jnp.einsum("bthd,hxd->bhtx", q, laid, preferred_element_type=jnp.float32)
        bias = skew(far) * d**-0.5
    return jax.nn.dot_product_attention(q, k, v, bias, seen[:, None])


class SelfAttention(nn.Module):
    """`scale`: how large the output is at first, beside that of Linen's own initialisation."""

    width: int
    heads: int
    length: int
    position: Position
    scale: float = 1.0

    def setup(self) -> None:
        small = nn.initializers.variance_scaling(
            self.scale**2, "fan_in", "truncated_normal"
        )
        self.qkv = Dense(3 * self.width, use_bias=False)
        self.out = Dense(self.width, use_bias=False, kernel_init=small)
        if self.position == "relative":
            shape = (self.heads, self.length, self.width // self.heads)
            self.distance = self.param(
                "distance", nn.initializers.normal(shape[-1] ** -0.5), shape
            )

    def split(self, x: Array, at: Array) -> Array:
        """Queries, keys and values [.., h, 3, d] of x [.., width] at positions `at` [..]."""
        qkv = self.qkv(x).reshape(*x.shape[:-1], self.heads, 3, -1)
        return rotate(qkv, at) if self.position == "rotary" else qkv

    def __call__(self, x: Array, reach: Reach) -> Array:
        """x [b, t, width] to the same."""
        table = self.distance if self.position == "relative" else None
        out = attend(self.split(x, jnp.arange(x.shape[1])[None]), reach, table)
        return self.out(out.reshape(x.shape))

    def step(self, x: Array, ring: Ring, clock: Clock) -> tuple[Ring, Array]:
        """One event, x [n, width], of which `clock` says when; see `__call__`."""
        slot, (rows, d, length) = clock.slot[0], ring.keys.shape
        qkv = self.split(x, clock.since)
        q, k, v = (qkv[:, :, part].reshape(rows, d) for part in range(3))
        insert = lambda old, new: jax.lax.dynamic_update_index_in_dim(old, new, slot, 2)
        ring = Ring(insert(ring.keys, k), insert(ring.values, v))
        s = jnp.einsum("xd,xdl->xl", q, ring.keys).reshape(-1, self.heads, length)
        if self.position == "relative":
            far = jnp.einsum(
                "nhd,hld->nhl", qkv[:, :, 0], self.distance[:, length - 1 :: -1]
            )
            s += jnp.roll(far, slot + 1, axis=-1)
        age = (slot - jnp.arange(length)) % length
        seen = age[None, None] <= clock.since[:, None, None]
        p = jax.nn.softmax(jnp.where(seen, s * d**-0.5, NEVER)).reshape(rows, length)
        return ring, self.out(jnp.einsum("xl,xdl->xd", p, ring.values).reshape(x.shape))
