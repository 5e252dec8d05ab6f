"""Multi-receptive field fusion (Kong et al. 2020, HiFi-GAN, section 2.2).

Axes: b batch, f frame, d channel.
"""

from collections.abc import Sequence

import flax.linen as nn

from zoo.core import Array, Float
from zoo.nn.audio.causal_conv import LEAKY_SLOPE, Conv


class MultiReceptive(nn.Module):
    """The mean of stacks of residual convolutions with kernels of several sizes.

    Attributes:
      sizes: taps of the kernels, one stack for each.
      dilations: of the convolutions of every stack, in frames.
      causal: whether they look only backwards.
    """

    sizes: Sequence[int] = (3, 5, 7)
    dilations: Sequence[int] = (1, 3)
    causal: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "b f d"]) -> Float[Array, "b f d"]:
        """Returns as many frames as there are."""
        width, outputs = x.shape[-1], []
        for size in self.sizes:
            h = x
            for dilation in self.dilations:
                name = f"conv_{size}_{dilation}"
                conv = Conv(width, size, dilation, causal=self.causal, name=name)
                h = h + conv(nn.leaky_relu(h, LEAKY_SLOPE))
            outputs.append(h)
        first, *others = outputs
        return sum(others, first) / len(outputs)
