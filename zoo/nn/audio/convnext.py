"""ConvNeXt blocks of one dimension (Liu et al. 2022, arXiv:2201.03545; Vocos).

A depthwise convolution looks along frames, and two products mix the channels of each
frame. Axes: b batch, f frame, d channel.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float
from zoo.nn.audio.causal_conv import Conv
from zoo.nn.audio.stft import match_rank

SIZE = 7  # taps of the depthwise convolution


class DepthwiseConv(Conv):
    """A convolution of every channel by itself, with the state of `Conv`.

    It is a sum of shifted products: on a CPU, XLA's grouped convolution took 40 times
    as long. `features` is the number of channels of input and output.
    """

    @nn.compact
    def __call__(self, x: Float[Array, "b f d"]) -> Float[Array, "b f d"]:
        """Returns as many frames as there are."""
        count = x.shape[1]
        init = nn.initializers.variance_scaling(
            1.0, "fan_in", "truncated_normal", in_axis=0, out_axis=(), batch_axis=1
        )
        kernel = self.param("kernel", init, (self.size, self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        x = self.padded(x, (self.size - 1) * self.dilation)
        starts = [i * self.dilation for i in range(self.size)]
        taps = [x[:, start : start + count] for start in starts]
        products = (match_rank(kernel[i], x) * tap for i, tap in enumerate(taps))
        return sum(products, match_rank(bias, x))


class ConvNeXtBlock(nn.Module):
    """A residual block: a depthwise convolution and a mix of channels.

    Attributes:
      expansion: hidden channels per channel.
      scale: initial factor of what the block adds.
      causal: whether it looks only backwards.
    """

    expansion: int
    scale: float
    causal: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "b f d"], valid: Bool[Array, " f"] | None = None
    ) -> Float[Array, "b f d"]:
        """Returns as many frames as there are.

        Args:
          x: the frames.
          valid: which of them there are; others count as the silence before the first.
        """
        width = x.shape[-1]
        h = masked_frames(x, valid)
        h = DepthwiseConv(width, SIZE, causal=self.causal, name="depthwise")(h)
        h = nn.LayerNorm(name="norm")(h)
        h = nn.Dense(self.expansion * width, name="expand")(h)
        # the gradient of the exact function is faster on a CPU than of its estimate
        h = nn.Dense(width, name="project")(jax.nn.gelu(h, approximate=False))
        scale = nn.initializers.constant(self.scale)
        factor = self.param("scale", scale, (width,), jnp.float32)
        return x + h * match_rank(factor, h)


def masked_frames(
    x: Float[Array, "b f d"], valid: Bool[Array, " f"] | None
) -> Float[Array, "b f d"]:
    """Returns the frames with those that are not valid as zeros."""
    return x if valid is None else jnp.where(valid[None, :, None], x, 0)
