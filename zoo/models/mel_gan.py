"""A vocoder that plays a game: audio from mel spectra by a single network.

K. Kumar et al.: MelGAN, arXiv:1910.06711, 2019; J. Kong, J. Kim, J. Bae: HiFi-GAN,
arXiv:2010.05646, 2020; H. Siuzdak: Vocos, arXiv:2306.00814, 2023.

A generator maps a log-mel spectrum to audio: by magnitudes and phases that an inverse
STFT turns into a waveform (Vocos), or by transposed convolutions (HiFi-GAN). It first
descends spectral distances alone, and then continues against critics that see the
waveform at several rates or periods, or its spectrum in bands. Axes: b batch, s sample,
f frame, m mel band, d channel.

Deviations from the papers:

- The critics begin after a first phase. From the start, a critic slowed training.
- The magnitudes of the inverse STFT are corrections of those that the mel spectrum
  interpolates, so that the level is right before training.
- The networks see a mel spectrum relative to its mean, and that mean.
- The spectra of the first phase are compared at several resolutions, too; HiFi-GAN and
  Vocos compare mel spectra alone.
- The losses of several critics are averaged, and feature matching is relative to the
  size of the features, as in `zoo.models.variational_vocoder`.
- The stacks of all kernels have the same dilations; those of HiFi-GAN V3 differ.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import (
    FOREVER,
    WEIGHT,
    Array,
    Batch,
    Float,
    Key,
    Metrics,
    Num,
    Objective,
    Params,
    Tree,
)
from zoo.errors import UsageError
from zoo.nn.adversarial.losses import Game
from zoo.nn.audio.band_critic import MultiBandCritic
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.mel_generators import SpectralGenerator, UpsamplingGenerator
from zoo.nn.audio.multiperiod_critic import MultiPeriodCritic
from zoo.nn.audio.multiscale_discriminator import MultiScaleDiscriminator
from zoo.nn.audio.spectral_loss import FFT_SIZES, FFTSizes
from zoo.nn.audio.stft import STFT
from zoo.nn.audio.vocoder import (
    AdversarialLoss,
    AudioBatch,
    LatentTransform,
    ReconstructionLoss,
    chirps,
    row_by_row,
)
from zoo.ranges import Count, Hertz, Layers, Scales, WarmUp, Weight, Width, checked

GENERATORS = ("istft", "upsampling")
CRITICS = ("scale", "period", "band")
HOPS = 4  # in a frame of the transform
LATER_FRAMES = HOPS // 2  # frames after the end of audio that overlap it


@dataclasses.dataclass(frozen=True)
@checked
class MelGAN:
    """Synthesises audio from log-mel spectra.

    Raises:
      UsageError: an unknown generator or critic, factors of upsampling whose product is
        not the hop, an odd hop, or so many mel bands that one contains no frequency
        bin.
    """

    rate: Hertz = 16_000
    """Sampling rate in Hz."""
    mel_bands: Count = 80
    """Bands of the mel spectrum."""
    hop: Count = 256
    """Samples from one frame of the mel spectrum to the next."""
    _: dataclasses.KW_ONLY
    generator: str = "istft"
    """istft for ConvNeXt blocks and an inverse STFT, or upsampling for transposed
    convolutions."""
    width: Width = 192
    """Channels of the generator; with upsampling, those before it."""
    blocks: Layers = 6
    """ConvNeXt blocks, with istft."""
    expansion: Count = 3
    """Hidden channels of a ConvNeXt block per channel, with istft."""
    factors: tuple[Count, ...] = (8, 8, 4)
    """Factors of upsampling, whose product is the hop, with upsampling."""
    kernels: tuple[Count, ...] = (3, 5, 7)
    """Taps of the convolutions that are fused after each of them."""
    dilations: tuple[Count, ...] = (1, 3)
    """Dilations of these convolutions."""
    causal: bool = False
    """Causal convolutions, so that a generator with istft can stream."""
    mel_weight: Weight = 4.0
    """Weight of the error of the log-mel spectrum."""
    warm: WarmUp = 100_000
    """Steps of the first phase, before the critics are trained."""
    critics: tuple[str, ...] = CRITICS
    """Views of the critics: the waveform at several rates (scale), every p-th sample of
    it (period), its spectrum in bands (band)."""
    critic_width: Width = 16
    """Channels of the first layer of a critic."""
    critic_scales: Scales = 3
    """Rates at which the critic of scales sees the waveform."""
    periods: tuple[Count, ...] = (2, 3, 5, 7, 11)
    """Periods of the critic of periods, in samples."""
    critic_sizes: FFTSizes = (1024, 512, 256)
    """Frame sizes of the critic of bands, in samples."""
    game: str = "least-squares"
    """Pairing of the losses of critics and generator."""
    matching_weight: Weight = 2.0
    """Weight of the feature matching loss."""
    fft_sizes: FFTSizes = FFT_SIZES
    """Frame sizes of the spectra that are compared, in samples."""

    def __post_init__(self) -> None:
        require(self.generator in GENERATORS, "generator", self.generator, GENERATORS)
        chosen = bool(self.critics) and {*self.critics} <= {*CRITICS}
        require(chosen, "critics", self.critics, CRITICS)
        if self.generator == "upsampling" and math.prod(self.factors) != self.hop:
            raise UsageError(
                f"factors are {self.factors}: choose factors whose product is the hop, "
                f"{self.hop}."
            )
        if self.hop % 2:
            raise UsageError(f"hop is {self.hop}: choose an even number of samples.")
        _ = self.mel

    @property
    def delay(self) -> int:
        """Samples by which the output of a stream is late."""
        return (HOPS - 1) * self.hop

    @property
    def streams(self) -> bool:
        """True if the model can run block by block."""
        return self.causal and self.generator == "istft"

    @property
    def mel(self) -> Mel:
        """The mel spectrogram that is decoded."""
        stft = STFT(HOPS * self.hop, self.hop)
        return Mel(self.rate, self.mel_bands, stft=stft)

    @property
    def network(self) -> nn.Module:
        """The generator, from log-mel spectra to audio."""
        if self.generator == "istft":
            return SpectralGenerator(
                self.mel,
                self.width,
                self.blocks,
                expansion=self.expansion,
                causal=self.causal,
            )
        return UpsamplingGenerator(
            self.width,
            self.factors,
            sizes=self.kernels,
            dilations=self.dilations,
            causal=self.causal,
        )

    @property
    def adversaries(self) -> Mapping[str, AdversarialLoss]:
        """The losses of the game against each critic, by its name."""
        width = self.critic_width
        known: Mapping[str, nn.Module] = {
            "scale": MultiScaleDiscriminator(width, scales=self.critic_scales),
            "period": MultiPeriodCritic(width, self.periods),
            "band": MultiBandCritic(width, self.critic_sizes),
        }
        game, weight = Game(self.game), self.matching_weight
        return {
            name: AdversarialLoss(known[name], game, weight) for name in self.critics
        }

    @property
    def reconstruction(self) -> ReconstructionLoss:
        """The distance of audio from its reconstruction."""
        return ReconstructionLoss(self.rate, self.fft_sizes, self.mel_weight)

    def frames(self, samples: int) -> int:
        """Returns the number of frames that overlap that many samples."""
        return -(-samples // self.hop) + LATER_FRAMES

    def example(self, n: int) -> Batch:
        shortest = max(a.critic.min_samples for a in self.adversaries.values())
        return {"audio": chirps(n, max(4 * self.hop, shortest))}

    def init(self, rng: Key, batch: Batch) -> Params:
        generator_rng, critic_rng = jax.random.split(rng)
        mel = jnp.zeros((1, 1, self.mel_bands), jnp.float32)
        audio, adversaries = AudioBatch.of(batch).audio[:1], self.adversaries
        keys = jax.random.split(critic_rng, len(adversaries))
        return {
            "generator": self.network.init(generator_rng, mel)["params"],
            "critic": {
                name: adversary.critic.init(key, audio)["params"]
                for key, (name, adversary) in zip(
                    keys, adversaries.items(), strict=True
                )
            },
        }

    def objectives(self) -> Mapping[str, Objective]:
        first, second = range(self.warm), range(self.warm, FOREVER)
        return {
            "reconstruct": Objective(self.reconstruction_loss, ("generator",), first),
            "critic": Objective(self.critic_loss, ("critic",), second),
            "generator": Objective(self.generator_loss, ("generator",), second),
        }

    def reconstruction_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the generator in the first phase."""
        rows = AudioBatch.of(batch)
        output = self.reconstructed(params, rows.audio, rng)
        loss, metrics = self.reconstruction(rows.audio, output, rows.mean)
        return loss, {**metrics, WEIGHT: rows.valid}

    def critic_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the mean loss of the critics: audio versus its reconstruction."""
        rows = AudioBatch.of(batch)
        output = self.reconstructed(params, rows.audio, rng)
        losses = [
            adversary.critic_loss(
                params["critic"][name], rows.audio, output, mean=rows.mean
            )
            for name, adversary in self.adversaries.items()
        ]
        loss, metrics = averaged(losses)
        return loss, {**metrics, WEIGHT: rows.valid}

    def generator_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the generator: reconstruction, games, matching."""
        rows = AudioBatch.of(batch)
        output = self.reconstructed(params, rows.audio, rng)
        loss, metrics = self.reconstruction(rows.audio, output, rows.mean)
        losses = [
            adversary.generator_loss(
                params["critic"][name], rows.audio, output, mean=rows.mean
            )
            for name, adversary in self.adversaries.items()
        ]
        game_loss, game_metrics = averaged(losses)
        return loss + game_loss, {**metrics, **game_metrics, WEIGHT: rows.valid}

    def verdict(self, params: Params, audio: Float[Array, "b s"]) -> Float[Array, " b"]:
        """Returns the critics' mean verdict on audio: the higher, the more real."""
        verdicts = [
            adversary.verdicts(params["critic"][name], audio)[0].mean(axis=1)
            for name, adversary in self.adversaries.items()
        ]
        return jnp.stack(verdicts).mean(axis=0)

    def reconstructed(
        self,
        params: Params,
        audio: Float[Array, "b s"],
        rng: Key,
        transform: LatentTransform = lambda z: z,
    ) -> Float[Array, "b s"]:
        """Reconstructs audio from its mel spectrum.

        Args:
          params: of the generator.
          audio: to reconstruct.
          rng: not used, because the generator draws nothing.
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
        self, params: Params, z: Float[Array, "b f m"], rng: Key
    ) -> Float[Array, "b s"]:
        """Decodes log-mel spectra, of this or another model, as f * hop samples.

        Args:
          params: of the generator.
          z: log-mel spectra.
          rng: not used, because the generator draws nothing.
        """
        return self.network.apply({"params": params["generator"]}, z)

    def loudness(self, z: Float[Array, "b f m"]) -> Float[Array, "b f 1"]:
        """Returns the mean magnitude of log-mel spectra."""
        return jnp.exp(z).mean(axis=-1, keepdims=True)

    def amplified(
        self, z: Float[Array, "b f m"], gain: Float[Array, "#b f 1"]
    ) -> Float[Array, "b f m"]:
        """Returns the log-mel spectra of the same audio, times a gain per frame."""
        return z + jnp.log(gain)

    def begin(self, params: Params, rng: Key, n: int) -> Tree:
        """Returns the state of a stream of `n` signals, after silence.

        Args:
          params: of the generator.
          rng: not used, because the generator draws nothing.
          n: signals.

        Raises:
          UsageError: the model does not stream.
        """
        if not self.streams:
            raise UsageError(
                "a vocoder that looks ahead cannot stream in blocks: train one with "
                'causal=True and generator="istft".'
            )
        past = jnp.zeros((n, (HOPS - 1) * self.hop), jnp.float32)
        start: Tree = {"past": past, "frame": jnp.full((), -1, jnp.int32)}
        block = jax.ShapeDtypeStruct((n, self.hop), jnp.float32)
        shapes, _ = jax.eval_shape(
            lambda state, block: self.step(params, state, block),
            {**start, "generator": {}},
            block,
        )
        zeros = lambda x: jnp.zeros(x.shape, x.dtype)
        return {**start, "generator": jax.tree.map(zeros, shapes["generator"])}

    def step(
        self,
        params: Params,
        state: Tree,
        block: Float[Array, "b s"],
        transform: LatentTransform = lambda z: z,
    ) -> tuple[Tree, Float[Array, "b s"]]:
        """Reconstructs the next block of a stream.

        The output is that of `reconstructed` for the whole signal, `delay` samples
        late, whatever the sizes of the blocks. With the block, the latency is a frame
        of the transform.

        Args:
          params: of the generator.
          state: from `begin` or from the step before.
          block: the next samples, a multiple of `hop`.
          transform: applied to the log-mel spectrum.

        Returns:
          The next state, and as many samples as the block has.
        """
        audio = jnp.concatenate([state["past"], block], axis=1)
        frames = slice(HOPS // 2, HOPS // 2 + block.shape[1] // self.hop)
        mel = transform(self.mel.log(audio)[:, frames])
        # the first frame of a stream is centred before its first sample
        valid = state["frame"] + jnp.arange(mel.shape[1]) >= 0
        output, generator = self.network.apply(
            {"params": params["generator"], **state["generator"]},
            mel,
            valid,
            mutable=["stream"],
        )
        following = {
            "past": audio[:, block.shape[1] :],
            "frame": state["frame"] + mel.shape[1],
            "generator": generator,
        }
        return following, output

    def sample(
        self, params: Params, rng: Key, n: int, *, audio: Num[Array, "n s"]
    ) -> Float[Array, "n t"]:
        """Resynthesises audio from its mel spectrum, f * hop samples of it.

        Mel spectra from elsewhere are synthesised by `decode`.

        Args:
          params: of the generator.
          rng: not used, because the generator draws nothing.
          n: number of signals.
          audio: floats in [-1, 1], or 16-bit samples.
        """
        resynthesised = lambda x, _: self.decode(params, self.latents(params, x), rng)
        return row_by_row(resynthesised, AudioBatch.of({"audio": audio}).audio)


def averaged(
    losses: Sequence[tuple[Float[Array, ""], Metrics]],
) -> tuple[Float[Array, ""], Metrics]:
    """Returns the means of losses and of their metrics."""
    return jax.tree.map(lambda *values: sum(values) / len(values), *losses)


def require(fine: bool, name: str, value: object, choices: Sequence[str]) -> None:
    """Raises UsageError unless the value of a field is one of the choices."""
    if not fine:
        raise UsageError(f"{name} is {value!r}: choose from {', '.join(choices)}.")


TINY = MelGAN(
    rate=800,
    mel_bands=4,
    hop=8,
    width=4,
    blocks=1,
    expansion=1,
    warm=3,
    critics=("period",),
    critic_width=1,
    periods=(2,),
    fft_sizes=(32,),
)
