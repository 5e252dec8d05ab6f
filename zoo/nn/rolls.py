"""Convolutions that write piano rolls bar by bar, and that read them (Dong et al. 2018).

A pitch is a place in an octave and the octave, and a step a place in a bar: transposed convolutions
go from coarse time to fine and from octaves to pitches, convolutions back. Axes: n row, u bar,
s step of a bar, t step, k track, p pitch, o octave, c channel, z latent, y style.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array

OCTAVE = 12
SLOPE = 0.2  # of the rectifiers below 0


def octaves(x: Array) -> Array:
    """Rolls [.., p, c] by octaves [.., o, 12 c], the last filled with silence."""
    empty = -x.shape[-2] % OCTAVE
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, empty), (0, 0)])
    return x.reshape(*x.shape[:-2], -1, OCTAVE * x.shape[-1])


def leaky(x: Array) -> Array:
    return jax.nn.leaky_relu(x, SLOPE)


class Line(nn.Module):
    """A latent for each bar, made of one for all of them."""

    bars: int

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """[n, z] -> [n, u, z]."""
        size = z.shape[-1]
        h = leaky(nn.Dense(2 * size, name="hidden")(z))
        return nn.Dense(self.bars * size, name="bars")(h).reshape(len(z), self.bars, size)


class Writer(nn.Module):
    """Writes a bar of one track: a quarter of its steps, in `width` channels, half, then all."""

    steps: int
    pitches: int
    width: int

    @nn.compact
    def __call__(self, z: Array, heard: tuple[Array, ...] = ()) -> Array:
        """Latents [n, z] -> logits [n, s, p]; `heard` is what else to go by, see `Ear`."""
        o, coarse = -(-self.pitches // OCTAVE), self.steps // 4
        x = nn.Dense(coarse * o * self.width, name="enter")(z)
        x = x.reshape(len(z), coarse, o, self.width)
        for i, width in enumerate((self.width, self.width // 2, self.width // 4)):
            if i:
                x = nn.ConvTranspose(width, (4, 3), (2, 1), name=f"finer_{i}")(x)
            x = jnp.concatenate([x, *heard[i : i + 1]], axis=-1)
            x = leaky(nn.LayerNorm(name=f"norm_{i}")(x))
        x = nn.Dense(OCTAVE, name="pitches")(x)
        return x.reshape(len(z), self.steps, -1)[..., : self.pitches].astype(jnp.float32)


class Ear(nn.Module):
    """What is heard of tracks that are given, as coarse and as fine as a `Writer` goes by it."""

    width: int

    @nn.compact
    def __call__(self, rolls: Array) -> tuple[Array, ...]:
        """Rolls [n, s, p, k] -> [n, s / 4, o, c], [n, s / 2, o, c], [n, s, o, c]."""
        found = [leaky(nn.Conv(self.width, (1, 3), name="fine")(octaves(rolls)))]
        for i in range(2):
            found.append(leaky(nn.Conv(self.width, (4, 3), (2, 1), name=f"coarse_{i}")(found[-1])))
        return tuple(reversed(found))


class Reader(nn.Module):
    """Reads rolls, and says how real they look: what sounds, what begins, and in what harmony."""

    steps: int
    width: int

    @nn.compact
    def __call__(self, x: Array, style: Array | None) -> tuple[Array, Array]:
        """Rolls [n, t, k, p], shares of styles [n, y] -> verdicts [n], features [n, c].

        A projection adds to the verdict what the features owe to the style (Miyato & Koyama 2018,
        arXiv:1802.05637, eq. 3).
        """
        x = x.swapaxes(2, 3).astype(jnp.float32)
        begun = x - jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
        chroma = octaves(x).reshape(*x.shape[:2], -1, OCTAVE * x.shape[-1]).sum(axis=2)
        h = octaves(jnp.concatenate([x, begun], axis=-1))
        h = leaky(nn.Dense(self.width // 2, name="pitches")(h))
        harmony = nn.Dense(self.width // 2, name="chroma")(chroma)[:, :, None]
        h = h + leaky(harmony)
        h = leaky(nn.Conv(self.width // 2, (4, 3), (2, 1), name="finer")(h))
        h = leaky(nn.Conv(self.width, (4, 3), (2, 1), name="coarser")(h))
        h = h.reshape(*h.shape[:2], -1)
        h = leaky(nn.Conv(2 * self.width, (self.steps // 4,), (self.steps // 4,), name="bar")(h))
        h = leaky(nn.Conv(2 * self.width, (2,), name="bars")(h))
        f = leaky(nn.Dense(2 * self.width, name="features")(h.reshape(len(h), -1)))
        verdict = nn.Dense(1, name="verdict")(f)[:, 0]
        if style is not None:
            owed = nn.Dense(f.shape[-1], use_bias=False, name="styles")(style)
            verdict += (owed * f).sum(axis=-1)
        return verdict.astype(jnp.float32), f.astype(jnp.float32)
