"""Batches and losses that all vocoders share.

A vocoder first descends the error of its reconstruction, and then plays a game against
a critic. Conventions as in `zoo.nn.audio.stft`. Axes: b batch, s sample, f frame of a
verdict.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Batch, Bool, Float, Int, Metrics, Num, Tree
from zoo.nn.adversarial.losses import Game
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.multiscale_discriminator import feature_matching
from zoo.nn.audio.spectral_loss import EPS, FFT_SIZES, multi_resolution_stft_loss
from zoo.nn.audio.stft import STFT, to_float
from zoo.nn.masked import masked_mean

LatentTransform = Callable[[Array], Array]  # latents [b, f, z] -> latents [b, f, z]
Mean = Callable[[Array], Array]

MAX_MEL_BANDS = 80
# Added to magnitudes in logarithms: 114 dB below a full-scale sine in 2,048 samples.
# Quieter ones are below the resolution of 16 bits, and would dominate the gradient.
LOG_OFFSET = 1e-3


class AudioBatch(NamedTuple):
    """The audio of a batch, and the mask of its valid rows."""

    audio: Float[Array, "b s"]
    mask: Bool[Array, " b"]

    @classmethod
    def of(cls, batch: Batch) -> "AudioBatch":
        """Reads a batch; without a mask, all rows are valid."""
        audio = to_float(batch["audio"])
        return cls(audio, batch.get("mask", jnp.ones(len(audio), bool)))

    @property
    def valid(self) -> Int[Array, ""]:
        """The number of valid rows."""
        return self.mask.sum()

    def mean(self, values: Float[Array, "b ..."]) -> Float[Array, ""]:
        """Returns the mean over the valid rows."""
        rows = values.reshape(len(self.audio), -1).mean(axis=1)
        return masked_mean(rows, self.mask)


def row_by_row(
    function: Callable[[Array, Array], Array], rows: Num[Array, "n ..."]
) -> Float[Array, "n s"]:
    """Returns `function(row [1, ..], number [1])` [1, s] of rows, one after the other.

    On some CPUs the sums of a row are rounded otherwise in a batch of another size.
    """
    one = lambda item: function(item[0][None], item[1][None])[0]
    return jax.lax.map(one, (rows, jnp.arange(len(rows))))


def chirps(n: int, length: int) -> Int[Array, "b s"]:
    """Returns `n` chirps as 16-bit audio of `length` samples, for example batches."""
    t = jnp.arange(length)
    return jnp.int16(8000 * jnp.sin(jnp.outer(1 + jnp.arange(n), t**2) / 97))


@dataclasses.dataclass(frozen=True)
class ReconstructionLoss:
    """The distance of audio from its reconstruction.

    Attributes:
      rate: sampling rate in Hz.
      fft_sizes: frame sizes of the multi-resolution STFT loss, in samples.
      mel_weight: weight of the mean absolute error of log-mel spectra.
      waveform_weight: weight of the RMS error of the waveform, relative to its RMS.
    """

    rate: int
    fft_sizes: Sequence[int] = FFT_SIZES
    mel_weight: float = 4.0
    _: dataclasses.KW_ONLY
    waveform_weight: float = 0.0

    @property
    def mel(self) -> Mel:
        """The mel spectrogram of the loss."""
        size = self.fft_sizes[0] // 2
        bands = min(MAX_MEL_BANDS, size // 8)
        return Mel(self.rate, bands, stft=STFT(size, size // 4))

    def __call__(
        self, x: Float[Array, "b s"], y: Float[Array, "b s"], mean: Mean
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss and its unweighted terms.

        Args:
          x: audio.
          y: its reconstruction.
          mean: reduces values of the batch to their mean over valid rows.
        """
        # 1. MULTI-RESOLUTION STFT LOSS
        stft = multi_resolution_stft_loss(x, y, self.fft_sizes, log_offset=LOG_OFFSET)
        # 2. WAVEFORM LOSS
        error, power = ((x - y) ** 2).mean(axis=1), (x**2).mean(axis=1)
        waveform = jnp.sqrt(error / (power + EPS) + EPS)
        # 3. LOG-MEL LOSS
        log_mel = jnp.abs(self.mel.log(x) - self.mel.log(y)).mean(axis=(1, 2))
        metrics = {
            "distance": mean(stft),
            "waveform": mean(waveform),
            "log_mel": mean(log_mel),
        }
        loss = metrics["distance"] + self.waveform_weight * metrics["waveform"]
        return loss + self.mel_weight * metrics["log_mel"], metrics


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """The losses of a critic and of a generator that reconstructs audio.

    Attributes:
      critic: the critic, of audio [b, s]; it returns verdicts [b, f] and hidden
        features [b, _, _].
      game: pairing of the losses.
      matching_weight: weight of the feature matching loss of the generator.
    """

    critic: nn.Module
    game: Game
    matching_weight: float

    def verdicts(
        self, params: Tree, audio: Float[Array, "b s"]
    ) -> tuple[Float[Array, "b f"], list[Float[Array, "b _ _"]]]:
        """Returns the critic's verdicts at all scales, and its hidden features."""
        return self.critic.apply({"params": params}, audio)

    def critic_loss(
        self,
        params: Tree,
        real: Float[Array, "b s"],
        fake: Float[Array, "b s"],
        *,
        mean: Mean,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the critic and its metrics.

        Args:
          params: of the critic.
          real: audio.
          fake: its reconstruction.
          mean: reduces values of the batch to their mean over valid rows.
        """
        real_verdict, _ = self.verdicts(params, real)
        fake_verdict, _ = self.verdicts(params, fake)
        return self.game.verdict_loss(real_verdict, fake_verdict, mean=mean)

    def generator_loss(
        self,
        params: Tree,
        real: Float[Array, "b s"],
        fake: Float[Array, "b s"],
        *,
        mean: Mean,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the adversarial and the feature matching loss of the generator.

        Args:
          params: of the critic.
          real: audio.
          fake: its reconstruction.
          mean: reduces values of the batch to their mean over valid rows.
        """
        real_verdict, real_features = self.verdicts(params, real)
        fake_verdict, fake_features = self.verdicts(params, fake)
        matching = mean(feature_matching(real_features, fake_features))
        generator_loss = self.game.losses[1]
        adversarial = mean(generator_loss(real_verdict, fake_verdict))
        metrics = {"feature_matching": matching, "adversarial": adversarial}
        return adversarial + self.matching_weight * matching, metrics
