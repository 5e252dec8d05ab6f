"""Networks from mel spectra to audio.

H. Siuzdak: Vocos, arXiv:2306.00814, 2023; J. Kong et al.: HiFi-GAN, arXiv:2010.05646,
2020. Axes: b batch, f frame, m mel band, d channel, s sample.
"""

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Bool, Float
from zoo.nn.audio.causal_conv import LEAKY_SLOPE, Conv, TransposedConv
from zoo.nn.audio.convnext import ConvNeXtBlock, masked_frames
from zoo.nn.audio.istft_head import ISTFTHead, estimated_log_magnitudes
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.multi_receptive import MultiReceptive

LEVEL_MEAN, LEVEL_STD = -6.0, 3.0  # of the mean of log-mel spectra, which is normalised
SHAPE_STD = 2.0  # of log-mel spectra about that mean


class SpectralGenerator(nn.Module):
    """Vocos: ConvNeXt blocks at the rate of frames, and an inverse STFT.

    Attributes:
      mel: the mel spectrogram.
      width: channels.
      blocks: ConvNeXt blocks.
      expansion: hidden channels of a block per channel.
      causal: whether convolutions look only backwards.
    """

    mel: Mel
    width: int
    blocks: int
    _: dataclasses.KW_ONLY
    expansion: int
    causal: bool

    @nn.compact
    def __call__(
        self, mel: Float[Array, "b f m"], valid: Bool[Array, " f"] | None = None
    ) -> Float[Array, "b s"]:
        """Returns f * hop samples, from log-mel spectra.

        Args:
          mel: log-mel spectra.
          valid: which frames there are, in the first block of a stream.
        """
        h = masked_frames(normalised(mel), valid)
        h = Conv(self.width, 7, causal=self.causal, name="first")(h)
        h = nn.LayerNorm(name="first_norm")(h)
        for i in range(self.blocks):
            scale = 1 / self.blocks
            name = f"block_{i}"
            block = ConvNeXtBlock(self.expansion, scale, self.causal, name=name)
            h = block(h, valid)
        h = nn.LayerNorm(name="last_norm")(h)
        estimate = estimated_log_magnitudes(self.mel, mel)
        return ISTFTHead(self.mel.stft, name="head")(h, estimate, valid)


class UpsamplingGenerator(nn.Module):
    """HiFi-GAN: transposed convolutions, each followed by multi-receptive field fusion.

    Attributes:
      width: channels at the rate of frames, halved by each upsampling.
      factors: of upsampling; their product is the hop.
      sizes: taps of the kernels of the fused stacks.
      dilations: of their convolutions.
      causal: whether convolutions look only backwards.
    """

    width: int
    factors: Sequence[int]
    _: dataclasses.KW_ONLY
    sizes: Sequence[int]
    dilations: Sequence[int]
    causal: bool

    @nn.compact
    def __call__(self, mel: Float[Array, "b f m"]) -> Float[Array, "b s"]:
        """Returns f * hop samples, from log-mel spectra."""
        h = Conv(self.width, 7, causal=self.causal, name="first")(normalised(mel))
        for i, factor in enumerate(self.factors):
            width = self.width >> (i + 1)
            up = TransposedConv(width, factor, self.causal, name=f"up_{i}")
            h = up(nn.leaky_relu(h, LEAKY_SLOPE))
            name = f"fusion_{i}"
            fusion = MultiReceptive(self.sizes, self.dilations, self.causal, name=name)
            h = fusion(h)
        last = Conv(1, 7, causal=self.causal, name="last")
        return jnp.tanh(last(nn.leaky_relu(h, LEAKY_SLOPE)).astype(jnp.float32))[..., 0]


def normalised(mel: Float[Array, "b f m"]) -> Float[Array, "b f d"]:
    """Returns log-mel spectra about their mean, and that mean, both normalised."""
    level = mel.mean(axis=-1, keepdims=True)
    shape = (mel - level) / SHAPE_STD
    return jnp.concatenate([shape, (level - LEVEL_MEAN) / LEVEL_STD], axis=-1)
