"""A variational autoencoder of waveforms.

A. Caillon, P. Esling: RAVE: a variational autoencoder for fast and high-quality neural
audio synthesis, arXiv:2111.05011, 2021; streaming: Streamable neural audio synthesis
with non-causal convolutions, arXiv:2204.07064, 2022.

A filter bank splits audio into bands, an encoder maps bands to Gaussian latents, and a
decoder maps latents to bands. Encoder and decoder first minimise spectral distances
plus the KL divergence (Kingma & Welling 2013). Then the encoder is frozen, and the
decoder continues as the generator of a game against a critic. Axes: b batch, s sample,
f frame of latents, z latent, t frame of bands, k band.

Deviations from the paper:

- The filter bank reconstructs exactly.
- Causal models stream with no delay but that of the filter bank.
- The filter bank shapes the noise.
- There is no batch normalisation, which would make a block depend on other blocks.
- A linear skip path surrounds the networks (`zoo.nn.audio.subband_autoencoder`).
- The loss adds the relative error of the waveform, and the error of log-mel spectra.
- The loss excludes magnitudes below 16-bit resolution, which dominated its gradient.
- Spectral convergence uses the norm of the error, not its square, relative to a floor,
  so that silent excerpts do not dominate.
"""

import dataclasses
import math
from collections.abc import Mapping

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
    Objective,
    Params,
    Tree,
)
from zoo.errors import UsageError
from zoo.nn.adversarial.losses import Game
from zoo.nn.audio.multiscale_discriminator import MultiScaleDiscriminator
from zoo.nn.audio.pqmf import PQMF
from zoo.nn.audio.spectral_loss import FFT_SIZES, FFTSizes
from zoo.nn.audio.subband_autoencoder import (
    Decoder,
    Encoder,
    amplify_latents,
    check_factors,
    frame_noise,
    latent_loudness,
)
from zoo.nn.audio.vocoder import (
    AdversarialLoss,
    AudioBatch,
    LatentTransform,
    ReconstructionLoss,
    chirps,
    row_by_row,
)
from zoo.nn.latent.variational import Gaussian, kl_divergence
from zoo.nn.rng import normals, row_indices, row_keys
from zoo.ranges import Count, Hertz, Scales, Seconds, WarmUp, Weight, Width, checked


@dataclasses.dataclass(frozen=True)
@checked
class VariationalVocoder:
    """Encodes audio as a few latents per frame, and decodes it.

    Raises:
      UsageError: an illegal filter bank, factor or number of latents.
    """

    rate: Hertz = 48_000
    """Sampling rate in Hz."""
    bands: Count = 16
    """Bands of the filter bank; also samples per frame of bands."""
    overlap: Count = 8
    """Length of the bank's filters, in units of two frames of bands."""
    _: dataclasses.KW_ONLY
    factors: tuple[Count, ...] = (4, 4, 4, 2)
    """Strides of the encoder. Their product is frames of bands per frame of latents."""
    width: Width = 64
    """Channels at the rate of the bands; twice as many at every coarser one."""
    latent: Width = 64
    """Latents per frame, `bands` of which are loudness."""
    dilations: tuple[Count, ...] = (1, 3, 9)
    """Dilations of the decoder's residual blocks, in frames."""
    causal: bool = True
    """Causal convolutions, which look only backwards, so that the model can stream."""
    beta: Weight = 1e-4
    """Weight of the KL divergence, per nat of a frame of latents."""
    waveform_weight: Weight = 1.0
    """Weight of the error of the waveform, relative to its level."""
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
    sample_seconds: Seconds = 1.0
    """Duration of a sample, in seconds."""

    def __post_init__(self) -> None:
        _ = self.pqmf
        check_factors(self.factors)
        fewest, most = self.bands + 1, self.bands + self.hop
        if not fewest <= self.latent <= most:
            raise UsageError(f"latent is {self.latent}: choose {fewest} to {most}.")

    @property
    def pqmf(self) -> PQMF:
        """The filter bank."""
        return PQMF(self.bands, self.overlap)

    @property
    def hop(self) -> int:
        """Samples per frame of latents."""
        return self.bands * math.prod(self.factors)

    @property
    def delay(self) -> int:
        """Samples by which the output of a causal model is late: that of the bank."""
        return self.bands * self.pqmf.extra_frames

    @property
    def streams(self) -> bool:
        """True if the model can run block by block."""
        return self.causal

    @property
    def encoder(self) -> Encoder:
        """The encoder, from bands to latents."""
        return Encoder(self.latent, self.width, self.factors, causal=self.causal)

    @property
    def decoder(self) -> Decoder:
        """The decoder, from latents to bands."""
        return Decoder(
            self.bands,
            self.width,
            self.factors,
            dilations=self.dilations,
            causal=self.causal,
        )

    @property
    def critic(self) -> MultiScaleDiscriminator:
        """The critic of waveforms."""
        return MultiScaleDiscriminator(self.critic_width, scales=self.critic_scales)

    @property
    def reconstruction(self) -> ReconstructionLoss:
        """The distance of audio from its reconstruction."""
        return ReconstructionLoss(
            self.rate,
            self.fft_sizes,
            self.mel_weight,
            waveform_weight=self.waveform_weight,
        )

    @property
    def adversary(self) -> AdversarialLoss:
        """The losses of the game."""
        return AdversarialLoss(self.critic, Game(self.game), self.matching_weight)

    def frames(self, samples: int) -> int:
        """Returns the number of frames of latents of that many samples."""
        return -(-(samples + self.delay) // self.hop)

    def example(self, n: int) -> Batch:
        return {"audio": chirps(n, max(4 * self.hop, self.critic.min_samples))}

    def init(self, rng: Key, batch: Batch) -> Params:
        encoder_rng, decoder_rng, critic_rng = jax.random.split(rng, 3)
        bands = jnp.zeros((1, math.prod(self.factors), self.bands), jnp.float32)
        z = jnp.zeros((1, 1, self.latent), jnp.float32)
        loudness = jnp.zeros((1, 1, self.bands), jnp.float32)
        audio = AudioBatch.of(batch).audio[:1]
        return {
            "encoder": self.encoder.init(encoder_rng, bands)["params"],
            "decoder": self.decoder.init(decoder_rng, z, loudness, bands)["params"],
            "critic": self.critic.init(critic_rng, audio)["params"],
        }

    def objectives(self) -> Mapping[str, Objective]:
        first, second = range(self.warm), range(self.warm, FOREVER)
        autoencoder = ("encoder", "decoder")
        return {
            "reconstruct": Objective(self.reconstruction_loss, autoencoder, first),
            "critic": Objective(self.critic_loss, ("critic",), second),
            "generator": Objective(self.generator_loss, ("decoder",), second),
        }

    def reconstruction_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of encoder and decoder: reconstruction plus beta KL."""
        rows = AudioBatch.of(batch)
        output, kl = self.autoencode(params, rows.audio, rng, step)
        loss, metrics = self.reconstruction(rows.audio, output, rows.mean)
        kl = rows.mean(kl)
        rate = kl * self.rate / self.hop  # nats per second
        return loss + self.beta * kl, {**metrics, "rate": rate, WEIGHT: rows.valid}

    def critic_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the critic: audio versus its reconstruction."""
        rows = AudioBatch.of(batch)
        output, _ = self.autoencode(params, rows.audio, rng, step)
        loss, metrics = self.adversary.critic_loss(
            params["critic"], rows.audio, output, mean=rows.mean
        )
        return loss, {**metrics, WEIGHT: rows.valid}

    def generator_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of the decoder: reconstruction, game, feature matching."""
        rows = AudioBatch.of(batch)
        output, _ = self.autoencode(params, rows.audio, rng, step)
        loss, metrics = self.reconstruction(rows.audio, output, rows.mean)
        game_loss, game_metrics = self.adversary.generator_loss(
            params["critic"], rows.audio, output, mean=rows.mean
        )
        return loss + game_loss, {**metrics, **game_metrics, WEIGHT: rows.valid}

    def verdict(self, params: Params, audio: Float[Array, "b s"]) -> Float[Array, " b"]:
        """Returns the critic's mean verdict on audio: the higher, the more real."""
        return self.adversary.verdicts(params["critic"], audio)[0].mean(axis=1)

    def autoencode(
        self,
        params: Params,
        audio: Float[Array, "b s"],
        rng: Key,
        step: Int[Array, ""] | None,
    ) -> tuple[Float[Array, "b s"], Float[Array, " b"]]:
        """Reconstructs audio from a sample of the posterior.

        Args:
          params: of encoder and decoder.
          audio: to reconstruct.
          rng: key of the latents and of the noise.
          step: of training; None to take the mean of the posterior.

        Returns:
          The reconstruction, and the KL divergence in nats per frame of latents.
        """
        latent_rng, noise_rng = jax.random.split(rng)
        q = self.encode(params, audio)
        z = q.mean if step is None else q.sample(latent_rng)
        kl = kl_divergence(q).sum(axis=-1).mean(axis=1)
        return self.decode(params, z, noise_rng)[:, : audio.shape[1]], kl

    def reconstructed(
        self,
        params: Params,
        audio: Float[Array, "b s"],
        rng: Key,
        transform: LatentTransform = lambda z: z,
    ) -> Float[Array, "b s"]:
        """Reconstructs audio from the means of its latents.

        Args:
          params: of encoder and decoder.
          audio: to reconstruct.
          rng: key of the noise.
          transform: applied to the latents.
        """
        z = transform(self.latents(params, audio))
        return self.decode(params, z, rng)[:, : audio.shape[1]]

    def encode(self, params: Params, audio: Float[Array, "b s"]) -> Gaussian:
        """Returns the posterior over latents [b, f, z], with f = `frames(s)`."""
        padding = self.frames(audio.shape[1]) * self.hop - audio.shape[1]
        bands = self.pqmf(jnp.pad(audio, ((0, 0), (0, padding))))
        bands = bands[:, : -self.pqmf.extra_frames]
        return self.encoder.apply({"params": params["encoder"]}, bands)

    def latents(
        self, params: Params, audio: Float[Array, "b s"]
    ) -> Float[Array, "b f z"]:
        """Returns the means of the latents of audio."""
        return self.encode(params, audio).mean

    def decode(
        self, params: Params, z: Float[Array, "b f z"], rng: Key
    ) -> Float[Array, "b s"]:
        """Decodes latents as f * hop - delay samples.

        Args:
          params: of the decoder.
          z: latents.
          rng: key of the noise.
        """
        noise = self.noise(rng, z, jnp.zeros((), jnp.int32))
        variables = {"params": params["decoder"]}
        bands = self.decoder.apply(variables, z, self.loudness(z), noise)
        return self.pqmf.inverse(bands)

    def loudness(self, z: Float[Array, "b f z"]) -> Float[Array, "b f k"]:
        """Returns the RMS amplitude of each band."""
        return latent_loudness(z, self.bands)

    def amplified(
        self, z: Float[Array, "b f z"], gain: Float[Array, "#b f 1"]
    ) -> Float[Array, "b f z"]:
        """Returns the latents of the same audio, multiplied by a gain per frame."""
        return amplify_latents(z, self.bands, gain)

    def noise(
        self, rng: Key, z: Float[Array, "b f z"], first: Int[Array, ""]
    ) -> Float[Array, "b t k"]:
        """Draws white noise for latents whose first frame has the number `first`."""
        shape = (self.hop // self.bands, self.bands)
        rows = row_indices(jnp.abs(z))
        return frame_noise(rng, rows, first + jnp.arange(z.shape[1]), shape)

    def begin(self, params: Params, rng: Key, n: int) -> Tree:
        """Returns the state of a stream of `n` signals, after silence.

        Args:
          params: of encoder and decoder.
          rng: key of the noise.
          n: signals.
        """
        shape = n, self.pqmf.extra_frames, self.bands
        start: Tree = {  # of separate buffers, which a compiled step may donate
            "past_input": jnp.zeros(shape, jnp.float32),
            "past_bands": jnp.zeros(shape, jnp.float32),
            "frame": jnp.zeros((), jnp.int32),
            "rng": rng,
        }
        # the first step creates the states of the convolutions: only shapes are needed
        empty: Tree = {**start, "encoder": {}, "decoder": {}}
        block = jax.ShapeDtypeStruct((n, self.hop), jnp.float32)
        shapes, _ = jax.eval_shape(
            lambda state, block: self.step(params, state, block), empty, block
        )
        for name in ("encoder", "decoder"):
            start[name] = jax.tree.map(
                lambda x: jnp.zeros(x.shape, x.dtype), shapes[name]
            )
        return start

    def step(
        self,
        params: Params,
        state: Tree,
        block: Float[Array, "b s"],
        transform: LatentTransform = lambda z: z,
    ) -> tuple[Tree, Float[Array, "b s"]]:
        """Reconstructs the next block of a stream.

        The output is that of `reconstructed` for the whole signal, `delay` samples
        late, whatever the sizes of the blocks.

        Args:
          params: of encoder and decoder.
          state: from `begin` or from the step before.
          block: the next samples, a multiple of `hop`.
          transform: applied to the latents.

        Returns:
          The next state, and as many samples as the block has.

        Raises:
          UsageError: the model is not causal.
        """
        context = self.pqmf.extra_frames
        hops = block.reshape(len(block), -1, self.bands)
        hops = jnp.concatenate([state["past_input"], hops], axis=1)
        variables = {"params": params["encoder"], **state["encoder"]}
        q, encoder = self.encoder.apply(
            variables, self.pqmf.analyse(hops), mutable=["stream"]
        )
        z = transform(q.mean)
        noise = self.noise(state["rng"], z, state["frame"])
        variables = {"params": params["decoder"], **state["decoder"]}
        bands, decoder = self.decoder.apply(
            variables, z, self.loudness(z), noise, mutable=["stream"]
        )
        bands = jnp.concatenate([state["past_bands"], bands], axis=1)
        output = self.pqmf.synthesise(bands).reshape(block.shape)
        following = {
            "past_input": hops[:, -context:],
            "past_bands": bands[:, -context:],
            "frame": state["frame"] + z.shape[1],
            "rng": state["rng"],
            "encoder": encoder,
            "decoder": decoder,
        }
        return following, output

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        latents: Float[Array, "n f z"] | None = None,
    ) -> Float[Array, "n s"]:
        """Draws latents from the prior and decodes them.

        Args:
          params: of the decoder.
          rng: key of the latents and of the noise.
          n: samples to draw.
          latents: to decode instead; by default `sample_seconds` of them are drawn.
        """
        latent_rng, noise_rng = jax.random.split(rng)
        if latents is None:
            shape = self.frames(round(self.sample_seconds * self.rate)), self.latent
            latents = normals(row_keys(latent_rng, n), shape)
        keys = row_keys(noise_rng, n)
        decode = lambda z, row: self.decode(params, z, keys[row[0]])
        return row_by_row(decode, latents)


TINY = VariationalVocoder(
    rate=800,
    bands=4,
    overlap=2,
    factors=(2, 2),
    width=4,
    latent=6,
    dilations=(1,),
    warm=3,
    critic_width=2,
    critic_scales=1,
    fft_sizes=(32,),
    sample_seconds=0.1,
)
