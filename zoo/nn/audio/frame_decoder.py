"""Decoders of mel spectra, from contexts of frames or from a memory of tokens.

The decoder, the pre-net and the post-net of Tacotron 2 (J. Shen et al. 2018,
arXiv:1712.05884), and a decoder of convolutions. Spectra are normalised. Axes: b row, t
token, u step, f frame, m mel band, p unit of the pre-net, e width of contexts.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float, Int, Key
from zoo.nn.audio.text_encoder import ConvStack
from zoo.nn.rng import hashed_bits
from zoo.nn.sequence.location_attention import LocationLSTM, LocationState, Memory
from zoo.nn.sequence.lstm import Carry, LSTMLayer

TAPS = 15  # of the convolutions of the attention, in tokens


class LayerStates(NamedTuple):
    """The states of both layers; None before the first step."""

    first: Carry | LocationState | None = None
    second: Carry | None = None


class Decoded(NamedTuple):
    """The frames of some steps."""

    frames: Float[Array, "b f m"]
    weights: Float[Array, "b u t"] | None = None  # of the attention
    stop: Float[Array, "b u"] | None = None  # logits of the end of the row


class Plan(NamedTuple):
    """The input of the decoder, and the frames of a row that it may write."""

    source: Any  # of the attention, or the contexts of the steps [n, u, e]
    frames: Int[Array, " n"]


class DecoderState(NamedTuple):
    """The state of the recurrent decoder between steps."""

    step: Int[Array, ""]  # the number of the next one
    keys: Key  # [n], of dropout
    frame: Float[Array, "n m"]  # the last, normalised
    layers: LayerStates
    plan: Plan


def kept_units(
    rng: Key, shape: tuple[int, ...], rate: float
) -> Bool[Array, "u b two p"] | None:
    """Draws the units of the pre-net that dropout keeps in training; None for all."""
    if not rate:
        return None
    return hashed_bits(rng, shape) >= jnp.uint32(int(rate * 2**32))


def kept_units_of_rows(
    state: DecoderState, units: int, rate: float
) -> Bool[Array, "u b two p"] | None:
    """Draws what dropout keeps in one step, by the keys of the rows and the step."""
    if not rate:
        return None
    keys = jax.vmap(jax.random.fold_in, (0, None))(state.keys, state.step)
    keep = lambda key: jax.random.bernoulli(key, 1 - rate, (2, units))
    return jax.vmap(keep)(keys)[None]


class RecurrentDecoder(nn.Module):
    """Writes `per_step` frames at a step, from the last frame and a context.

    Attributes:
      bands: mel bands.
      width: of each of two LSTM layers.
      prenet: units of each of two layers.
      per_step: frames.
      dropout: rate of dropout in the pre-net.
      attention: width of the attention; None if contexts are known.
    """

    bands: int
    width: int
    prenet: int
    per_step: int
    dropout: float
    attention: int | None
    recurrent = True

    @nn.compact
    def __call__(
        self,
        source: Any,
        previous: Float[Array, "u b m"],
        kept: Bool[Array, "u b two p"] | None,
        layers: LayerStates = LayerStates(),
        ahead: int | None = None,
    ) -> tuple[LayerStates, Decoded]:
        """Writes the frames of some steps.

        Args:
          source: the `Memory` of the attention, or the contexts of the steps [b, u, e].
          previous: the frame before each step.
          kept: the units of the pre-net that dropout keeps; None for all.
          layers: their states before the first step.
          ahead: tokens by which the attention may advance in a step; None for any.
        """
        x = previous
        for i in range(2):
            x = nn.relu(nn.Dense(self.prenet, name=f"prenet_{i}")(x))
            if kept is not None:
                x = jnp.where(kept[:, :, i], x / (1 - self.dropout), 0.0).astype(
                    x.dtype
                )
        weights = None
        if self.attention is not None:
            lstm = LocationLSTM(self.width, self.attention, TAPS, name="lstm_0")
            first, (h, context, weights) = lstm(x, source, layers.first, ahead)
        else:
            context = source.swapaxes(0, 1).astype(x.dtype)
            x = jnp.concatenate([x, context], axis=-1)
            first, h = LSTMLayer(self.width, name="lstm_0")(x, layers.first)
        x = jnp.concatenate([h, context.astype(h.dtype)], axis=-1)
        second, y = LSTMLayer(self.width, name="lstm_1")(x, layers.second)
        y = jnp.concatenate([y, context.astype(y.dtype)], axis=-1)
        frames = nn.Dense(self.per_step * self.bands, name="frames")(y)
        frames = frames.astype(jnp.float32).swapaxes(0, 1)
        frames = frames.reshape(len(frames), -1, self.bands)
        layers = LayerStates(first, second)
        if weights is None:
            return layers, Decoded(frames)
        stop = nn.Dense(1, name="stop")(y)[..., 0].astype(jnp.float32)
        return layers, Decoded(frames, weights.swapaxes(0, 1), stop.swapaxes(0, 1))


class MemoryKeys(nn.Module):
    """Makes encoded tokens a memory of the attention.

    Attributes:
      width: of the attention.
    """

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], mask: Bool[Array, "b t"]) -> Memory:
        keys = nn.Dense(self.width, name="keys")(x).astype(jnp.float32)
        values = jnp.where(mask[..., None], x.astype(jnp.float32), 0.0)
        return Memory(values, keys, mask)


class ConvDecoder(nn.Module):
    """Writes all frames at once, by convolutions.

    Attributes:
      bands: mel bands.
      width: channels.
      layers: convolutions.
    """

    bands: int
    width: int
    layers: int
    recurrent, attention, per_step = False, None, 1

    @nn.compact
    def __call__(
        self, contexts: Float[Array, "b f e"], mask: Bool[Array, "b f"]
    ) -> Decoded:
        dilations = [2 ** (i % 3) for i in range(self.layers)]
        x = ConvStack(self.width, dilations, 3, name="convolutions")(contexts, mask)
        frames = nn.Dense(self.bands, name="frames")(x)
        return Decoded(frames.astype(jnp.float32))


class PostNet(nn.Module):
    """Corrects frames by convolutions; it changes nothing before training.

    Attributes:
      width: channels.
      layers: convolutions.
    """

    width: int
    layers: int

    @nn.compact
    def __call__(
        self, draft: Float[Array, "b f m"], mask: Bool[Array, "b f"]
    ) -> Float[Array, "b f m"]:
        x = ConvStack(self.width, (1,) * self.layers, name="convolutions")(draft, mask)
        last = nn.Dense(
            draft.shape[-1], kernel_init=nn.initializers.zeros, name="frames"
        )
        return draft + last(x).astype(jnp.float32)
