"""Phases for magnitudes that have none (Griffin & Lim 1984; Beauregard, Harish & Wyse 2015).

Conventions as in `stft.py`; phases are in radians. Axes: s sample, f frame, k frequency.
"""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.nn.audio.stft import STFT, like

FAINT = 1e-6  # a magnitude that is no peak


def griffin_lim(
    stft: STFT,
    spectrum: Array,
    length: int,
    phases: Array,
    steps: int = 60,
    momentum: float = 0.99,
) -> Array:
    """Signals [.., length] of about these magnitudes [.., f, k], from phases [.., f, k] and on.

    Griffin & Lim 1984, section III, in the fast variant of Perraudin, Balazs & Sondergaard 2013
    (algorithm 2); without momentum, as it was. Slopes are those of the magnitudes alone.
    """
    unit = lambda y: y / jnp.maximum(jnp.abs(y), 1e-12)
    start = jnp.exp(1j * jax.lax.stop_gradient(phases))
    fixed = jax.lax.stop_gradient(spectrum)

    def step(_: int, both: tuple[Array, Array]) -> tuple[Array, Array]:
        angles, last = both
        back = stft(stft.inverse(fixed * angles, length))
        return unit(back + momentum * (back - last)), back

    angles, _ = jax.lax.fori_loop(0, steps, step, (start, jnp.zeros_like(start)))
    return stft.inverse(spectrum * angles, length)


def coherent(stft: STFT, spectrum: Array) -> Array:
    """Phases [.., f, k] for magnitudes [.., f, k]: of each peak those of a sine that goes on, and
    of all frequencies those of the peak next to them, as a window makes them.

    Beauregard et al. 2015, Single pass spectrogram inversion; a peak's frequency is that of the
    parabola through its logarithms, and it turns by the mean of two frames' between them.
    """
    count = spectrum.shape[-1]
    k = like(jnp.arange(count), spectrum)
    edges = jnp.pad(spectrum, [(0, 0)] * (spectrum.ndim - 1) + [(1, 1)], mode="edge")
    below, above = edges[..., :-2], edges[..., 2:]
    one, two, three = (jnp.log(jnp.maximum(x, FAINT)) for x in (below, spectrum, above))
    peak = (spectrum > below) & (spectrum >= above) & (spectrum > FAINT)
    bend = jnp.minimum(one - 2 * two + three, -FAINT)
    exact = k + jnp.clip((one - three) / (2 * bend), -0.5, 0.5)
    axis = spectrum.ndim - 1
    left = jax.lax.cummax(jnp.where(peak, k, -count), axis=axis)
    right = jax.lax.cummin(jnp.where(peak, k, 2 * count), axis=axis, reverse=True)
    near = jnp.where(k - left <= right - k, left, right)
    bins = jnp.take_along_axis(exact, jnp.clip(near, 0, count - 1), axis=-1)
    before = jnp.concatenate([bins[..., :1, :], bins[..., :-1, :]], axis=-2)
    turns = jnp.cumsum((bins + before) / 2 * stft.hop / stft.size % 1, axis=-2)
    return 2 * np.pi * turns + np.pi * (k % 2)  # about a frame's middle
