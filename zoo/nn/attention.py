"""Causal self-attention over packed pieces, and the same one event at a time.

A query sees its own piece, from `length` events ago up to itself. Axes: b and n rows, t query, s
key, h head, d width of a head, l event of the context.
"""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.blockwise import NEVER, Reach, attend
from zoo.nn.dense import product
from zoo.nn.position import rotate

Position = Literal["rotary", "relative"]


class Clock(NamedTuple):
    """Where rows that are read one event at a time have come to, int [n] each.

    `slot` is the place in a ring that the next event takes, the same for all rows; `since` counts
    the events of the row's piece so far.
    """

    slot: Array
    since: Array


class Ring(NamedTuple):
    """The last l keys and values of a layer, [n, h, d, l] each: products along l are fastest."""

    keys: Array
    values: Array


def tick(clock: Clock, length: int) -> Clock:
    """The clock an event later."""
    return Clock((clock.slot + 1) % length, clock.since + 1)


class SelfAttention(nn.Module):
    """`scale`: how large the output is at first, beside that of Linen's own initialisation."""

    width: int
    heads: int
    length: int
    position: Position
    scale: float = 1.0

    def setup(self) -> None:
        small = nn.initializers.variance_scaling(self.scale**2, "fan_in", "truncated_normal")
        self.qkv = nn.Dense(3 * self.width, use_bias=False, dot_general=product)
        self.out = nn.Dense(self.width, use_bias=False, dot_general=product, kernel_init=small)
        if self.position == "relative":
            shape = (self.heads, self.length, self.width // self.heads)
            self.distance = self.param("distance", nn.initializers.normal(shape[-1] ** -0.5), shape)

    def split(self, x: Array, at: Array) -> Array:
        """Queries, keys and values [.., h, 3, d] of x [.., width] at positions `at` [..]."""
        qkv = self.qkv(x).reshape(*x.shape[:-1], self.heads, 3, -1)
        return rotate(qkv, at) if self.position == "rotary" else qkv

    def __call__(self, x: Array, reach: Reach) -> Array:
        """x [b, t, width] to the same."""
        table = self.distance if self.position == "relative" else None
        out = attend(self.split(x, jnp.arange(x.shape[1])), reach, table)
        return self.out(out.reshape(x.shape))

    def empty(self, n: int) -> Ring:
        zeros = jnp.zeros((n, self.heads, self.width // self.heads, self.length))
        return Ring(zeros, zeros)

    def step(self, x: Array, ring: Ring, clock: Clock) -> tuple[Ring, Array]:
        """One event, x [n, width], of which `clock` says when; see `__call__`."""
        slot = clock.slot[0]
        q, k, v = (self.split(x, clock.since)[:, :, part] for part in range(3))
        insert = lambda old, new: jax.lax.dynamic_update_index_in_dim(old, new, slot, 3)
        ring = Ring(insert(ring.keys, k), insert(ring.values, v))
        s = jnp.einsum("nhd,nhdl->nhl", q, ring.keys)
        if self.position == "relative":
            near = jnp.einsum("nhd,hld->nhl", q, self.distance[:, ::-1])
            s += jnp.roll(near, slot + 1, axis=-1)
        age = (slot - jnp.arange(self.length)) % self.length
        seen = age[None, None] <= clock.since[:, None, None]
        p = jax.nn.softmax(jnp.where(seen, s * q.shape[-1] ** -0.5, NEVER))
        return ring, self.out(jnp.einsum("nhl,nhdl->nhd", p, ring.values).reshape(x.shape))
