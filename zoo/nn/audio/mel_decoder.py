"""Sound from a mel spectrum: a draft, which networks mend (Masuyama et al. 2019, Deep Griffin-Lim
iteration).

A network sharpens the magnitudes that a mel spectrum leaves open, phases are found for them, and
the decoder of a vocoder goes on from what that sounds like. Networks that had to find phases by
themselves were after 1,000 steps twice as far from notes as Griffin & Lim's iteration is.
Axes: b signal, f frame, m mel band, t frame of bands, k band.
"""

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.audio.causal_conv import SLOPE, Conv, Residual
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.phase_retrieval import coherent, griffin_lim
from zoo.nn.audio.pqmf import PQMF
from zoo.nn.audio.subband_autoencoder import Decoder, level

STEPS = 8  # of Griffin & Lim's iteration, from phases that are almost right
SQUARES = 50  # steps to the magnitudes of the least error
FAINT = 1e-5  # what a magnitude counts as no less than
DILATIONS = (1, 3, 1, 3)


class Drafted(nn.Module):
    mel: Mel
    bank: PQMF
    decoder: Decoder

    @nn.compact
    def __call__(self, z: Array, _: Array, white: Array) -> Array:
        """Log-mel spectra [b, f, m] and white noise [b, t, k] -> bands [b, t, k]."""
        stft, length = self.mel.stft, z.shape[1] * self.mel.stft.hop
        z = jnp.concatenate(
            [z, z[:, -1:]], axis=1
        )  # the frame that so many samples end with
        about = jnp.maximum(self.mel.spectrum(jnp.exp(z), SQUARES), FAINT)
        sharp = about * jnp.exp(Sharper(about.shape[-1], self.width, name="sharper")(z))
        x = griffin_lim(stft, sharp, length, coherent(stft, sharp), STEPS)
        draft = self.bank(x)[:, : white.shape[1]]
        loud = level(draft, white.shape[1] // (z.shape[1] - 1))
        return self.decoder(z[:, :-1], loud, white, draft)

    @property
    def width(self) -> int:
        """That of the decoder's coarsest frames."""
        return self.decoder.width << len(self.decoder.factors)


class Sharper(nn.Module):
    """What magnitudes are too large or too small by, nothing at birth."""

    bins: int
    width: int

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """Log-mel spectra [b, f, m] -> logarithms of factors [b, f, bins]."""
        level = z.mean(axis=-1, keepdims=True)
        x = jnp.concatenate([z - level, level], axis=-1)
        x = Conv(self.width, 5, causal=False, name="first")(x)
        for i, dilation in enumerate(DILATIONS):
            x = Residual(dilation, causal=False, name=f"residual_{i}")(x)
        last = Conv(self.bins, 3, causal=False, still=True, name="last")
        return last(nn.leaky_relu(x, SLOPE)).astype(jnp.float32)
