"""Convolutions that write piano rolls bar by bar, and that read them (Dong et al. 2018).

A pitch is a place in an octave and the octave, and a step a place in a bar: transposed convolutions
go from coarse time to fine and from octaves to pitches, convolutions back. Each is as long as its
stride, as most of the paper's are, and so a product of matrices, as are its gradient and that one's
gradient, which penalties ask for.
Axes: n row, u bar, s step of a bar, t step, k track, p pitch, o octave, c channel, z latent,
y style.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen import Dense

from zoo.core import Array
from zoo.nn.conditioning import Projection

OCTAVE = 12
QUIET = -2.0  # the logits of keys at birth: most of them are up in any music
SLOPE = 0.2  # of the rectifiers below 0


def octaves(x: Array) -> Array:
    """Rolls [.., p, c] by octaves [.., o, 12 c], the last filled with silence."""
    empty = -x.shape[-2] % OCTAVE
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, empty), (0, 0)])
    return x.reshape(*x.shape[:-2], -1, OCTAVE * x.shape[-1])


def leaky(x: Array) -> Array:
    return jax.nn.leaky_relu(x, SLOPE)


def intervals(chroma: Array) -> Array:
    """How often each interval sounds between each two tracks and within each, whatever the key:
    pitch classes [n, t, 12, k] -> [n, t, 12 k k].

    A correlation round the octave is a product of its Fourier components (Lewin 1959), whose
    gradient's gradient is several times cheaper than that of a product for each step.
    """
    half = np.arange(OCTAVE // 2 + 1)
    turn = 2 * np.pi * np.outer(np.arange(OCTAVE), half) / OCTAVE
    cos, sin = (jnp.asarray(f(turn), jnp.float32) for f in (np.cos, np.sin))
    twice = np.where(half % (OCTAVE // 2), 2, 1).astype(np.float32)[None] / OCTAVE
    x = chroma.swapaxes(2, 3)
    even, odd = x @ cos, x @ sin
    a, b, c, d = (
        even[:, :, :, None],
        odd[:, :, :, None],
        even[:, :, None],
        odd[:, :, None],
    )
    pairs = (a * c + b * d) @ (twice * cos).T + (a * d - b * c) @ (twice * sin).T
    return jnp.moveaxis(pairs, -1, 2).reshape(*chroma.shape[:2], -1)


class Line(nn.Module):
    """A latent for each bar, made of one for all of them."""

    bars: int

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """[n, z] -> [n, u, z]."""
        size = z.shape[-1]
        h = leaky(Dense(2 * size, name="hidden")(z))
        return Dense(self.bars * size, name="bars")(h).reshape(len(z), self.bars, size)


def finer(x: Array, width: int, name: str) -> Array:
    """Twice the steps: [n, s, o, c] -> [n, 2s, o, width]."""
    n, s, o, _ = x.shape
    x = Dense(2 * width, name=name)(x).reshape(n, s, o, 2, width)
    return x.swapaxes(2, 3).reshape(n, 2 * s, o, width)


def coarser(x: Array, steps: int, width: int, name: str) -> Array:
    """So many steps at once: [n, s, o, c] -> [n, s / steps, o, width]."""
    n, s, o, c = x.shape
    x = x.reshape(n, s // steps, steps, o, c).swapaxes(2, 3)
    return Dense(width, name=name)(x.reshape(n, s // steps, o, steps * c))


class Writer(nn.Module):
    """Writes a bar of one track: a quarter of its steps, in `width` channels, half, then all."""

    steps: int
    pitches: int
    width: int

    @nn.compact
    def __call__(self, z: Array, heard: tuple[Array, ...] = ()) -> Array:
        """Latents [n, z] -> logits [n, s, p]; `heard` is what else to go by, see `Ear`."""
        o, coarse = -(-self.pitches // OCTAVE), self.steps // 4
        x = Dense(coarse * o * self.width, name="enter")(z)
        x = x.reshape(len(z), coarse, o, self.width)
        for i, width in enumerate((self.width, self.width // 2, self.width // 4)):
            x = finer(x, width, f"finer_{i}") if i else x
            told = [
                jnp.broadcast_to(y, (*x.shape[:-1], y.shape[-1]))
                for y in heard[i : i + 1]
            ]
            x = jnp.concatenate([x, *told], axis=-1)
            x = leaky(nn.LayerNorm(name=f"norm_{i}")(x))
        x = Dense(OCTAVE, name="pitches", bias_init=nn.initializers.constant(QUIET))(x)
        return x.reshape(len(z), self.steps, -1)[..., : self.pitches].astype(
            jnp.float32
        )


class Ear(nn.Module):
    """What is heard of tracks that are given, as coarse and as fine as a `Writer` goes by it: in
    every octave, whichever they are in."""

    width: int

    @nn.compact
    def __call__(self, rolls: Array) -> tuple[Array, ...]:
        """Rolls [n, s, p, k] -> [n, s / 4, 1, c], [n, s / 2, 1, c], [n, s, 1, c]."""
        every = octaves(rolls).reshape(*rolls.shape[:2], 1, -1)
        fine = leaky(Dense(self.width, name="fine")(every))
        half = leaky(coarser(fine, 2, self.width, "half"))
        return leaky(coarser(half, 2, self.width, "quarter")), half, fine


class Reader(nn.Module):
    """Reads rolls, and says how real they look: what sounds, what begins, and in what harmony."""

    steps: int
    width: int

    @nn.compact
    def __call__(self, x: Array, style: Array | None) -> tuple[Array, Array]:
        """Rolls [n, t, k, p], shares of styles [n, y] -> verdicts [n], features [n, c]."""
        n, t = x.shape[:2]
        x = x.swapaxes(2, 3).astype(jnp.float32)
        begun = x - jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
        chroma = octaves(x).sum(axis=2)  # of each track the pitch classes that sound
        h = Dense(self.width, name="pitches")(
            octaves(jnp.concatenate([x, begun], axis=-1))
        )
        h = leaky(h + Dense(self.width, name="chroma")(chroma)[:, :, None])
        harmony = intervals(chroma.reshape(n, t // 4, 4, OCTAVE, -1).mean(axis=2))
        h = coarser(h, 4, 2 * self.width, "quarter")
        h = leaky(h + Dense(2 * self.width, name="intervals")(harmony)[:, :, None])
        h = h.reshape(n, t // 4, 1, -1)
        h = leaky(coarser(h, self.steps // 4, 4 * self.width, "bar")).reshape(n, -1)
        bars = chroma.sum(axis=1).reshape(n, OCTAVE, -1).sum(axis=2) / self.steps
        used = 1 - jnp.exp(-bars)  # a wrong note is heard, however few there are
        h = Dense(4 * self.width, name="features")(h)
        f = leaky(h + Dense(4 * self.width, use_bias=False, name="used")(used))
        verdict = Dense(1, name="verdict")(f)[:, 0]
        if style is not None:
            verdict += Projection(name="styles")(f, style)
        return verdict.astype(jnp.float32), f.astype(jnp.float32)
