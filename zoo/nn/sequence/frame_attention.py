"""Causal attention over frames, with several queries per frame and a cache of keys.

Each frame has one key and one value; a frame may have several queries, one for each of
its notes. Axes: b row, t frame of the queries, i query of a frame, s frame of the keys,
d width, h head.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Float, Int
from zoo.nn.dense import NEG_INF
from zoo.nn.rng import Dropout
from zoo.nn.sequence.positional import rotary_angles, rotate


class KeyValues(NamedTuple):
    """The keys and values of frames, [b, s, h, d] each."""

    keys: Array
    values: Array


def update_cache(cache: KeyValues, new: KeyValues, at: Array) -> KeyValues:
    """Returns `cache` with `new` from frame `at` on, in the dtype of `cache`."""
    new = jax.tree.map(lambda old, new: new.astype(old.dtype), cache, new)
    if new.keys.shape == cache.keys.shape:
        return new
    update = jax.lax.dynamic_update_slice_in_dim
    return jax.tree.map(lambda old, new: update(old, new, at, 1), cache, new)


class FrameLayer(nn.Module):
    """A Transformer layer (Vaswani et al. 2017), pre-norm, with RMS normalisation.

    Positions are rotary. Each head also has a bias for each distance below `distances`;
    the last one holds for all longer distances (Raffel et al. 2020).
    """

    width: int
    heads: int
    hidden: int
    distances: int
    dropout: float

    def setup(self) -> None:
        self.norms = [nn.RMSNorm() for _ in range(3)]
        self.query, self.out = (nn.Dense(self.width, use_bias=False) for _ in range(2))
        self.key_value = nn.Dense(2 * self.width, use_bias=False)
        self.rise, self.fall = nn.Dense(self.hidden), nn.Dense(self.width)
        shape = self.heads, self.distances
        self.bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32)
        self.drop = Dropout(self.dropout)

    def split_heads(self, x: Array) -> Array:
        return x.reshape(*x.shape[:-1], self.heads, -1)

    def key_values(
        self, x: Float[Array, "b s d"], position: Int[Array, " s"]
    ) -> KeyValues:
        """Returns the keys and values of the frames at those positions."""
        k, v = jnp.split(self.key_value(self.norms[0](x)), 2, axis=-1)
        k, v = self.split_heads(k), self.split_heads(v)
        angle = rotary_angles(position, k.shape[-1])[None, :, None]
        return KeyValues(rotate(k, jnp.cos(angle), jnp.sin(angle)), v)

    def __call__(
        self,
        x: Float[Array, "b t i d"],
        cache: KeyValues,
        position: Int[Array, " t"],
        deterministic: bool,
    ) -> Float[Array, "b t i d"]:
        """Attends from frames at those positions to frames 0 .. s - 1 of `cache`."""
        q = self.split_heads(self.query(self.norms[1](x)))
        angle = rotary_angles(position, q.shape[-1])[None, :, None, None]
        q = rotate(q, jnp.cos(angle), jnp.sin(angle)) * q.shape[-1] ** -0.5
        distance = position[:, None] - jnp.arange(cache.keys.shape[1])[None]
        bias = self.bias[:, jnp.clip(distance, 0, self.distances - 1)]
        bias = jnp.where(distance[None] < 0, NEG_INF, bias)
        logits = jnp.einsum(
            "btihd,bshd->bhtis", q, cache.keys, preferred_element_type=jnp.float32
        )
        p = jax.nn.softmax(logits + bias[None, :, :, None], axis=-1)
        p = p.astype(cache.values.dtype)
        y = jnp.einsum("bhtis,bshd->btihd", p, cache.values).reshape(x.shape)
        x = x + self.drop(self.out(y), deterministic)
        hidden = jax.nn.gelu(self.rise(self.norms[2](x)))
        hidden = self.drop(hidden, deterministic)
        return x + self.drop(self.fall(hidden), deterministic)
