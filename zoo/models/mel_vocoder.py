"""A vocoder: audio from mel spectra.

Y. Masuyama et al.: Deep Griffin-Lim iteration, arXiv:1903.03971, 2019; the decoder and
the game are those of A. Caillon, P. Esling: RAVE, arXiv:2111.05011, 2021.

A network sharpens the magnitudes that a mel spectrum leaves open. Phases are estimated
for them by a sinusoidal model and a few iterations of Griffin-Lim, which gives a draft
of the audio. A decoder of bands corrects the draft, first by spectral distances alone
and then as the generator of a game against a critic. Axes: b batch, s sample, f frame
of the mel spectrum, m mel band, t frame of bands, k band.

Deviations from the papers:

- Masuyama et al. have a network in each of many iterations of Griffin-Lim; here one
  network precedes them, and one follows.
- The decoder corrects the bands of a draft. Networks without one had to find phases by
  themselves, and after 1,000 steps were twice as far from notes as Griffin-Lim is.
- The deviations of `zoo.models.variational_vocoder` that concern the decoder and the
  losses hold here, too, but the loss has no waveform term: mel spectra do not determine
  phases.
"""

import dataclasses
import math
from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import (
    FOREVER,
    WEIGHT,
    Array,
    Batch,
    Float,
    Int,
    Key,
    Metrics,
    Num,
    Objective,
    Params,
)
from zoo.nn.adversarial.losses import Game
from zoo.nn.audio.causal_conv import LEAKY_SLOPE, Conv, ResidualBlock
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.multiscale_discriminator import MultiScaleDiscriminator
from zoo.nn.audio.phase_retrieval import griffin_lim, sinusoidal_phases
from zoo.nn.audio.pqmf import PQMF
from zoo.nn.audio.spectral_loss import FFT_SIZES, FFTSizes
from zoo.nn.audio.stft import STFT
from zoo.nn.audio.subband_autoencoder import (
    Decoder,
    band_loudness,
    check_factors,
    frame_noise,
)
from zoo.nn.audio.vocoder import (
    AdversarialLoss,
    AudioBatch,
    LatentTransform,
    ReconstructionLoss,
    chirps,
    row_by_row,
)
from zoo.nn.rng import row_indices
from zoo.ranges import Count, Hertz, Scales, WarmUp, Weight, Width, checked

GRIFFIN_LIM_STEPS = 8  # few, because the initial phases are good
LEAST_SQUARES_STEPS = 50  # from a mel spectrum to magnitudes
MIN_MAGNITUDE = 1e-5  # of the spectrum that is sharpened
SHARPENER_DILATIONS = (1, 3, 1, 3)


class MagnitudeSharpener(nn.Module):
    """Predicts a log-scale correction of each frequency bin; zero-initialised.

    Attributes:
      bins: frequency bins.
      width: channels.
    """

    bins: int
    width: int

    @nn.compact
    def __call__(self, mel: Float[Array, "b f m"]) -> Float[Array, "b f bins"]:
        """Returns the logarithms of factors of magnitudes, from log-mel spectra."""
        level = mel.mean(axis=-1, keepdims=True)
        h = jnp.concatenate([mel - level, level], axis=-1)
        h = Conv(self.width, 5, causal=False, name="first")(h)
        for i, dilation in enumerate(SHARPENER_DILATIONS):
            h = ResidualBlock(dilation, causal=False, name=f"residual_{i}")(h)
        last = Conv(self.bins, 3, causal=False, zero_init=True, name="last")
        return last(nn.leaky_relu(h, LEAKY_SLOPE)).astype(jnp.float32)


class MelDecoder(nn.Module):
    """Decodes log-mel spectra as bands: a draft by Griffin-Lim, which is corrected.

    Attributes:
      mel: the mel spectrogram.
      pqmf: the filter bank.
      decoder: the network that corrects the draft.
    """

    mel: Mel
    pqmf: PQMF
    decoder: Decoder

    @nn.compact
    def __call__(
        self, mel: Float[Array, "b f m"], noise: Float[Array, "b t k"]
    ) -> Float[Array, "b t k"]:
        """Decodes log-mel spectra.

        Args:
          mel: log-mel spectra.
          noise: white noise in [-1, 1].
        """
        stft, frames = self.mel.stft, mel.shape[1]
        # frames are centred, so that audio of whole hops ends with one more
        padded = jnp.concatenate([mel, mel[:, -1:]], axis=1)
        # 1. MAGNITUDES
        smooth = self.mel.magnitudes(jnp.exp(padded), LEAST_SQUARES_STEPS)
        smooth = jnp.maximum(smooth, MIN_MAGNITUDE)
        width = self.decoder.width << len(self.decoder.factors)
        sharpener = MagnitudeSharpener(smooth.shape[-1], width, name="sharper")
        magnitudes = smooth * jnp.exp(sharpener(padded))
        # 2. PHASES
        phases = sinusoidal_phases(stft, magnitudes)
        audio = griffin_lim(
            stft,
            magnitudes,
            phases,
            length=frames * stft.hop,
            steps=GRIFFIN_LIM_STEPS,
        )
        # 3. CORRECTION
        draft = self.pqmf(audio)[:, : noise.shape[1]]
        loudness = band_loudness(draft, noise.shape[1] // frames)
        return self.decoder(mel, loudness, noise, draft)


@dataclasses.dataclass(frozen=True)
@checked
class MelVocoder:
    """Synthesises audio from log-mel spectra.

    Raises:
      UsageError: an odd number of bands, a factor below 2, or so many mel bands that
        one contains no frequency bin.
    """

    rate: Hertz = 48_000
    """Sampling rate in Hz."""
    mel_bands: Count = 80
    """Bands of the mel spectrum."""
    bands: Count = 16
    """Bands of the filter bank; also samples per frame of bands."""
    _: dataclasses.KW_ONLY
    overlap: Count = 8
    """Length of the bank's filters, in units of two frames of bands."""
    factors: tuple[Count, ...] = (4, 4, 4, 2)
    """Factors of upsampling. Their product is frames of bands per frame of the mel
    spectrum."""
    width: Width = 64
    """Channels at the rate of the bands; twice as many at every coarser one."""
    dilations: tuple[Count, ...] = (1, 3, 9)
    """Dilations of the decoder's residual blocks, in frames."""
    causal: bool = False
    """Causal convolutions in the decoder. The draft looks ahead in any case, so that
    the model never streams."""
    mel_weight: Weight = 4.0
    """Weight of the error of the log-mel spectrum."""
    warm: WarmUp = 100_000
    """Steps of the first phase, before the critic is trained."""
    critic_width: Width = 16
    """Channels of the critic's first layer."""
    critic_scales: Scales = 3
    """Rates at which the critic sees the waveform."""
    game: str = "hinge"
    """Pairing of the losses of critic and generator."""
    matching_weight: Weight = 10.0
    """Weight of the feature matching loss."""
    fft_sizes: FFTSizes = FFT_SIZES
    """Frame sizes of the spectra that are compared, in samples."""

    def __post_init__(self) -> None:
        _ = self.pqmf
        check_factors(self.factors)
        _ = self.mel

    @property
    def pqmf(self) -> PQMF:
        """The filter bank."""
        return PQMF(self.bands, self.overlap)

    @property
    def hop(self) -> int:
        """Samples per frame of the mel spectrum."""
        return self.bands * math.prod(self.factors)

    @property
    def delay(self) -> int:
        """Samples by which the bank delays audio."""
        return self.bands * self.pqmf.extra_frames

    @property
    def streams(self) -> bool:
        """True if the model can run block by block; a mel spectrum looks ahead."""
        return False

    @property
    def mel(self) -> Mel:
        """The mel spectrogram that is decoded."""
        return Mel(self.rate, self.mel_bands, stft=STFT(4 * self.hop, self.hop))

    @property
    def decoder(self) -> MelDecoder:
        """The decoder, from log-mel spectra to bands."""
        decoder = Decoder(
            self.bands,
            self.width,
            self.factors,
            dilations=self.dilations,
            causal=self.causal,
        )
        return MelDecoder(self.mel, self.pqmf, decoder)

    @property
    def critic(self) -> MultiScaleDiscriminator:
        """The critic of waveforms."""
        return MultiScaleDiscriminator(self.critic_width, scales=self.critic_scales)

    @property
    def reconstruction(self) -> ReconstructionLoss:
        """The distance of audio from its reconstruction."""
        return ReconstructionLoss(self.rate, self.fft_sizes, self.mel_weight)

    @property
    def adversary(self) -> AdversarialLoss:
        """The losses of the game."""
        return AdversarialLoss(self.critic, Game(self.game), self.matching_weight)

    def frames(self, samples: int) -> int:
        """Returns the number of frames of the mel spectrum of that many samples."""
        return -(-(samples + self.delay) // self.hop)

    def example(self, n: int) -> Batch:
        return {"audio": chirps(n, max(4 * self.hop, self.critic.min_samples))}

    def init(self, rng: Key, batch: Batch) -> Params:
        _, decoder_rng, critic_rng = jax.random.split(rng, 3)
        noise = jnp.zeros((1, math.prod(self.factors), self.bands), jnp.float32)
        mel = jnp.zeros((1, 1, self.mel_bands), jnp.float32)
        audio = AudioBatch.of(batch).audio[:1]
        return {
            "decoder": self.decoder.init(decoder_rng, mel, noise)["params"],
            "critic": self.critic.init(critic_rng, audio)["params"],
        }

    def objectives(self) -> Mapping[str, Objective]:
        first, second = range(self.warm), range(self.warm, FOREVER)
        return {
            "reconstruct": Objective(self.reconstruction_loss, ("decoder",), first),
            "critic": Objective(self.critic_loss, ("critic",), second),
            "generator": Objective(self.generator_loss, ("decoder",), second),
        }

    def reconstruction_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the decoder in the first phase."""
        rows = AudioBatch.of(batch)
        output = self.vocoded(params, rows.audio, rng)
        loss, metrics = self.reconstruction(rows.audio, output, rows.mean)
        return loss, {**metrics, WEIGHT: rows.valid}

    def critic_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the critic: audio versus its reconstruction."""
        rows = AudioBatch.of(batch)
        output = self.vocoded(params, rows.audio, rng)
        loss, metrics = self.adversary.critic_loss(
            params["critic"], rows.audio, output, mean=rows.mean
        )
        return loss, {**metrics, WEIGHT: rows.valid}

    def generator_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the decoder: reconstruction, game, feature matching."""
        rows = AudioBatch.of(batch)
        output = self.vocoded(params, rows.audio, rng)
        loss, metrics = self.reconstruction(rows.audio, output, rows.mean)
        game_loss, game_metrics = self.adversary.generator_loss(
            params["critic"], rows.audio, output, mean=rows.mean
        )
        return loss + game_loss, {**metrics, **game_metrics, WEIGHT: rows.valid}

    def verdict(self, params: Params, audio: Float[Array, "b s"]) -> Float[Array, " b"]:
        """Returns the critic's mean verdict on audio: the higher, the more real."""
        return self.adversary.verdicts(params["critic"], audio)[0].mean(axis=1)

    def vocoded(
        self, params: Params, audio: Float[Array, "b s"], rng: Key
    ) -> Float[Array, "b s"]:
        """Reconstructs audio from its mel spectrum, in training and in evaluation."""
        _, noise_rng = jax.random.split(rng)
        return self.reconstructed(params, audio, noise_rng)

    def reconstructed(
        self,
        params: Params,
        audio: Float[Array, "b s"],
        rng: Key,
        transform: LatentTransform = lambda z: z,
    ) -> Float[Array, "b s"]:
        """Reconstructs audio from its mel spectrum.

        Args:
          params: of the decoder.
          audio: to reconstruct.
          rng: key of the noise.
          transform: applied to the log-mel spectrum.
        """
        mel = transform(self.latents(params, audio))
        return self.decode(params, mel, rng)[:, : audio.shape[1]]

    def latents(
        self, params: Params, audio: Float[Array, "b s"]
    ) -> Float[Array, "b f m"]:
        """Returns the log-mel spectrum of audio, the latents of this autoencoder."""
        count = self.frames(audio.shape[1])
        padding = count * self.hop - audio.shape[1]
        return self.mel.log(jnp.pad(audio, ((0, 0), (0, padding))))[:, :count]

    def decode(
        self,
        params: Params,
        z: Float[Array, "b f m"],
        rng: Key,
        rows: Int[Array, " b"] | None = None,
    ) -> Float[Array, "b s"]:
        """Decodes log-mel spectra as f * hop - delay samples.

        Args:
          params: of the decoder.
          z: log-mel spectra.
          rng: key of the noise.
          rows: their numbers, on which the noise depends; by default 0, 1, ..
        """
        shape = (self.hop // self.bands, self.bands)
        rows = row_indices(jnp.abs(z)) if rows is None else rows
        noise = frame_noise(rng, rows, jnp.arange(z.shape[1]), shape)
        bands = self.decoder.apply({"params": params["decoder"]}, z, noise)
        return self.pqmf.inverse(bands)

    def loudness(self, z: Float[Array, "b f m"]) -> Float[Array, "b f 1"]:
        """Returns the mean magnitude of log-mel spectra."""
        return jnp.exp(z).mean(axis=-1, keepdims=True)

    def amplified(
        self, z: Float[Array, "b f m"], gain: Float[Array, "#b f 1"]
    ) -> Float[Array, "b f m"]:
        """Returns the log-mel spectra of the same audio, times a gain per frame."""
        return z + jnp.log(gain)

    def sample(
        self, params: Params, rng: Key, n: int, *, audio: Num[Array, "n s"]
    ) -> Float[Array, "n t"]:
        """Resynthesises audio from its mel spectrum, f * hop - delay samples of it.

        Mel spectra from elsewhere are synthesised by `decode`.

        Args:
          params: of the decoder.
          rng: key of the noise.
          n: number of signals.
          audio: floats in [-1, 1], or 16-bit samples.
        """
        _, noise_rng = jax.random.split(rng)

        def resynthesised(x: Array, row: Array) -> Array:
            return self.decode(params, self.latents(params, x), noise_rng, row)

        return row_by_row(resynthesised, AudioBatch.of({"audio": audio}).audio)


# With fewer mel bands, rounding errors move the peaks of the magnitudes.
TINY = MelVocoder(
    rate=1600,
    mel_bands=16,
    bands=4,
    overlap=2,
    factors=(2, 2),
    width=4,
    dilations=(1,),
    warm=3,
    critic_width=2,
    critic_scales=1,
    fft_sizes=(32,),
)
