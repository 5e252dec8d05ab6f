"""Convolutions over frames that can go on where they were, block by block (van den Oord et al.
2016; Caillon & Esling 2022, Streamable neural audio synthesis).

A causal convolution of a whole signal looks back on silence before its first frame. Applied with
the collection "stream" mutable, it looks back on the block before, kept there, instead: what comes
of blocks, one after the other, is what comes of the whole. Axes: b signal, f frame, c channel.
"""

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array
from zoo.errors import UsageError

SLOPE = 0.2  # of the rectifiers below 0


class Conv(nn.Module):
    """By filters of `size` frames, `dilation` apart, at every `stride`-th frame; they end at the
    last of those, or, where not `causal`, are centred.

    Raises:
      UsageError: it looks ahead, and is to go on in blocks.
    """

    features: int
    size: int = 3
    dilation: int = 1
    stride: int = 1
    causal: bool = True
    still: bool = False
    """Whether nothing comes of it at birth."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[b, f stride, c] -> [b, f, features]."""
        count = x.shape[1] // self.stride
        beyond = (self.size - 1) * self.dilation + 1 - self.stride
        x = self.around(x, beyond)
        far = count * self.stride
        taps = [
            x[:, i * self.dilation :][:, : far : self.stride] for i in range(self.size)
        ]
        init = nn.initializers.zeros if self.still else nn.initializers.lecun_normal()
        dense = nn.Dense(self.features, kernel_init=init, name="taps")
        return dense(jnp.concatenate(taps, axis=-1))

    def around(self, x: Array, beyond: int) -> Array:
        """`x` with as many frames more as filters reach beyond it."""
        blocks = self.is_mutable_collection("stream") and not self.is_initializing()
        if beyond <= 0:
            return x
        if not self.causal:
            if blocks:
                raise UsageError(
                    "a model that looks ahead cannot go on in blocks: train a causal one."
                )
            return jnp.pad(x, ((0, 0), (beyond // 2, beyond - beyond // 2), (0, 0)))
        if not blocks:
            return jnp.pad(x, ((0, 0), (beyond, 0), (0, 0)))
        past = self.variable(
            "stream", "past", jnp.zeros, (len(x), beyond, x.shape[-1]), x.dtype
        )
        x = jnp.concatenate([past.value, x], axis=1)
        past.value = x[:, -beyond:]
        return x


class Finer(nn.Module):
    """`times` as many frames, each of two coarse ones: a transposed convolution, twice as long as
    its stride."""

    features: int
    times: int
    causal: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[b, f, c] -> [b, f times, features]."""
        x = Conv(self.times * self.features, 2, causal=self.causal, name="conv")(x)
        return x.reshape(len(x), -1, self.features)


class Residual(nn.Module):
    """A dilated convolution beside what it is of."""

    dilation: int
    size: int = 3
    causal: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """[b, f, c] -> [b, f, c]."""
        width = x.shape[-1]
        conv = Conv(width, self.size, self.dilation, causal=self.causal, name="conv")
        inner = nn.leaky_relu(conv(nn.leaky_relu(x, SLOPE)), SLOPE)
        return x + nn.Dense(width, name="mix")(inner)
