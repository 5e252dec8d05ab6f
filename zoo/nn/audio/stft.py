"""The short-time Fourier transform, and the way back (Allen & Rabiner 1977; Griffin & Lim 1984).

Where hops are an even part of a frame that is not long, what frames share is transformed once, by
products of matrices: a frame's spectrum is the sum of those of its hops, each turned by where in
the frame it is, and a Hann window is a filter of three taps on it (Harris 1978, section V). A fast
Fourier transform multiplies less, but not in the way that machines are fast at.

Conventions of every file of signals: a signal is real, its samples are the last axis, and
whatever stands before that is a batch; frames come before what is in a frame. Sizes and hops are in
samples, frequencies in Hz, rates in samples per second. Frame f of a transform is centred on sample
f * hop, and what lies beyond the ends is silence. Axes: s sample, f frame, n sample of a frame, h
of half a hop, k frequency.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.errors import UsageError

LONG, MANY = (
    2048,
    8,
)  # samples and hops of frames beyond which a fast transform is the faster one
ROW = 16  # numbers that a row of a matrix is made a multiple of, which is read faster
LEAST = 1e-8  # of the windows' sum that is divided by, next to nothing in any sample but the last


def hann(size: int) -> np.ndarray:
    """The window of one period, float32 [n]."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def like(x: Array | np.ndarray, y: Array) -> Array:
    """`x` with as many axes as `y`, those that it lacks before its own."""
    return jnp.asarray(x).reshape((1,) * (y.ndim - x.ndim) + x.shape)


def frames(x: Array, size: int, hop: int) -> Array:
    """Windows on signals [.., s], all that fit: [.., f, n]. Each hop is read once, not gathered."""
    count, parts = 1 + (x.shape[-1] - size) // hop, -(-size // hop)
    rest = (count + parts - 1) * hop - x.shape[-1]
    x = jnp.pad(x[..., : x.shape[-1] + min(rest, 0)], last(x, (0, max(rest, 0))))
    hops = x.reshape(*x.shape[:-1], -1, hop)
    return jnp.concatenate(
        [hops[..., i : i + count, :] for i in range(parts)], axis=-1
    )[..., :size]


def overlap_add(x: Array, hop: int) -> Array:
    """The sum of frames [.., f, n], each a hop after the one before: [.., (f - 1) hop + n]."""
    count, size = x.shape[-2:]
    parts = -(-size // hop)
    x = jnp.pad(x, last(x, (0, parts * hop - size)))
    hops = x.reshape(*x.shape[:-1], parts, hop)
    around = lambda i: [(0, 0)] * (x.ndim - 2) + [(i, parts - 1 - i), (0, 0)]
    each = (jnp.pad(hops[..., i, :], around(i)) for i in range(parts))
    total = sum(each, jnp.zeros((), x.dtype))
    return total.reshape(*total.shape[:-2], -1)[..., : (count - 1) * hop + size]


def last(x: Array, pad: tuple[int, int]) -> list[tuple[int, int]]:
    """What to pad `x` by, to pad its last axis."""
    return [(0, 0)] * (x.ndim - 1) + [pad]


@functools.cache
def waves(size: int, hop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of frequencies from the one below the lowest to the one above the highest: cosines and sines
    about the middle of a hop [h, k], and what a sample turns by in radians, float64 [k]."""
    count = size // 2 + 3
    angles = 2 * np.pi * np.arange(-1, count - 1 + -count % ROW) / size
    about = np.outer(np.arange(hop // 2) - (hop - 1) / 2, angles)
    return np.cos(about).astype(np.float32), np.sin(about).astype(np.float32), angles


def fast(x: Array, size: int, hop: int) -> Array:
    """Complex spectra [.., f, size / 2 + 1] of signals [.., s]: of all frames of `size` that fit,
    `hop` apart, under a Hann window."""
    x = frames(x, size, hop)
    return jnp.fft.rfft(x * like(hann(size), x))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def products(x: Array, size: int, hop: int) -> Array:
    """The same by products of matrices, where a hop is an even part of `size`."""
    parts, bins = size // hop, size // 2 + 1
    count = 1 + (x.shape[-1] - size) // hop
    cosines, sines, turns = waves(size, hop)
    product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    hops = x[..., : (count + parts - 1) * hop].reshape(*x.shape[:-1], -1, hop)
    early, late = hops[..., : hop // 2], hops[..., hop // 2 :][..., ::-1]
    even, odd = product(early + late, cosines), product(early - late, sines)

    def turned(part: int) -> tuple[Array, Array]:
        """What a hop is of the frames of which it is that part."""
        angles = turns * (hop * part + (hop - 1) / 2)
        cos, sin = (
            like(fn(angles).astype(np.float32), even) for fn in (np.cos, np.sin)
        )
        one, other = even[..., part : part + count, :], odd[..., part : part + count, :]
        return cos * one - sin * other, -sin * one - cos * other

    real, imaginary = (
        sum(each) for each in zip(*map(turned, range(parts)), strict=True)
    )
    beside = lambda y: y[..., :bins] + y[..., 2 : bins + 2]
    window = lambda y: 0.5 * y[..., 1 : bins + 1] - 0.25 * beside(y)
    return jax.lax.complex(window(real), window(imaginary))


@products.defjvp
def slope(
    size: int, hop: int, x: tuple[Array], by: tuple[Array]
) -> tuple[Array, Array]:
    return products(*x, size, hop), fast(
        *by, size, hop
    )  # its transpose is the faster one


@dataclasses.dataclass(frozen=True)
class STFT:
    """A transform of frames of `size` under a Hann window, `hop` apart.

    Raises:
      UsageError: an odd size, or a hop that leaves samples out.
    """

    size: int = 1024
    hop: int = 256

    def __post_init__(self) -> None:
        if self.size < 2 or self.size % 2 or not 0 < self.hop <= self.size // 2:
            raise UsageError(
                f"frames of {self.size} samples are to be {self.hop} apart: choose an even size, "
                "and a hop of at most half of it."
            )

    def __call__(self, x: Array) -> Array:
        """Signals [.., s] -> complex [.., 1 + s // hop, 1 + size / 2]."""
        x = jnp.pad(x, last(x, (self.size // 2, self.size // 2)))
        short = self.size <= min(LONG, MANY * self.hop)
        even = self.size % self.hop == 0 and self.hop % 2 == 0
        return (products if short and even else fast)(x, self.size, self.hop)

    def inverse(self, y: Array, length: int) -> Array:
        """The signals [.., length] whose transforms are nearest to `y`, in squares (Griffin & Lim
        1984, eq. 6): those that it was made of, if it was."""
        window = hann(self.size)
        total = overlap_add(jnp.fft.irfft(y, self.size) * like(window, y), self.hop)
        weight = overlap_add(jnp.tile(window**2, (y.shape[-2], 1)), self.hop)
        x = total / like(jnp.maximum(weight, LEAST), total)
        x = x[..., self.size // 2 :][..., :length]
        return jnp.pad(x, last(x, (0, length - x.shape[-1])))

    def frequencies(self, rate: float) -> np.ndarray:
        """In Hz, of the bins [k]."""
        return np.arange(1 + self.size // 2) * rate / self.size


def magnitude(y: Array) -> Array:
    """|y| of complex numbers, 1e-10 at the least, so that it has a slope at 0; `abs`, which takes
    care of what would overflow, takes a CPU half as long again as the transform."""
    return jnp.sqrt(y.real**2 + y.imag**2 + 1e-20)


def db(x: Array) -> Array:
    """Powers in decibels, nothing below -100."""
    return 10 * jnp.log10(jnp.maximum(x, 1e-10))
