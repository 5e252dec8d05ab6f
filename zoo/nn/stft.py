"""The short-time Fourier transform, and the way back (Allen & Rabiner 1977; Griffin & Lim 1984).

Conventions of every file of signals: a signal is real, its samples are the last axis, and
whatever stands before that is a batch; frames come before what is in a frame. Sizes and hops are in
samples, frequencies in Hz, rates in samples per second. Frame f of a transform is centred on sample
f * hop, and what lies beyond the ends is silence. Axes: s sample, f frame, n sample of a frame, k
frequency.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.errors import UsageError

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
    return jnp.concatenate([hops[..., i : i + count, :] for i in range(parts)], axis=-1)[..., :size]


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
        x = frames(x, self.size, self.hop)
        return jnp.fft.rfft(x * like(hann(self.size), x))

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
