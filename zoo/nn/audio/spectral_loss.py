"""Perceptual measures of audio: multi-resolution STFT loss, loudness, phase advance.

Conventions as in `zoo.nn.audio.stft`. Axes: s sample, f frame, bins frequency bin.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Float
from zoo.nn.audio.stft import STFT, decibels, magnitude, match_rank
from zoo.ranges import Samples

FFTSizes = tuple[Samples, ...]
FFT_SIZES = (2048, 1024, 512, 256, 128)
LOG_OFFSET = 10**-3.5  # added to magnitudes in logarithms; Yamamoto has 1e-7 of a power
EPS = 1e-8
NOISE_FLOOR = 1e-3  # 60 dB below full scale: quieter references count as noise of it
HANN_POWER = 3 / 8  # the mean square of a Hann window


def multi_resolution_stft_loss(
    x: Float[Array, "*b s"],
    y: Float[Array, "*b s"],
    fft_sizes: Sequence[int] = FFT_SIZES,
    *,
    log_offset: float = LOG_OFFSET,
) -> Float[Array, "*b"]:
    """Returns spectral convergence plus log-magnitude error, summed over resolutions.

    Arik et al. 2018; Yamamoto et al. 2020 (Parallel WaveGAN), eq. 6. Deviation: the
    norm that spectral convergence divides by is at least that of white noise of
    `NOISE_FLOOR`, so that silent references do not dominate.

    Args:
      x: reference audio.
      y: audio to compare with it.
      fft_sizes: samples of frames, each with a hop of a quarter of it.
      log_offset: added to magnitudes before logarithms. The magnitude of a full-scale
        sine is a quarter of the frame size.
    """
    total = jnp.zeros(x.shape[:-1], jnp.float32)
    for size in fft_sizes:
        stft = STFT(size, size // 4)
        reference, other = magnitude(stft(x)), magnitude(stft(y))
        error = ((reference - other) ** 2).mean(axis=(-2, -1))
        power = (reference**2).mean(axis=(-2, -1))
        min_power = NOISE_FLOOR**2 * size * HANN_POWER
        total += jnp.sqrt((error + EPS**2) / jnp.maximum(power, min_power))
        log_error = jnp.log(reference + log_offset) - jnp.log(other + log_offset)
        total += jnp.abs(log_error).mean(axis=(-2, -1))
    return total


def a_weighting(hz: np.ndarray) -> np.ndarray:
    """Returns the A-weighting in dB, 0 at 1,000 Hz (IEC 61672-1:2013, E.6)."""
    squared = np.asarray(hz, np.float64) ** 2
    poles = np.array([20.598997, 107.65265, 737.86223, 12194.217]) ** 2
    p1, p2, p3, p4 = poles
    numerator = p4 * squared**2
    root = np.sqrt((squared + p2) * (squared + p3))
    denominator = (squared + p1) * root * (squared + p4)
    return 2.0 + 20 * np.log10(np.maximum(numerator / denominator, 1e-15))


def loudness(x: Float[Array, "*b s"], rate: float, stft: STFT) -> Float[Array, "*b f"]:
    """Returns the A-weighted power of frames in dB.

    It is -3 dB for a sine of amplitude 1 at 1,000 Hz, whatever the frame size.

    Args:
      x: audio.
      rate: sampling rate in Hz.
      stft: the transform.
    """
    weights = 10 ** (a_weighting(stft.frequencies(rate)) / 10)
    # all bins but the first and the last stand for a negative frequency, too
    two_sided = np.r_[1, np.full(stft.size // 2 - 1, 2), 1]
    scale = two_sided * weights / (stft.size * HANN_POWER * stft.size)
    power = jnp.abs(stft(x)) ** 2
    weighted = power * match_rank(scale.astype(np.float32), power)
    return decibels(weighted.sum(axis=-1))


def instantaneous_frequency(
    phases: Float[Array, "*b f bins"],
) -> Float[Array, "*b f bins"]:
    """Returns the phase advance from frame to frame, in half turns in [-1, 1].

    Engel et al. 2019 (GANSynth). The first frame keeps its phase.

    Args:
      phases: in radians.
    """
    steps = jnp.diff(phases, axis=-2)
    advance = jnp.concatenate([phases[..., :1, :], steps], axis=-2) / jnp.pi
    return advance - 2 * jnp.round(advance / 2)


def integrated_phase(
    advance: Float[Array, "*b f bins"],
) -> Float[Array, "*b f bins"]:
    """Integrates phase advances in half turns to phases in radians, modulo 2 pi.

    It is the inverse of `instantaneous_frequency`.
    """
    return jnp.cumsum(advance, axis=-2) * jnp.pi
