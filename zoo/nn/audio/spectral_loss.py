"""How far sounds are apart to the ear: over spectra of several resolutions, and in loudness.

Conventions as in `stft.py`. Axes: s sample, f frame, k frequency.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.nn.audio.mel import Mel
from zoo.nn.audio.stft import STFT, db, like, magnitude

SIZES = (2048, 1024, 512, 256, 128)
LEAST = (
    10**-3.5
)  # added before a logarithm is taken; 1e-7 of a power is what Yamamoto has
FAINT = 1e-8  # a power that is as good as none
HUSH = 1e-3  # the level of noise below which a sound counts as no softer: 60 dB below full scale


def distance(
    x: Array, y: Array, sizes: Sequence[int] = SIZES, least: float = LEAST
) -> Array:
    """How far signals y [.., s] are from x [.., s], [..]: over sizes of frames, a quarter of one
    apart, the sum of the norm of the error of magnitudes, relative to x's, and of the mean absolute
    error of their logarithms, `least` added to them (Arik et al. 2018; Yamamoto et al. 2020, eq.
    6). Of a full sine they are a quarter of a frame's size."""
    total = jnp.zeros(x.shape[:-1])
    for size in sizes:
        stft = STFT(size, size // 4)
        one, other = magnitude(stft(x)), magnitude(stft(y))
        square = lambda z: (z**2).mean(axis=(-2, -1))
        hush = HUSH**2 * size * 3 / 8  # what a Hann window makes of such noise
        total += jnp.sqrt(
            (square(one - other) + FAINT**2) / jnp.maximum(square(one), hush)
        )
        total += jnp.abs(jnp.log(one + least) - jnp.log(other + least)).mean(
            axis=(-2, -1)
        )
    return total


def apart(
    x: Array, y: Array, mel: Mel, sizes: Sequence[int] = SIZES, least: float = LEAST
) -> dict[str, Array]:
    """How far signals y are from x [b, s], [b] each: by that distance, by the error of the wave,
    its root mean square relative to x's, and by the mean absolute one of the log-mel spectrum."""
    power = lambda z: (z**2).mean(axis=1)
    return {
        "distance": distance(x, y, sizes, least),
        "wave": jnp.sqrt(power(x - y) / (power(x) + FAINT) + FAINT),
        "envelope": jnp.abs(mel.log(x) - mel.log(y)).mean(axis=(1, 2)),
    }


def a_weighting(hz: np.ndarray) -> np.ndarray:
    """What the ear makes of frequencies, in decibels, 0 at 1,000 Hz (IEC 61672-1:2013, E.6)."""
    squared = np.asarray(hz, np.float64) ** 2
    poles = np.array([20.598997, 107.65265, 737.86223, 12194.217]) ** 2
    low, one, two, high = poles
    top = high * squared**2
    bottom = (
        (squared + low) * np.sqrt((squared + one) * (squared + two)) * (squared + high)
    )
    return 2.0 + 20 * np.log10(np.maximum(top / bottom, 1e-15))


def loudness(x: Array, rate: float, stft: STFT) -> Array:
    """Of signals [.., s], in decibels [.., f], A-weighted: that of a sine of amplitude 1 at 1,000
    Hz is -3."""
    weights = 10 ** (a_weighting(stft.frequencies(rate)) / 10)
    both = np.r_[1, np.full(stft.size // 2 - 1, 2), 1]  # of a real signal's two halves
    scale = (
        both * weights / (stft.size * (3 / 8) * stft.size)
    )  # 3/8 is a Hann window's power
    power = jnp.abs(stft(x)) ** 2
    return db((power * like(scale.astype(np.float32), power)).sum(axis=-1))


def turning(phases: Array) -> Array:
    """Instantaneous frequency of phases [.., f, k] in half turns a frame, from -1 to 1: what they
    go on by, of all ways round the shortest (Engel et al. 2019, GANSynth). The first is itself."""
    by = (
        jnp.concatenate([phases[..., :1, :], jnp.diff(phases, axis=-2)], axis=-2)
        / jnp.pi
    )
    return by - 2 * jnp.round(by / 2)


def turned(by: Array) -> Array:
    """The phases [.., f, k] that go on so, in radians: the inverse of `turning`, but for turns."""
    return jnp.cumsum(by, axis=-2) * jnp.pi
