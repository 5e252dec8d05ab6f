"""Networks from the bands of a signal to latents, few of them a second, and back (Caillon & Esling
2021, RAVE, section 3.3).

Deviations. The loudness of each band in a frame is a latent, and all that the networks hear and
make is relative to it: a quiet note is as loud to them as any, and nothing of a loud band is heard
in a silent one. Around them is a straight way (Chen et al. 2024, Deep compression autoencoder,
section 3.2): a cosine transform of each frame of which the lowest frequencies are held, to which
the networks, at first silent, add little, and noise, and they much, in the bands that are not.
Learnt from nothing, the wave took most of an hour to be as good; left to move by steps as large as
networks take, it was never quiet between partials.
Axes: b signal, t frame of bands, k band, f frame of latents, z latent.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Key
from zoo.nn.audio.causal_conv import SLOPE, Conv, Finer, Residual
from zoo.nn.audio.stft import like
from zoo.nn.latent.variational import Gaussian
from zoo.nn.rng import row_keys

SILENCE = 1e-6  # the loudness of silence: 120 dB below full scale
MIDDLE, SPREAD = (
    -7.0,
    3.0,
)  # of logarithms of loudness, which a latent is between -2 and 2 for
SCALE = 4.0  # of the transform's coefficients
SURE = -6.0  # the logarithm of a latent's deviation at birth
LITTLE = 0.1  # what networks add to what is held
QUIET, FULL = (
    -8.0,
    1.87,
)  # logits of noise at birth, of none and of as much as there was
NEAR = (1, 3)  # dilations before each of the encoder's strides


class Encoder(nn.Module):
    latent: int
    width: int
    factors: tuple[int, ...]
    causal: bool

    @nn.compact
    def __call__(self, x: Array) -> Gaussian:
        """Bands [b, t, k] -> latents [b, f, z], the last k of which are how loud they are."""
        bands = x.shape[-1]
        rest = self.latent - bands
        frames = x.reshape(len(x), -1, math.prod(self.factors), bands)
        loud = level(x, math.prod(self.factors))
        told = (jnp.log(loud) - MIDDLE) / SPREAD
        frames = (frames / loud[:, :, None]).reshape(*loud.shape[:2], -1)
        x = Conv(self.width, 7, causal=self.causal, name="first")(
            frames.reshape(x.shape)
        )
        for i, factor in enumerate(self.factors):
            for j, dilation in enumerate(NEAR):
                x = Residual(dilation, causal=self.causal, name=f"residual_{i}_{j}")(x)
            down = Conv(
                self.width << (i + 1),
                2 * factor,
                stride=factor,
                causal=self.causal,
                name=f"down_{i}",
            )
            x = down(nn.leaky_relu(x, SLOPE))
        x = nn.leaky_relu(jnp.concatenate([x, told.astype(x.dtype)], axis=-1), SLOPE)
        last = Conv(rest + self.latent, 3, causal=self.causal, still=True, name="last")
        mean, log_std = jnp.split(last(x).astype(jnp.float32), (rest,), axis=-1)
        mean = frames @ cosines(frames.shape[-1], rest, bands) / SCALE + LITTLE * mean
        return Gaussian(jnp.concatenate([mean, told], axis=-1), log_std + SURE)


class Decoder(nn.Module):
    bands: int
    width: int
    factors: tuple[int, ...]
    dilations: tuple[int, ...]
    causal: bool

    @nn.compact
    def __call__(
        self, z: Array, loud: Array, white: Array, draft: Array | None = None
    ) -> Array:
        """Latents [b, f, z], how loud bands are [b, f, k] and white noise [b, t, k] -> bands
        [b, t, k], beside what latents hold of them or, where there is one, a draft [b, t, k]."""
        hop, rest = math.prod(self.factors), z.shape[-1] - self.bands
        loud = jnp.repeat(loud, hop, axis=1)
        draft = None if draft is None else draft / loud
        x = Conv(self.width << len(self.factors), 3, causal=self.causal, name="first")(
            z
        )
        for i, factor in reversed([*enumerate(self.factors)]):
            up = Finer(self.width << i, factor, causal=self.causal, name=f"up_{i}")
            x = up(nn.leaky_relu(x, SLOPE))
            if draft is not None and not i:
                x += Conv(self.width, 7, causal=self.causal, name="draft")(draft)
            for j, dilation in enumerate(self.dilations):
                x = Residual(dilation, causal=self.causal, name=f"residual_{i}_{j}")(x)
        heads = Conv(
            2 * self.bands + 1, 7, causal=self.causal, still=True, name="heads"
        )
        x = heads(nn.leaky_relu(x, SLOPE)).astype(jnp.float32)
        wave, hiss, swell = jnp.split(x, (self.bands, 2 * self.bands), axis=-1)
        if draft is None:
            frames = (
                z[..., :rest] @ cosines(hop * self.bands, rest, self.bands).T * SCALE
            )
            draft, first = (
                frames.reshape(wave.shape),
                like(hop * np.arange(self.bands), wave),
            )
            wave = jnp.where(first + hop <= rest, LITTLE, 1.0) * wave
            hiss += jnp.where(
                first < rest, QUIET, FULL
            )  # `first` of a band's coefficients
        else:
            wave, hiss = LITTLE * wave, hiss + QUIET
        both = (draft + wave) * nn.sigmoid(swell) + white * nn.sigmoid(hiss)
        return 2 * both * loud


def level(x: Array, hop: int) -> Array:
    """How loud bands [b, t, k] are in each frame of `hop`, [b, f, k]."""
    frames = x.reshape(len(x), -1, hop, x.shape[-1])
    return jnp.sqrt((frames**2).mean(axis=2) + SILENCE**2)


def loudness(z: Array, bands: int) -> Array:
    """What latents [b, f, z] say of it, [b, f, k]."""
    return jnp.exp(SPREAD * z[..., -bands:] + MIDDLE)


def louder(z: Array, bands: int, by: Array) -> Array:
    """Latents [b, f, z] of what is `by` [b, f, 1] times as loud."""
    return z.at[..., -bands:].add(jnp.log(by) / SPREAD)


def noise(rng: Key, rows: Array, frames: Array, shape: tuple[int, int]) -> Array:
    """Uniform from -1 to 1, [b, f t, k] for `shape` (t, k): that of a row and a frame is a function
    of their numbers [b] and [f], so that it is the same in blocks."""
    keys = jax.vmap(row_keys, (0, None))(row_keys(rng, rows), frames)
    draw = lambda key: jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    return jax.vmap(jax.vmap(draw))(keys).reshape(len(rows), -1, shape[1])


def cosines(size: int, latent: int, bands: int) -> Array:
    """The `latent` lowest frequencies of a frame [size] of bands, as columns: an orthonormal cosine
    transform of each band, every other one of which is upside down."""
    hop = size // bands
    time, turn = np.arange(hop)[:, None] + 0.5, np.arange(hop)
    each = (
        np.sqrt(2 / hop)
        * np.cos(np.pi * time * turn / hop)
        * np.where(turn, 1, np.sqrt(0.5))
    )
    both = [each[:, ::-1] if k % 2 else each for k in range(bands)]
    whole = np.zeros((hop, bands, bands, hop))
    whole[:, np.arange(bands), np.arange(bands)] = np.stack(both, axis=1)
    return jnp.asarray(whole.reshape(size, size)[:, :latent], jnp.float32)
