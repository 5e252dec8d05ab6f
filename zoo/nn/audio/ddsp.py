"""Sound made of partials and of noise (Serra & Smith 1990; Engel et al. 2020, DDSP).

Conventions as in `stft.py`. Controls are at the rate of frames, `hop` samples apart, frame i at
sample i * hop. Axes: s sample, f frame, h partial, k frequency, c control.
"""

import functools

import jax
import jax.numpy as jnp
from scipy.fft import next_fast_len

from zoo.core import Array, Key
from zoo.nn.audio.stft import hann, like, overlap_add


def held(x: Array, hop: int) -> Array:
    """Controls [.., f, c] at every sample, [.., f hop, c], on straight lines from frame to frame;
    the last one holds."""
    later = jnp.concatenate([x[..., 1:, :], x[..., -1:, :]], axis=-2)
    share = jnp.arange(hop, dtype=x.dtype)[:, None] / hop
    each = lambda y: y[..., :, None, :]
    lines = each(x) + like(share, each(x)) * each(later - x)
    return lines.reshape(*x.shape[:-2], -1, x.shape[-1])


def smooth(x: Array, hop: int) -> Array:
    """The same by overlapping Hann windows, without corners (DDSP, appendix B)."""
    x = jnp.concatenate([x, x[..., -1:, :]], axis=-2)
    windows = x.swapaxes(-1, -2)[..., None] * like(hann(2 * hop), x[..., None])
    return overlap_add(windows, hop)[..., hop:-hop].swapaxes(-1, -2)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def cycles(hz: Array, rate: float) -> Array:
    """The phase of an oscillator at frequencies [.., s] >= 0, in cycles from 0 to 1: the sum of all
    before. Counted in whole parts of 2^32, it is as exact after hours as at first."""
    step = (hz / rate * 2.0**32).astype(jnp.uint32)
    return (jnp.cumsum(step, axis=-1) - step).astype(hz.dtype) * 2.0**-32


@cycles.defjvp
def _cycles(rate, primals, tangents):
    step = tangents[0] / rate
    return cycles(*primals, rate), jnp.cumsum(step, axis=-1) - step


def harmonic(hz: Array, amplitudes: Array, rate: float) -> Array:
    """A sum of sines at the multiples of a fundamental [.., s], by amplitudes [.., s, h]: [.., s].

    Partials at half the rate or above are silent, as they would be heard as others (DDSP, eq. 3).
    """
    number = like(jnp.arange(1.0, amplitudes.shape[-1] + 1), amplitudes)
    there = hz[..., None] * number < rate / 2
    turns = cycles(hz, rate)[..., None] * number
    sines = jnp.sin(2 * jnp.pi * (turns - jnp.floor(turns)))
    return (jnp.where(there, amplitudes, 0) * sines).sum(axis=-1)


def noise(magnitudes: Array, hop: int, rng: Key) -> Array:
    """White noise in [-1, 1] through filters of linear phase with magnitudes [.., f, k], each for a
    hop and smoothly into the next (DDSP, section 3): [.., f hop].

    The filters have 2 (k - 1) samples under a Hann window.
    """
    size = 2 * (magnitudes.shape[-1] - 1)
    impulse = jnp.roll(jnp.fft.irfft(magnitudes), size // 2, axis=-1)
    impulse = impulse * like(hann(size), impulse)
    count = magnitudes.shape[-2]
    shape = (*magnitudes.shape[:-1], hop)
    white = jax.random.uniform(rng, shape, magnitudes.dtype, -1.0, 1.0)
    heard = convolve(white, impulse)
    whole = overlap_add(heard, hop)
    return whole[..., size // 2 : size // 2 + count * hop]


def convolve(x: Array, y: Array) -> Array:
    """The whole convolution of signals [.., s] and [.., n]: [.., s + n - 1]."""
    length = x.shape[-1] + y.shape[-1] - 1
    size = next_fast_len(length, real=True)
    return jnp.fft.irfft(jnp.fft.rfft(x, size) * jnp.fft.rfft(y, size), size)[
        ..., :length
    ]


def reverberated(dry: Array, impulse: Array) -> Array:
    """Signals [.., s], and after them what a room [n] answers, cut to [.., s]: the impulse's first
    sample is left out, as the signal itself is that."""
    room = jnp.pad(impulse[1:], (1, 0))
    return dry + convolve(dry, like(room, dry))[..., : dry.shape[-1]]
