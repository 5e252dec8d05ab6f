"""A Transformer that is told how noisy its input is, and of what style (Peebles & Xie 2023).

Blocks are those of arXiv:2212.09748 with AdaLN-zero: what a row is told shifts and scales what
every sublayer reads and gates what it adds, and all gates are shut at first. Axes: b row, u
position, z latent, d width.
"""

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.dense import Dense, gelu_product, normalise
from zoo.nn.sequence.encoder_block import bidirectional_attention

WAVES = 32  # sines and cosines that a level is read through
SLOWEST, FASTEST = 1 / 16, 4.0  # radians per nat: levels run from -10 to 10

zeros = nn.initializers.zeros


def waves(level: Array) -> Array:
    """A level [b] as sines and cosines [b, 2 WAVES]."""
    angle = level[:, None] * jnp.geomspace(SLOWEST, FASTEST, WAVES)[None]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class Block(nn.Module):
    width: int
    heads: int

    @nn.compact
    def __call__(self, x: Array, told: Array, there: Array) -> Array:
        """x [b, u, d] to the same, given what rows are told [b, d]; attends where bool [b, u]."""
        (b, u, d) = x.shape
        moves = Dense(6 * d, kernel_init=zeros, name="told")(told)[:, None]
        shift, scale, gate, shift_2, scale_2, gate_2 = jnp.split(moves, 6, axis=-1)
        y = normalise(x) * (1 + scale) + shift
        qkv = Dense(3 * d, use_bias=False, name="qkv")(y).reshape(
            b, u, 3, self.heads, -1
        )
        y = bidirectional_attention(
            qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2], there
        ).reshape(b, u, d)
        x = x + gate * Dense(d, use_bias=False, name="out")(y)
        y = normalise(x) * (1 + scale_2) + shift_2
        y = Dense(4 * d, name="up")(y)
        return x + gate_2 * nn.Dense(d, dot_general=gelu_product, name="down")(y)


class Denoiser(nn.Module):
    latent: int
    parts: int
    width: int
    layers: int
    heads: int
    styles: int  # labels there are, "of no style" among them; 0 where none are read

    @nn.compact
    def __call__(
        self,
        noisy: Array,
        level: Array,
        known: Array,
        given: Array,
        there: Array,
        style: Array | None,
    ) -> Array:
        """What is asked of each latent, float32 [b, u, z]; all zeros at first.

        Args:
          noisy: [b, u, z], not looked at where a latent is given.
          level: how noisy, [b].
          known: [b, u, z], looked at where given alone.
          given: bool [b, u], where latents are known.
          there: bool [b, u], the positions that are no padding.
          style: int [b], None where styles are not read.
        """
        flag = given[..., None]
        read = [
            jnp.where(flag, 0, noisy),
            jnp.where(flag, known, 0),
            flag.astype(noisy.dtype),
        ]
        place = self.param(
            "place", nn.initializers.normal(0.02), (self.parts, self.width)
        )
        x = Dense(self.width, name="enter")(jnp.concatenate(read, axis=-1))
        x = x + place[None, : x.shape[1]]
        told = Dense(self.width, name="level_in")(waves(level))
        told = Dense(self.width, name="level_out")(nn.silu(told))
        if style is not None:
            told = told + nn.Embed(self.styles, self.width, name="style")(style)
        told = nn.silu(told)
        for i in range(self.layers):
            x = Block(self.width, self.heads, name=f"block_{i}")(x, told, there)
        shift, scale = jnp.split(
            Dense(2 * self.width, kernel_init=zeros, name="told")(told), 2, -1
        )
        y = normalise(x) * (1 + scale[:, None]) + shift[:, None]
        return Dense(self.latent, kernel_init=zeros, name="head")(y).astype(jnp.float32)
