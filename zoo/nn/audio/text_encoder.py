"""Encoders of phonemes, and predictors of what each phoneme needs.

Convolutions and a bidirectional LSTM, as in Tacotron 2 (J. Shen et al. 2018,
arXiv:1712.05884); the predictors are those of FastSpeech 2 (Y. Ren et al. 2021,
arXiv:2006.04558). What is masked never counts, so that a row does not depend on how far
it is padded. Axes: b row, t token or frame, d width.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Bool, Float
from zoo.nn.audio.causal_conv import Conv
from zoo.nn.dense import normalise
from zoo.nn.sequence.lstm import LSTMLayer


class ConvStack(nn.Module):
    """Residual convolutions with layer normalisation, one for each dilation.

    Attributes:
      width: channels.
      dilations: steps from tap to tap of each convolution.
      size: taps.
    """

    width: int
    dilations: Sequence[int]
    size: int = 5

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], mask: Bool[Array, "b t"]
    ) -> Float[Array, "b t e"]:
        """Returns `width` channels, from any number of them."""
        keep = mask[..., None]
        if x.shape[-1] != self.width:
            x = nn.Dense(self.width, name="first")(x)
        for i, dilation in enumerate(self.dilations):
            conv = Conv(self.width, self.size, dilation, causal=False, name=f"conv_{i}")
            h = conv(jnp.where(keep, x, jnp.zeros((), x.dtype)))
            x = x + nn.relu(normalise(h.astype(jnp.float32))).astype(x.dtype)
        return x


class BiLSTM(nn.Module):
    """Two LSTM layers of half the width each, one of which reads backwards."""

    width: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], mask: Bool[Array, "b t"]
    ) -> Float[Array, "b t e"]:
        """Returns the outputs of both; the mask ends each row."""
        x, mask = x.swapaxes(0, 1), mask.swapaxes(0, 1)
        _, forwards = LSTMLayer(self.width // 2, name="forwards")(x)
        # the last token of a row is the first of the layer that reads backwards
        last = mask & ~jnp.pad(mask[1:], ((0, 1), (0, 0)))
        layer = LSTMLayer(self.width - self.width // 2, name="backwards")
        _, backwards = layer(x[::-1], reset=last[::-1])
        both = jnp.concatenate([forwards, backwards[::-1]], axis=-1)
        return both.swapaxes(0, 1)


class TextEncoder(nn.Module):
    """Convolutions and a bidirectional LSTM.

    Attributes:
      width: channels.
      layers: convolutions.
    """

    width: int
    layers: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], mask: Bool[Array, "b t"]
    ) -> Float[Array, "b t e"]:
        x = ConvStack(self.width, (1,) * self.layers, name="convolutions")(x, mask)
        return x + BiLSTM(self.width, name="lstm")(x, mask).astype(x.dtype)


class TokenPredictor(nn.Module):
    """Predicts a number for each token; the numbers are 0 before training.

    Attributes:
      width: channels.
      layers: convolutions.
    """

    width: int
    layers: int = 2

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], mask: Bool[Array, "b t"]
    ) -> Float[Array, "b t"]:
        x = ConvStack(self.width, (1,) * self.layers, 3, name="convolutions")(x, mask)
        last = nn.Dense(1, kernel_init=nn.initializers.zeros, name="last")
        return last(x)[..., 0].astype(jnp.float32)
