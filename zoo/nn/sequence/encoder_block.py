"""Layers that read a sequence in both directions. Axes: b row, t and s step, h head, d width."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.nn.dense import Dense
from zoo.nn.sequence.frame_attention import NEVER, Dropout


def rotated(x: Array, longest: float = 10_000.0) -> Array:
    """Queries or keys [b, t, h, d] turned by their step (rotary positions, Su et al. 2021).

    Sines are made here and now: XLA would make them again for every row and head.
    """
    half = x.shape[-1] // 2
    angle = np.outer(np.arange(x.shape[1]), longest ** (-np.arange(half) / half))
    cos, sin = (jnp.asarray(f(angle), x.dtype)[None, :, None] for f in (np.cos, np.sin))
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


def attend(q: Array, k: Array, v: Array, seen: Array) -> Array:
    """Softmax attention with rotary positions: q, k [b, t, h, d], v [b, s, h, ..], seen [b, s]."""
    q, k = rotated(q) * q.shape[-1] ** -0.5, rotated(k)
    logits = jnp.einsum("bthd,bshd->bhts", q, k, preferred_element_type=jnp.float32)
    logits = jnp.where(seen[:, None, None], logits, NEVER)
    return jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(logits).astype(v.dtype), v)


class TwoWay(nn.Module):
    """A convolution over `reach` steps, attention over all, and a hidden layer, each a residual."""

    width: int
    heads: int
    reach: int
    dropout: float

    @nn.compact
    def __call__(self, x: Array, mask: Array, still: bool) -> Array:
        b, t, d = x.shape
        drop = Dropout(self.dropout)
        taps = self.param(
            "taps", nn.initializers.normal(self.reach**-0.5), (self.reach, d)
        )
        y = Dense(d)(nn.LayerNorm()(x)) * mask[..., None]
        y = jnp.pad(y, ((0, 0), (self.reach // 2, self.reach // 2), (0, 0)))
        y = sum(taps[i][None, None] * y[:, i : i + t] for i in range(self.reach))
        x = x + drop(Dense(d)(nn.gelu(y)), still)
        qkv = Dense(3 * d, use_bias=False)(nn.LayerNorm()(x)).reshape(
            b, t, 3, self.heads, -1
        )
        y = attend(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2], mask)
        x = x + drop(Dense(d)(y.reshape(b, t, d)), still)
        y = drop(nn.gelu(Dense(2 * d)(nn.LayerNorm()(x))), still)
        return x + drop(Dense(d)(y), still)
