"""Differentiable synthesis by sinusoids and filtered noise.

X. Serra, J. O. Smith: Spectral modeling synthesis, 1990. J. Engel et al.: DDSP,
arXiv:2001.04643. Conventions as in `zoo.nn.audio.stft`. Controls are per frame, `hop`
samples apart; frame i is at sample i * hop. Axes: s sample, f frame, h harmonic, bins
frequency bin, c control.
"""

import functools

import jax
import jax.numpy as jnp
from scipy.fft import next_fast_len

from zoo.core import Array, Float, Key
from zoo.nn.audio.stft import hann, match_rank, overlap_add


def interpolate_linear(x: Float[Array, "*b f c"], hop: int) -> Float[Array, "*b s c"]:
    """Upsamples controls by `hop` along straight lines; repeats the last frame."""
    following = jnp.concatenate([x[..., 1:, :], x[..., -1:, :]], axis=-2)
    x, following = x[..., :, None, :], following[..., :, None, :]
    fraction = jnp.arange(hop, dtype=x.dtype)[:, None] / hop
    lines = x + match_rank(fraction, x) * (following - x)
    return lines.reshape(*x.shape[:-3], -1, x.shape[-1])


def interpolate_hann(x: Float[Array, "*b f c"], hop: int) -> Float[Array, "*b s c"]:
    """Upsamples controls by `hop` with overlapping Hann windows (DDSP, appendix B)."""
    x = jnp.concatenate([x, x[..., -1:, :]], axis=-2)
    windows = x.swapaxes(-1, -2)[..., None] * match_rank(hann(2 * hop), x[..., None])
    return overlap_add(windows, hop)[..., hop:-hop].swapaxes(-1, -2)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def oscillator_phase(hz: Float[Array, "*b s"], rate: float) -> Float[Array, "*b s"]:
    """Integrates frequencies into the phase of an oscillator, in cycles from 0 to 1.

    Phases are summed as integers modulo 2^32, so that rounding errors do not grow.

    Args:
      hz: frequencies at every sample, at least 0.
      rate: sampling rate in Hz.
    """
    step = (hz / rate * 2.0**32).astype(jnp.uint32)
    return (jnp.cumsum(step, axis=-1) - step).astype(hz.dtype) * 2.0**-32


@oscillator_phase.defjvp
def _oscillator_phase_jvp(rate, primals, tangents):
    step = tangents[0] / rate
    return oscillator_phase(*primals, rate), jnp.cumsum(step, axis=-1) - step


def oscillator_bank(
    hz: Float[Array, "*b s"], amplitudes: Float[Array, "*b s h"], rate: float
) -> Float[Array, "*b s"]:
    """Adds sinusoids at the multiples of a fundamental frequency (DDSP, eq. 3).

    Harmonics at or above half the sampling rate are silent, to avoid aliasing.

    Args:
      hz: the fundamental frequency at every sample.
      amplitudes: of each harmonic at every sample.
      rate: sampling rate in Hz.
    """
    number = match_rank(jnp.arange(1.0, amplitudes.shape[-1] + 1), amplitudes)
    below_nyquist = hz[..., None] * number < rate / 2
    cycles = oscillator_phase(hz, rate)[..., None] * number
    sines = jnp.sin(2 * jnp.pi * (cycles - jnp.floor(cycles)))
    return (jnp.where(below_nyquist, amplitudes, 0) * sines).sum(axis=-1)


def filtered_noise(
    magnitudes: Float[Array, "*b f bins"], hop: int, rng: Key
) -> Float[Array, "*b s"]:
    """Filters white noise by a linear-phase filter per frame (DDSP, section 3).

    Filters have 2 (bins - 1) taps under a Hann window. Each is applied to `hop` samples
    of uniform noise in [-1, 1], and the results are overlap-added.

    Args:
      magnitudes: the frequency response of each frame.
      hop: samples per frame.
      rng: key of the noise.
    """
    size = 2 * (magnitudes.shape[-1] - 1)
    impulse = jnp.roll(jnp.fft.irfft(magnitudes), size // 2, axis=-1)
    impulse = impulse * match_rank(hann(size), impulse)
    count = magnitudes.shape[-2]
    shape = (*magnitudes.shape[:-1], hop)
    white = jax.random.uniform(rng, shape, magnitudes.dtype, -1.0, 1.0)
    audio = overlap_add(fft_convolve(white, impulse), hop)
    return audio[..., size // 2 : size // 2 + count * hop]


def fft_convolve(
    x: Float[Array, "*b s"], y: Float[Array, "*c n"]
) -> Float[Array, "*d m"]:
    """Returns the full convolution, s + n - 1 samples, by FFT; batch axes broadcast."""
    length = x.shape[-1] + y.shape[-1] - 1
    size = next_fast_len(length, real=True)
    product = jnp.fft.rfft(x, size) * jnp.fft.rfft(y, size)
    return jnp.fft.irfft(product, size)[..., :length]


def reverb(
    dry: Float[Array, "*b s"], impulse: Float[Array, " n"]
) -> Float[Array, "*b s"]:
    """Adds the reverberation of a room to audio (DDSP, section 3).

    Args:
      dry: audio.
      impulse: impulse response of the room. Its first sample is ignored, because the
        dry signal takes its place.
    """
    wet = fft_convolve(dry, match_rank(jnp.pad(impulse[1:], (1, 0)), dry))
    return dry + wet[..., : dry.shape[-1]]
