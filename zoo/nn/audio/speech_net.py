"""A network from tokens and a voice to mel spectra, as in Tacotron.

J. Shen et al.: Non-attentive Tacotron, arXiv:2010.04301, 2020. The families that use it
say where it differs. Spectra are normalised. Axes: b row, t token, u step, f frame, m
mel band, v voice, d width, e width of contexts, p unit of the pre-net.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Bool, Float, Int
from zoo.nn.audio.frame_decoder import (
    ConvDecoder,
    MemoryKeys,
    PostNet,
    RecurrentDecoder,
)
from zoo.nn.audio.speech_batch import token_mask
from zoo.nn.audio.text_encoder import TextEncoder, TokenPredictor
from zoo.nn.sequence.location_attention import Memory
from zoo.nn.sequence.upsampling import gaussian_weights, places

MAX_LOG_DURATION = 5.5  # of a token: 244 frames


def to_frames(logs: Float[Array, "b t"]) -> Float[Array, "b t"]:
    """Returns durations in frames from log(1 + frames)."""
    return jnp.expm1(jnp.clip(logs, 0.0, MAX_LOG_DURATION))


class Output(NamedTuple):
    """The network's output for rows whose audio is known."""

    draft: Float[Array, "b f m"]  # before the post-net
    mel: Float[Array, "b f m"]
    weights: Float[Array, "b u t"]  # of the phonemes in each step
    durations: Float[Array, "b t"] | None  # predicted log(1 + frames)
    stop: Float[Array, "b u"] | None  # logits of the end of the row


class SpeechNet(nn.Module):
    """A text encoder, voices, an alignment, a decoder and a post-net.

    Attributes:
      vocab: number of tokens.
      voices: number of voices.
      width: channels of the encoder, the predictors and the post-net.
      layers: convolutions of the encoder.
      postnet: convolutions of the post-net; 0 for none.
      decoder: writes frames. If it has no attention, durations align them with tokens.
    """

    vocab: int
    voices: int
    width: int
    layers: int
    postnet: int
    decoder: RecurrentDecoder | ConvDecoder

    def setup(self) -> None:
        self.table = nn.Embed(self.vocab, self.width)
        self.voice = nn.Dense(self.width, use_bias=False)
        self.encoder = TextEncoder(self.width, self.layers)
        if self.decoder.attention is not None:
            self.keys = MemoryKeys(self.decoder.attention)
        else:
            self.duration = TokenPredictor(self.width)
            self.spread = TokenPredictor(self.width)
        if self.postnet:
            self.correct = PostNet(self.width, self.postnet)

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        voice: Float[Array, "b v"],
        durations: Float[Array, "b t"],
        mel: Float[Array, "b f m"],
        mask: Bool[Array, "b f"],
        kept: Bool[Array, "u b two p"] | None,
    ) -> Output:
        """Writes rows whose frames before each step, and durations, are known.

        Args:
          tokens: phonemes.
          voice: weights of the voices.
          durations: of the phonemes in frames; attention ignores them.
          mel: normalised log-mel spectra, whole steps of them.
          mask: the frames of each row.
          kept: the units of the pre-net that dropout keeps; None for all.
        """
        heard, predicted, size = token_mask(tokens), None, self.decoder.per_step
        memory = self.encode(tokens, voice)
        if self.decoder.attention is not None:
            source: Any = self.remember(memory, heard)
        else:
            predicted = self.duration(memory, heard)
            count = mel.shape[1] // size
            source, weights = self.upsample(memory, heard, durations, count)
        if self.decoder.recurrent:
            last = mel[:, size - 1 :: size]
            previous = jnp.pad(last[:, :-1], ((0, 0), (1, 0), (0, 0))).swapaxes(0, 1)
            _, decoded = self.decoder(source, previous, kept)
        else:
            decoded = self.decoder(source, mask)
        return Output(
            decoded.frames,
            self.refine(decoded.frames, mask),
            weights=weights if decoded.weights is None else decoded.weights,
            durations=predicted,
            stop=decoded.stop,
        )

    def encode(
        self, tokens: Int[Array, "b t"], voice: Float[Array, "b v"]
    ) -> Float[Array, "b t d"]:
        """Returns encoded phonemes with a voice."""
        x = self.encoder(self.table(tokens), token_mask(tokens))
        return x + self.voice(voice)[:, None].astype(x.dtype)

    def decode(self, *args: Any) -> Any:
        """Calls the decoder."""
        return self.decoder(*args)

    def remember(
        self, memory: Float[Array, "b t d"], mask: Bool[Array, "b t"]
    ) -> Memory:
        """Returns what the attention reads."""
        return self.keys(memory, mask)

    def durations(
        self, memory: Float[Array, "b t d"], mask: Bool[Array, "b t"]
    ) -> Float[Array, "b t"]:
        """Predicts durations in frames."""
        return to_frames(self.duration(memory, mask))

    def upsample(
        self,
        memory: Float[Array, "b t d"],
        mask: Bool[Array, "b t"],
        durations: Float[Array, "b t"],
        count: int,
    ) -> tuple[Float[Array, "b u e"], Float[Array, "b u t"]]:
        """Returns contexts of `count` steps, and the weights of the phonemes in them.

        A context is the mean of the memory, of the place in the phoneme, and of the
        logarithm of its duration.
        """
        logs = jnp.log1p(durations)[..., None]
        x = jnp.concatenate([memory, logs.astype(memory.dtype)], axis=-1)
        spread = jnp.exp(jnp.clip(self.spread(x, mask), -2.0, 2.0))
        size = self.decoder.per_step
        times = jnp.arange(count, dtype=jnp.float32) * size + (size - 1) / 2
        widths = spread * (durations + 1) / 2
        weights = gaussian_weights(durations, widths, mask, times)
        place = places(weights, durations, times)[..., None]
        x = jnp.einsum("but,bte->bue", weights.astype(x.dtype), x)
        return jnp.concatenate([x, place.astype(x.dtype)], axis=-1), weights

    def refine(
        self, draft: Float[Array, "b f m"], mask: Bool[Array, "b f"]
    ) -> Float[Array, "b f m"]:
        """Corrects frames."""
        return self.correct(draft, mask) if self.postnet else draft
