"""The block of a diffusion Transformer (Peebles & Xie 2023, arXiv:2212.09748).

Axes: b row, u position, d width.
"""

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Bool, Float
from zoo.nn.dense import Dense, gelu_product, normalise
from zoo.nn.sequence.encoder_block import bidirectional_attention

zeros = nn.initializers.zeros


class DiTBlock(nn.Module):
    """A Transformer block with AdaLN-zero conditioning (Peebles & Xie 2023).

    The conditioning scales and shifts the input of each sublayer and gates its output.
    All gates are initialised to 0.
    """

    width: int
    heads: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b u d"],
        conditioning: Float[Array, "b d"],
        mask: Bool[Array, "b u"],
    ) -> Float[Array, "b u d"]:
        """Returns the next layer; positions outside the mask are not attended to."""
        b, u, d = x.shape
        adaln = Dense(6 * d, kernel_init=zeros, name="told")(conditioning)[:, None]
        shift, scale, gate, shift_2, scale_2, gate_2 = jnp.split(adaln, 6, axis=-1)
        y = normalise(x) * (1 + scale) + shift
        qkv = Dense(3 * d, use_bias=False, name="qkv")(y)
        qkv = qkv.reshape(b, u, 3, self.heads, -1)
        q, k, v = qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]
        y = bidirectional_attention(q, k, v, mask).reshape(b, u, d)
        x = x + gate * Dense(d, use_bias=False, name="out")(y)
        y = normalise(x) * (1 + scale_2) + shift_2
        y = Dense(4 * d, name="up")(y)
        return x + gate_2 * nn.Dense(d, dot_general=gelu_product, name="down")(y)
