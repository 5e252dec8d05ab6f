"""Causal convolutions that can also run block by block.

WaveNet: A. van den Oord et al. 2016, arXiv:1609.03499. Streaming: A. Caillon, P.
Esling: Streamable neural audio synthesis with non-causal convolutions,
arXiv:2204.07064.

On a whole signal, a causal convolution sees zeros before the first frame. With the
collection "stream" mutable, it sees the end of the previous block instead, which the
collection stores. The outputs of consecutive blocks are then those of the whole signal.
Axes: b batch, f frame, d channel.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Float
from zoo.errors import UsageError

LEAKY_SLOPE = 0.2  # of leaky rectifiers, for negative inputs


class Conv(nn.Module):
    """A 1-D convolution over frames, causal or centred, with a state for streaming.

    Attributes:
      features: output channels.
      size: taps of the kernel.
      dilation: frames from tap to tap.
      stride: input frames per output frame.
      causal: whether the last tap is the last input frame of the output frame;
        otherwise the kernel is centred.
      zero_init: whether the kernel is initialised to zero.

    Raises:
      UsageError: a centred convolution is applied block by block.
    """

    features: int
    size: int = 3
    dilation: int = 1
    _: dataclasses.KW_ONLY
    stride: int = 1
    causal: bool = True
    zero_init: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "b f d"]) -> Float[Array, "b g e"]:
        """Returns f / stride frames of `features` channels."""
        count = x.shape[1] // self.stride
        x = self.padded(x, (self.size - 1) * self.dilation + 1 - self.stride)
        end = count * self.stride
        taps = [
            x[:, i * self.dilation :][:, : end : self.stride] for i in range(self.size)
        ]
        lecun = nn.initializers.lecun_normal()
        init = nn.initializers.zeros if self.zero_init else lecun
        dense = nn.Dense(self.features, kernel_init=init, name="taps")
        return dense(jnp.concatenate(taps, axis=-1))

    def padded(self, x: Float[Array, "b f d"], count: int) -> Float[Array, "b g d"]:
        """Adds the `count` frames that the kernel needs beyond those of `x`."""
        streaming = self.is_mutable_collection("stream") and not self.is_initializing()
        if count <= 0:
            return x
        if not self.causal:
            if streaming:
                raise UsageError(
                    "a model whose convolutions look ahead cannot stream in blocks: "
                    "train one with causal=True."
                )
            return jnp.pad(x, ((0, 0), (count // 2, count - count // 2), (0, 0)))
        if not streaming:
            return jnp.pad(x, ((0, 0), (count, 0), (0, 0)))
        shape = (len(x), count, x.shape[-1])
        past = self.variable("stream", "past", jnp.zeros, shape, x.dtype)
        x = jnp.concatenate([past.value, x], axis=1)
        past.value = x[:, -count:]
        return x


class TransposedConv(nn.Module):
    """A transposed convolution whose kernel is twice as long as its stride.

    Attributes:
      features: output channels.
      factor: output frames per input frame.
      causal: whether it sees only the present and the previous input frame.
    """

    features: int
    factor: int
    causal: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "b f d"]) -> Float[Array, "b g e"]:
        """Returns f * factor frames of `features` channels."""
        x = Conv(self.factor * self.features, 2, causal=self.causal, name="conv")(x)
        return x.reshape(len(x), -1, self.features)


class ResidualBlock(nn.Module):
    """A residual block: a dilated convolution and a mix of channels.

    Attributes:
      dilation: frames from tap to tap of the convolution.
      size: its taps.
      causal: whether it looks only backwards.
    """

    dilation: int
    size: int = 3
    causal: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "b f d"]) -> Float[Array, "b f d"]:
        width = x.shape[-1]
        conv = Conv(width, self.size, self.dilation, causal=self.causal, name="conv")
        hidden = nn.leaky_relu(conv(nn.leaky_relu(x, LEAKY_SLOPE)), LEAKY_SLOPE)
        return x + nn.Dense(width, name="mix")(hidden)
