"""Bidirectional Transformer layers. Axes: b row, t and s step, h head, d width."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Bool, Float
from zoo.nn.dense import NEG_INF, Dense
from zoo.nn.rng import Dropout
from zoo.nn.sequence.positional import rotary_angles, rotate


def rotate_by_step(x: Float[Array, "b t h d"]) -> Float[Array, "b t h d"]:
    """Applies rotary positions to queries or keys, by their step.

    The sines are numpy constants: XLA would recompute them for every row and head.
    """
    angle = rotary_angles(np.arange(x.shape[1]), x.shape[-1])[None, :, None]
    return rotate(x, np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype))


def bidirectional_attention(
    q: Float[Array, "b t h d"],
    k: Float[Array, "b s h d"],
    v: Float[Array, "b s h e"],
    mask: Bool[Array, "b s"],
) -> Float[Array, "b t h e"]:
    """Returns softmax attention with rotary positions, to the keys in the mask."""
    q, k = rotate_by_step(q) * q.shape[-1] ** -0.5, rotate_by_step(k)
    logits = jnp.einsum("bthd,bshd->bhts", q, k, preferred_element_type=jnp.float32)
    logits = jnp.where(mask[:, None, None], logits, NEG_INF)
    return jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(logits).astype(v.dtype), v)


class EncoderBlock(nn.Module):
    """A depthwise convolution, attention and an MLP, each pre-norm with a residual.

    Attributes:
      width: of inputs and outputs.
      heads: of the attention.
      kernel: steps that the convolution covers.
      dropout: rate of dropout on what each sublayer adds, and in the MLP.
    """

    width: int
    heads: int
    kernel: int
    dropout: float

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        mask: Bool[Array, "b t"],
        deterministic: bool,
    ) -> Float[Array, "b t d"]:
        """Transforms the steps in the mask."""
        b, t, d = x.shape
        drop = Dropout(self.dropout)
        init = nn.initializers.normal(self.kernel**-0.5)
        taps = self.param("taps", init, (self.kernel, d), jnp.float32)
        # 1. DEPTHWISE CONVOLUTION
        y = Dense(d)(nn.LayerNorm()(x))
        y *= mask[..., None].astype(y.dtype)
        y = jnp.pad(y, ((0, 0), (self.kernel // 2, self.kernel // 2), (0, 0)))
        y = sum(taps[i][None, None] * y[:, i : i + t] for i in range(self.kernel))
        x = x + drop(Dense(d)(nn.gelu(y)), deterministic)
        # 2. ATTENTION
        qkv = Dense(3 * d, use_bias=False)(nn.LayerNorm()(x))
        q, k, v = jnp.moveaxis(qkv.reshape(b, t, 3, self.heads, -1), 2, 0)
        y = bidirectional_attention(q, k, v, mask).reshape(b, t, d)
        x = x + drop(Dense(d)(y), deterministic)
        # 3. MLP
        y = drop(nn.gelu(Dense(2 * d)(nn.LayerNorm()(x))), deterministic)
        return x + drop(Dense(d)(y), deterministic)
