"""Causal self-attention over packed pieces, for whole rows and for streaming.

A query attends to its own piece, to at most `length` events including itself. Axes: b
and n rows, t query, s key, h head, d width of a head, l event of the context.
"""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Float, Key
from zoo.nn.dense import NEG_INF, Dense, gelu_product, normalise
from zoo.nn.sequence.flash_attention import CausalMask, flash_attention
from zoo.nn.sequence.positional import pad_distances, rotary_angles, rotate, skew

Position = Literal["rotary", "relative"]
ROTATED = [[1.0], [1.0], [0.0]]  # queries and keys are rotated, values are not


class Cursor(NamedTuple):
    """The position of rows that are read one event at a time, int [n] each."""

    slot: Array  # where the next event goes in the cache, the same for all rows
    age: Array  # events of the row's piece so far


class Cache(NamedTuple):
    """The last l keys and values of a layer, a ring buffer, [n h, d, l] each.

    Rows and heads are one axis, as a batched matmul needs them: for a reshape, XLA
    copies the cache three times per event. Measured on a CPU core, for 8 heads of width
    32 and l 1,024, one row: 0.08 ms, and 0.9 ms with an axis for rows.
    """

    keys: Array
    values: Array


def empty_cache(n: int, heads: int, width: int, length: int) -> Cache:
    """Returns the cache of `n` rows before their first event, for `length` events."""
    zeros = jnp.zeros((n * heads, width // heads, length), jnp.float32)
    return Cache(zeros, zeros)


def next_cursor(cursor: Cursor, length: int) -> Cursor:
    """Returns the cursor after one more event."""
    return Cursor((cursor.slot + 1) % length, cursor.age + 1)


def causal_attention(
    qkv: Float[Array, "b t h 3 d"],
    mask: CausalMask,
    table: Float[Array, "h l d"] | None = None,
) -> Float[Array, "b t h d"]:
    """Computes `flash_attention` on CPUs, and JAX's own attention elsewhere.

    Measured on a CPU core with gradients, 8 rows of 1,024 events, 8 heads of width 32:
    0.5 s and 22 MiB in blocks, 7 s and 1,048 MiB at once; with a table 1.1 s and 11 s.
    Nothing has been measured on other devices. cuDNN's implementation is not requested:
    it can be traced only where there is a GPU, and a program for two platforms is
    traced for both.
    """
    implementations = {"cpu": flash_attention, "default": full_attention}
    return jax.lax.platform_dependent(qkv, mask, table, **implementations)


def full_attention(
    qkv: Float[Array, "b t h 3 d"],
    mask: CausalMask,
    table: Float[Array, "h l d"] | None = None,
) -> Float[Array, "b t h d"]:
    """Computes `flash_attention` with all logits [b, h, t, s] at once, by JAX."""
    _, t, _, _, d = qkv.shape
    position = jnp.arange(t)[None]
    q, k, v = jnp.moveaxis(qkv, 3, 0)
    visible = position[:, None] >= mask.start[..., None]
    visible &= position[:, None] <= position[..., None]
    bias = None
    if table is not None:
        rows = pad_distances(table, t, t).astype(q.dtype)
        x = jnp.einsum("bthd,hxd->bhtx", q, rows, preferred_element_type=jnp.float32)
        bias = skew(x) * d**-0.5
    return jax.nn.dot_product_attention(q, k, v, bias, visible[:, None])


def scaled_init(scale: float) -> nn.initializers.Initializer:
    """Returns Linen's default initialiser of kernels, scaled by `scale`."""
    return nn.initializers.variance_scaling(scale**2, "fan_in", "truncated_normal")


class SelfAttention(nn.Module):
    """Causal multi-head self-attention.

    Attributes:
      width: of inputs and outputs.
      heads: number of heads.
      length: the most events that a query attends to, itself included.
      position: rotary, or a learnt embedding of each distance.
      scale: of the output kernel's initial values, relative to Linen's default.
    """

    width: int
    heads: int
    length: int
    position: Position
    scale: float = 1.0

    def setup(self) -> None:
        self.qkv = Dense(3 * self.width, use_bias=False)
        init = scaled_init(self.scale)
        self.out = Dense(self.width, use_bias=False, kernel_init=init)
        if self.position == "relative":
            shape = (self.heads, self.length, self.width // self.heads)
            self.distance = self.param(
                "distance",
                nn.initializers.normal(shape[-1] ** -0.5),
                shape,
                jnp.float32,
            )

    def project(self, x: Array, position: Array) -> Array:
        """Returns queries, keys and values [.., h, 3, d] of x [.., width].

        Args:
          x: inputs.
          position: int, with axes that broadcast to the leading axes of `x`.
        """
        qkv = self.qkv(x).reshape(*x.shape[:-1], self.heads, 3, -1)
        if self.position != "rotary":
            return qkv
        angle = rotary_angles(position, qkv.shape[-1])[..., None, None, :]
        angle = angle * jnp.array(ROTATED).reshape((1,) * (x.ndim) + (3, 1))
        return rotate(qkv, jnp.cos(angle), jnp.sin(angle))

    def __call__(
        self, x: Float[Array, "b t width"], mask: CausalMask
    ) -> Float[Array, "b t width"]:
        """Attends within whole rows."""
        table = self.distance if self.position == "relative" else None
        qkv = self.project(x, jnp.arange(x.shape[1])[None])
        return self.out(causal_attention(qkv, mask, table).reshape(x.shape))

    def step(
        self, x: Float[Array, "n width"], cache: Cache, cursor: Cursor
    ) -> tuple[Cache, Float[Array, "n width"]]:
        """Attends from one event of each row, and adds it to the cache."""
        slot, (rows, d, length) = cursor.slot[0], cache.keys.shape
        qkv = self.project(x, cursor.age)
        q, k, v = (qkv[:, :, part].reshape(rows, d) for part in range(3))
        insert = jax.lax.dynamic_update_index_in_dim
        cache = Cache(insert(cache.keys, k, slot, 2), insert(cache.values, v, slot, 2))
        logits = jnp.einsum("xd,xdl->xl", q, cache.keys)
        logits = logits.reshape(-1, self.heads, length)
        if self.position == "relative":
            nearest_last = self.distance[:, length - 1 :: -1]
            by_distance = jnp.einsum("nhd,hld->nhl", qkv[:, :, 0], nearest_last)
            logits += jnp.roll(by_distance, slot + 1, axis=-1)
        distance = (slot - jnp.arange(length)) % length
        visible = distance[None, None] <= cursor.age[:, None, None]
        p = jax.nn.softmax(jnp.where(visible, logits * d**-0.5, NEG_INF))
        out = jnp.einsum("xl,xdl->xd", p.reshape(rows, length), cache.values)
        return cache, self.out(out.reshape(x.shape))


class Block(nn.Module):
    """A pre-norm Transformer block: attention and an MLP, each with a residual.

    Attributes:
      dropout: rate of dropout on what each sublayer adds.
      scale: of the initial values of each sublayer's last kernel.
    """

    width: int
    heads: int
    length: int
    position: Position
    dropout: float
    scale: float

    def setup(self) -> None:
        sizes = self.width, self.heads, self.length
        self.attention = SelfAttention(*sizes, self.position, self.scale)
        self.up = Dense(4 * self.width, use_bias=False)
        down = {"dot_general": gelu_product, "kernel_init": scaled_init(self.scale)}
        self.down = Dense(self.width, use_bias=False, **down)
        self.drop = nn.Dropout(self.dropout)

    def mlp(self, x: Array) -> Array:
        return self.down(self.up(normalise(x)))

    def __call__(
        self, x: Float[Array, "b t d"], mask: CausalMask, rng: Key | None
    ) -> Float[Array, "b t d"]:
        """Transforms whole rows; `rng` is the key of dropout, None for none."""
        first, second = (None, None) if rng is None else jax.random.split(rng)
        x += self.drop(self.attention(normalise(x), mask), rng is None, rng=first)
        return x + self.drop(self.mlp(x), rng is None, rng=second)

    def step(
        self, x: Float[Array, "n d"], cache: Cache, cursor: Cursor
    ) -> tuple[Cache, Float[Array, "n d"]]:
        """Transforms one event of each row."""
        cache, new = self.attention.step(normalise(x), cache, cursor)
        x += new
        return cache, x + self.mlp(x)


def first_cursor(n: int) -> Cursor:
    """Returns the cursor of `n` rows before their first event."""
    zero = jnp.zeros(n, jnp.int32)
    return Cursor(zero, zero)
