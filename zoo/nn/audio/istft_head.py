"""Audio from predicted magnitudes and phases, by an inverse STFT (Siuzdak 2023, Vocos).

Conventions as in `zoo.nn.audio.stft`. Axes: b batch, f frame, d channel, m mel band,
s sample.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Bool, Complex, Float
from zoo.nn.audio.convnext import masked_frames
from zoo.nn.audio.mel import Mel, hz_to_mel
from zoo.nn.audio.stft import MIN_WINDOW_SUM, STFT, hann, match_rank, overlap_add

MAX_LOG_MAGNITUDE = 7.0  # a full-scale sine in 1,024 samples has 5.5
MIN_AREA = 1e-8  # of a mel band


class ISTFTHead(nn.Module):
    """Predicts the magnitude and the phase of each frequency bin, and inverts them.

    Block by block, the collection "stream" keeps the end of the frames so far. Samples
    then are late by half a frame of the transform: they come when no later frame
    overlaps them.

    Attributes:
      stft: the transform.
    """

    stft: STFT

    @nn.compact
    def __call__(
        self,
        h: Float[Array, "b f d"],
        log_magnitudes: Float[Array, "b f bins"],
        valid: Bool[Array, " f"] | None = None,
    ) -> Float[Array, "b s"]:
        """Returns f * hop samples, the first of which is the centre of frame 0.

        Args:
          h: hidden features.
          log_magnitudes: a first estimate, which the head corrects.
          valid: which frames there are; the others are silent.
        """
        bins = self.stft.size // 2 + 1
        y = nn.Dense(2 * bins, name="spectrum")(h).astype(jnp.float32)
        correction, phases = jnp.split(y, 2, axis=-1)
        magnitudes = jnp.minimum(log_magnitudes + correction, MAX_LOG_MAGNITUDE)
        magnitudes = jnp.exp(magnitudes)
        real, imaginary = magnitudes * jnp.cos(phases), magnitudes * jnp.sin(phases)
        return self.audio(jax.lax.complex(real, imaginary), valid)

    def audio(
        self, y: Complex[Array, "b f bins"], valid: Bool[Array, " f"] | None
    ) -> Float[Array, "b s"]:
        """Inverts spectra."""
        length = y.shape[1] * self.stft.hop
        streaming = self.is_mutable_collection("stream") and not self.is_initializing()
        if not streaming:
            return self.stft.inverse(y, length)
        window = hann(self.stft.size)
        x = jnp.fft.irfft(y, self.stft.size) * match_rank(window, y)
        weight = jnp.tile(window**2, (1, y.shape[1], 1))
        if valid is not None:
            x, weight = (masked_frames(z, valid) for z in (x, weight))
        total = self.joined(overlap_add(x, self.stft.hop), "audio")
        weight = self.joined(overlap_add(weight, self.stft.hop), "weight")
        return total / jnp.maximum(weight, MIN_WINDOW_SUM)

    def joined(self, x: Float[Array, "b s"], name: str) -> Float[Array, "b t"]:
        """Adds the end of the block before, and keeps that of this one."""
        count = self.stft.size - self.stft.hop
        past = self.variable("stream", name, jnp.zeros, (len(x), count), x.dtype)
        x = x.at[:, :count].add(past.value)
        past.value = x[:, -count:]
        return x[:, :-count]


def estimated_log_magnitudes(
    mel: Mel, x: Float[Array, "b f m"]
) -> Float[Array, "b f bins"]:
    """Estimates log-magnitudes from log-mel spectra, linearly between bands.

    Args:
      mel: the mel spectrogram.
      x: log-mel spectra.
    """
    areas = np.log(np.maximum(mel.filters.sum(axis=0), MIN_AREA)).astype(np.float32)
    return (x - match_rank(areas, x)) @ interpolation(mel)


def interpolation(mel: Mel) -> Float[np.ndarray, "m bins"]:
    """Returns the weights of mel bands in frequency bins, which add up to 1."""
    low, high = hz_to_mel(np.array([mel.low, mel.top]), mel.htk)
    centres = np.linspace(low, high, mel.bands + 2)[1:-1]
    at = hz_to_mel(mel.stft.frequencies(mel.rate), mel.htk)
    rows = [np.interp(at, centres, row) for row in np.eye(mel.bands)]
    return np.stack(rows).astype(np.float32)
