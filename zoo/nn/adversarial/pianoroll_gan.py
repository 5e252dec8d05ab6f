"""Networks of a GAN of multitrack piano rolls (Dong et al. 2018, arXiv:1709.06298).

Pitch is split into octave and pitch class, and time into bar and step. Transposed
convolutions go from coarse to fine time and from octaves to pitches, and the critic's
convolutions go back. The kernel of each is as long as its stride, as in most layers of
the paper, so that each is a matrix product, and so are its gradient and the gradient of
that, which a gradient penalty needs.

Axes: n row, u bar, s step of a bar, t step, k track, p pitch, o octave, c channel, d
feature, z latent, y style.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen import Dense

from zoo.core import Array, Float, Num
from zoo.nn.conditioning import Projection

OCTAVE = 12  # semitones
QUIET = -2.0  # initial logit of a pitch: in any music most pitches are off
NEGATIVE_SLOPE = 0.2  # of the leaky rectifiers
COARSEST = 4  # steps of a bar for one of the coarsest resolution


def leaky_relu(x: Array) -> Array:
    """Applies a rectifier with the slope `NEGATIVE_SLOPE` below 0."""
    return jax.nn.leaky_relu(x, NEGATIVE_SLOPE)


def fold_octaves(x: Num[Array, "*n p c"]) -> Num[Array, "*n o oc"]:
    """Folds pitches into octaves of 12 c channels, the last one padded with silence."""
    padding = -x.shape[-2] % OCTAVE
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, padding), (0, 0)])
    return x.reshape(*x.shape[:-2], -1, OCTAVE * x.shape[-1])


def interval_counts(chroma: Float[Array, "n t 12 k"]) -> Float[Array, "n t d"]:
    """Counts each interval between each two tracks, and within each, whatever the key.

    Circular correlations of pitch classes, computed as products of Fourier components
    (Lewin 1959): its second-order gradient is several times cheaper than that of one
    product per interval.

    Returns:
      The counts [n, t, 12 k k], interval first.
    """
    frequency = np.arange(OCTAVE // 2 + 1)
    angle = 2 * np.pi * np.outer(np.arange(OCTAVE), frequency) / OCTAVE
    cos, sin = (jnp.asarray(f(angle), jnp.float32) for f in (np.cos, np.sin))
    # a real signal's spectrum is symmetric: all but the ends count twice
    weight = np.where(frequency % (OCTAVE // 2), 2, 1).astype(np.float32)[None] / OCTAVE
    x = chroma.swapaxes(2, 3)
    even, odd = x @ cos, x @ sin
    a, b = even[:, :, :, None], odd[:, :, :, None]
    c, d = even[:, :, None], odd[:, :, None]
    real, imaginary = a * c + b * d, a * d - b * c
    counts = real @ (weight * cos).T + imaginary @ (weight * sin).T
    return jnp.moveaxis(counts, -1, 2).reshape(*chroma.shape[:2], -1)


def upsample(
    x: Float[Array, "n s o c"], width: int, name: str
) -> Float[Array, "n t o d"]:
    """Applies a transposed convolution that doubles the steps, to `width` channels."""
    n, s, o, _ = x.shape
    x = Dense(2 * width, name=name)(x).reshape(n, s, o, 2, width)
    return x.swapaxes(2, 3).reshape(n, 2 * s, o, width)


def downsample(
    x: Float[Array, "n s o c"], stride: int, width: int, name: str
) -> Float[Array, "n t o d"]:
    """Applies a convolution over `stride` steps at a time, to `width` channels."""
    n, s, o, c = x.shape
    x = x.reshape(n, s // stride, stride, o, c).swapaxes(2, 3)
    return Dense(width, name=name)(x.reshape(n, s // stride, o, stride * c))


class TemporalGenerator(nn.Module):
    """Maps one latent to a sequence of `bars` latents, one per bar."""

    bars: int

    @nn.compact
    def __call__(self, z: Float[Array, "n z"]) -> Float[Array, "n u z"]:
        size = z.shape[-1]
        h = leaky_relu(Dense(2 * size, name="hidden")(z))
        return Dense(self.bars * size, name="bars")(h).reshape(len(z), self.bars, size)


class BarGenerator(nn.Module):
    """Generates a bar of one track, at a quarter of its steps, at half, then at all.

    Attributes:
      steps: of a bar.
      pitches: of a roll.
      width: channels at a quarter of the steps.
    """

    steps: int
    pitches: int
    width: int

    @nn.compact
    def __call__(
        self, z: Float[Array, "n z"], conditioning: tuple[Array, ...] = ()
    ) -> Float[Array, "n s p"]:
        """Returns the logits of a bar.

        Args:
          z: the latents of the bar.
          conditioning: features of other tracks, from a `ConditioningEncoder`.
        """
        o, coarse = -(-self.pitches // OCTAVE), self.steps // COARSEST
        x = Dense(coarse * o * self.width, name="enter")(z)
        x = x.reshape(len(z), coarse, o, self.width)
        for i, width in enumerate((self.width, self.width // 2, self.width // 4)):
            if i:
                x = upsample(x, width, f"finer_{i}")
            if conditioning:
                features = conditioning[i]
                shape = (*x.shape[:-1], features.shape[-1])
                x = jnp.concatenate([x, jnp.broadcast_to(features, shape)], axis=-1)
            x = leaky_relu(nn.LayerNorm(name=f"norm_{i}")(x))
        quiet = nn.initializers.constant(QUIET)
        x = Dense(OCTAVE, name="pitches", bias_init=quiet)(x)
        x = x.reshape(len(z), self.steps, -1)[..., : self.pitches]
        return x.astype(jnp.float32)


class ConditioningEncoder(nn.Module):
    """Encodes the conditioning tracks at each resolution of the bar generator.

    Pitches of all octaves are read together, so that the features apply to every
    octave.

    Attributes:
      width: channels of the features.
    """

    width: int

    @nn.compact
    def __call__(self, rolls: Float[Array, "n s p k"]) -> tuple[Array, Array, Array]:
        """Returns features [n, s', 1, c] at a quarter of the steps, half and all."""
        pitches = fold_octaves(rolls).reshape(*rolls.shape[:2], 1, -1)
        fine = leaky_relu(Dense(self.width, name="fine")(pitches))
        half = leaky_relu(downsample(fine, 2, self.width, "half"))
        quarter = leaky_relu(downsample(half, 2, self.width, "quarter"))
        return quarter, half, fine


class Generator(nn.Module):
    """The generator of the hybrid model (section 4.3): four latents per bar and track.

    Attributes:
      bars: of a phrase.
      steps: of a bar.
      pitches: of a roll.
      generated: indices of the tracks that are generated.
      conditioning: indices of the tracks that are conditioning.
      width: channels of the bar generators.
    """

    bars: int
    steps: int
    pitches: int
    _: dataclasses.KW_ONLY
    generated: tuple[int, ...]
    conditioning: tuple[int, ...]
    width: int

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "n latents z"],
        style: Float[Array, "n y"] | None,
        rolls: Num[Array, "n t all_tracks p"] | None,
    ) -> Float[Array, "n t k p"]:
        """Returns the logits of the generated tracks.

        Args:
          z: 2 + 2 k latents: of all tracks, one for all bars and one for the sequence
            of bars; then the former of each track; then the latter of each track.
          style: the weight of each style.
          rolls: all tracks, of which the conditioning tracks are read.
        """
        n, k = len(z), len(self.generated)
        shared = [z[:, :1], TemporalGenerator(self.bars, name="line")(z[:, 1])]
        if style is not None:
            # of unit variance, as latents are
            init = nn.initializers.normal(1.0)
            embed = nn.Dense(
                z.shape[-1], use_bias=False, kernel_init=init, name="style"
            )
            shared += [embed(style)[:, None]]
        features: tuple[Array, ...] = ()
        if self.conditioning and rolls is not None:
            features = self.encode(rolls)
        tracks = []
        for i, track in enumerate(self.generated):
            over_bars = TemporalGenerator(self.bars, name=f"line_{track}")
            own = [z[:, 2 + i, None], over_bars(z[:, 2 + k + i])]
            latents = [
                jnp.broadcast_to(x, (n, self.bars, x.shape[-1])) for x in shared + own
            ]
            by_bar = jnp.concatenate(latents, axis=-1).reshape(n * self.bars, -1)
            sizes = self.steps, self.pitches, self.width
            bars = BarGenerator(*sizes, name=f"writer_{track}")(by_bar, features)
            tracks.append(bars.reshape(n, -1, self.pitches))
        return jnp.stack(tracks, axis=2)

    def encode(self, rolls: Num[Array, "n t all_tracks p"]) -> tuple[Array, ...]:
        """Returns the features of the conditioning tracks, bar by bar."""
        tracks = jnp.array(self.conditioning)
        bars = jnp.asarray(rolls, jnp.float32)[:, :, tracks].swapaxes(2, 3)
        bars = bars.reshape(len(rolls) * self.bars, self.steps, self.pitches, -1)
        return ConditioningEncoder(self.width // 4, name="ear")(bars)


class Critic(nn.Module):
    """A critic of all tracks together, which also reads note onsets and harmony.

    Attributes:
      steps: of a bar.
      width: channels of the first layer.
    """

    steps: int
    width: int

    @nn.compact
    def __call__(
        self, x: Num[Array, "n t k p"], style: Float[Array, "n y"] | None
    ) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        """Returns the verdicts on rolls, and the features that they depend on."""
        n, t = x.shape[:2]
        x = x.swapaxes(2, 3).astype(jnp.float32)
        onsets = x - jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
        chroma = fold_octaves(x).sum(axis=2)  # [n, t, 12 k]
        pitches = fold_octaves(jnp.concatenate([x, onsets], axis=-1))
        h = Dense(self.width, name="pitches")(pitches)
        h = leaky_relu(h + Dense(self.width, name="chroma")(chroma)[:, :, None])
        quarters = chroma.reshape(n, t // 4, 4, OCTAVE, -1).mean(axis=2)
        harmony = Dense(2 * self.width, name="intervals")(interval_counts(quarters))
        h = downsample(h, 4, 2 * self.width, "quarter")
        h = leaky_relu(h + harmony[:, :, None])
        h = h.reshape(n, t // 4, 1, -1)
        h = downsample(h, self.steps // 4, 4 * self.width, "bar")
        h = leaky_relu(h).reshape(n, -1)
        # bars for which a pitch class sounds; saturates, so that one wrong note counts
        duration = chroma.sum(axis=1).reshape(n, OCTAVE, -1).sum(axis=2) / self.steps
        used = 1 - jnp.exp(-duration)
        h = Dense(4 * self.width, name="features")(h)
        f = h + Dense(4 * self.width, use_bias=False, name="used")(used)
        f = leaky_relu(f)
        verdict = Dense(1, name="verdict")(f)[:, 0]
        if style is not None:
            verdict += Projection(name="styles")(f, style)
        return verdict.astype(jnp.float32), f.astype(jnp.float32)
