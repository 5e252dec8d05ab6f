"""Networks between the bands of a filter bank and latents (RAVE, section 3.3).

A. Caillon, P. Esling: RAVE, arXiv:2111.05011. Deviations from the paper:

- Loudness is separate. The loudness of each band in a frame is a latent of its own, and
  the networks process bands relative to it. They need not learn a range of levels, and
  a loud band does not leak into a silent one.
- A linear skip path surrounds the networks (Chen et al. 2024, Deep compression
  autoencoder, section 3.2): the lowest DCT coefficients of each frame are latents, and
  the decoder inverts the DCT. The zero-initialised networks add a small correction, and
  noise. In bands without coefficients, they produce the whole signal. Networks without
  this path needed most of an hour to reproduce the waveform as well, and larger
  corrections left noise between partials.

Axes: b batch, t frame of bands, k band, f frame of latents, z latent, s sample of a
frame of latents.
"""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Float, Int, Key
from zoo.errors import UsageError
from zoo.nn.audio.causal_conv import (
    LEAKY_SLOPE,
    Conv,
    ResidualBlock,
    TransposedConv,
)
from zoo.nn.audio.stft import match_rank
from zoo.nn.latent.variational import Gaussian
from zoo.nn.rng import row_keys

MIN_LOUDNESS = 1e-6  # the loudness of silence: 120 dB below full scale
LOG_LOUDNESS_MEAN = -7.0  # latents of loudness are its logarithm, normalised by these
LOG_LOUDNESS_STD = 3.0
DCT_SCALE = 4.0  # latents are DCT coefficients divided by it
INIT_LOG_STD = -6.0  # the initial log standard deviation of latents
RESIDUAL_SCALE = 0.1  # of what the networks add to the skip path
QUIET_NOISE_LOGIT = -8.0  # the initial gain of noise in bands with coefficients
FULL_NOISE_LOGIT = 1.87  # and in those without, where noise is as loud as the signal
ENCODER_DILATIONS = (1, 3)  # of the residual blocks before each stride of the encoder


class Encoder(nn.Module):
    """Encodes bands as a Gaussian over latents, the last k of which are loudness.

    Attributes:
      latent: latents per frame.
      width: channels at the rate of the bands, doubled by each stride.
      factors: strides.
      causal: whether convolutions look only backwards.
    """

    latent: int
    width: int
    factors: tuple[int, ...]
    _: dataclasses.KW_ONLY
    causal: bool

    @nn.compact
    def __call__(self, x: Float[Array, "b t k"]) -> Gaussian:
        """Returns the posterior over latents [b, f, z]."""
        hop, bands = math.prod(self.factors), x.shape[-1]
        coefficients = self.latent - bands
        loudness = band_loudness(x, hop)
        log_loudness = (jnp.log(loudness) - LOG_LOUDNESS_MEAN) / LOG_LOUDNESS_STD
        frames = x.reshape(len(x), -1, hop, bands) / loudness[:, :, None]
        frames = frames.reshape(*loudness.shape[:2], -1)

        first = Conv(self.width, 7, causal=self.causal, name="first")
        h = first(frames.reshape(x.shape))
        for i, factor in enumerate(self.factors):
            for j, dilation in enumerate(ENCODER_DILATIONS):
                name = f"residual_{i}_{j}"
                h = ResidualBlock(dilation, causal=self.causal, name=name)(h)
            down = Conv(
                self.width << (i + 1),
                2 * factor,
                stride=factor,
                causal=self.causal,
                name=f"down_{i}",
            )
            h = down(nn.leaky_relu(h, LEAKY_SLOPE))
        h = jnp.concatenate([h, log_loudness.astype(h.dtype)], axis=-1)
        features = coefficients + self.latent
        last = Conv(features, 3, causal=self.causal, zero_init=True, name="last")
        h = last(nn.leaky_relu(h, LEAKY_SLOPE)).astype(jnp.float32)
        residual, log_std = jnp.split(h, (coefficients,), axis=-1)

        basis = dct_basis(frames.shape[-1], coefficients, bands)
        mean = frames @ basis / DCT_SCALE + RESIDUAL_SCALE * residual
        mean = jnp.concatenate([mean, log_loudness], axis=-1)
        return Gaussian(mean, log_std + INIT_LOG_STD)


class Decoder(nn.Module):
    """Decodes latents as bands: a waveform with a gain, and filtered noise.

    Attributes:
      bands: number of bands.
      width: channels at the rate of the bands, doubled at each coarser rate.
      factors: strides of the encoder; the decoder upsamples by them in reverse.
      dilations: of the residual blocks after each transposed convolution.
      causal: whether convolutions look only backwards.
    """

    bands: int
    width: int
    factors: tuple[int, ...]
    _: dataclasses.KW_ONLY
    dilations: tuple[int, ...]
    causal: bool

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "b f z"],
        loudness: Float[Array, "b f k"],
        white: Float[Array, "b t k"],
        draft: Float[Array, "b t k"] | None = None,
    ) -> Float[Array, "b t k"]:
        """Decodes latents as bands.

        Args:
          z: latents.
          loudness: amplitude of each band, which scales the output.
          white: noise in [-1, 1].
          draft: bands to correct, which the networks see. By default these are the
            inverse DCT of the latents.
        """
        hop = math.prod(self.factors)
        loudness = jnp.repeat(loudness, hop, axis=1)
        if draft is not None:
            draft = draft / loudness
        h = self.outputs(z, draft).astype(jnp.float32)
        wave, noise_logit, gain = jnp.split(h, (self.bands, 2 * self.bands), axis=-1)
        if draft is None:
            coefficients = z.shape[-1] - self.bands
            basis = dct_basis(hop * self.bands, coefficients, self.bands)
            frames = z[..., :coefficients] @ basis.T * DCT_SCALE
            draft = frames.reshape(wave.shape)
            first = match_rank(hop * np.arange(self.bands), wave)  # of each band
            complete, any_kept = first + hop <= coefficients, first < coefficients
            wave = jnp.where(complete, RESIDUAL_SCALE, 1.0) * wave
            noise_logit += jnp.where(any_kept, QUIET_NOISE_LOGIT, FULL_NOISE_LOGIT)
        else:
            wave = RESIDUAL_SCALE * wave
            noise_logit = noise_logit + QUIET_NOISE_LOGIT
        mixed = (draft + wave) * nn.sigmoid(gain) + white * nn.sigmoid(noise_logit)
        return 2 * mixed * loudness

    def outputs(
        self, z: Float[Array, "b f z"], draft: Float[Array, "b t k"] | None
    ) -> Float[Array, "b t e"]:
        """Returns waveform [k], noise logits [k] and a gain logit for each frame."""
        causal = self.causal
        top = self.width << len(self.factors)
        h = Conv(top, 3, causal=causal, name="first")(z)
        for i, factor in reversed([*enumerate(self.factors)]):
            up = TransposedConv(self.width << i, factor, causal=causal, name=f"up_{i}")
            h = up(nn.leaky_relu(h, LEAKY_SLOPE))
            if draft is not None and i == 0:
                h += Conv(self.width, 7, causal=causal, name="draft")(draft)
            for j, dilation in enumerate(self.dilations):
                name = f"residual_{i}_{j}"
                h = ResidualBlock(dilation, causal=causal, name=name)(h)
        features = 2 * self.bands + 1
        heads = Conv(features, 7, causal=causal, zero_init=True, name="heads")
        return heads(nn.leaky_relu(h, LEAKY_SLOPE))


def band_loudness(x: Float[Array, "b t k"], hop: int) -> Float[Array, "b f k"]:
    """Returns the RMS of bands in frames of `hop`, at least `MIN_LOUDNESS`."""
    frames = x.reshape(len(x), -1, hop, x.shape[-1])
    return jnp.sqrt((frames**2).mean(axis=2) + MIN_LOUDNESS**2)


def latent_loudness(z: Float[Array, "b f z"], bands: int) -> Float[Array, "b f k"]:
    """Reads the RMS amplitude of bands from latents."""
    return jnp.exp(LOG_LOUDNESS_STD * z[..., -bands:] + LOG_LOUDNESS_MEAN)


def amplify_latents(
    z: Float[Array, "b f z"], bands: int, gain: Float[Array, "#b f 1"]
) -> Float[Array, "b f z"]:
    """Multiplies the loudness of latents by a gain per frame."""
    return z.at[..., -bands:].add(jnp.log(gain) / LOG_LOUDNESS_STD)


def frame_noise(
    rng: Key,
    rows: Int[Array, " b"],
    frames: Int[Array, " f"],
    shape: tuple[int, int],
) -> Float[Array, "b t k"]:
    """Draws uniform noise in [-1, 1] that depends only on the row and the frame.

    A stream therefore draws the same noise in blocks of any size.

    Args:
      rng: key of the noise.
      rows: numbers of the rows of the batch.
      frames: numbers of the frames of latents.
      shape: frames of bands per frame of latents, and bands.
    """
    keys = jax.vmap(row_keys, (0, None))(row_keys(rng, rows), frames)

    def draw(key: Key) -> Array:
        return jax.random.uniform(
            key, shape, minval=-1.0, maxval=1.0, dtype=jnp.float32
        )

    return jax.vmap(jax.vmap(draw))(keys).reshape(len(rows), -1, shape[1])


def dct_basis(size: int, coefficients: int, bands: int) -> Float[Array, "s z"]:
    """Returns the basis of the lowest DCT coefficients of a frame of bands.

    Each band has an orthonormal DCT-II. The order of the frequencies is reversed in
    every other band, as it is in the filter bank.

    Args:
      size: samples of a frame, over all bands.
      coefficients: columns of the basis.
      bands: number of bands.
    """
    hop = size // bands
    time, frequency = np.arange(hop)[:, None] + 0.5, np.arange(hop)
    norm = np.where(frequency, 1, np.sqrt(0.5))
    dct = np.sqrt(2 / hop) * np.cos(np.pi * time * frequency / hop) * norm
    ordered = [dct[:, ::-1] if k % 2 else dct for k in range(bands)]
    basis = np.zeros((hop, bands, bands, hop))
    basis[:, np.arange(bands), np.arange(bands)] = np.stack(ordered, axis=1)
    return jnp.asarray(basis.reshape(size, size)[:, :coefficients], jnp.float32)


def check_factors(factors: tuple[int, ...]) -> None:
    """Checks the strides of an encoder.

    Raises:
      UsageError: there are none, or one is below 2.
    """
    if min(factors, default=0) < 2:
        raise UsageError(f"factors are {factors}: choose one or more, each at least 2.")
