"""Phase retrieval: estimates of the phases of magnitude spectra.

D. Griffin, J. Lim: Signal estimation from modified short-time Fourier transform, 1984.
G. Beauregard, M. Harish, L. Wyse: Single pass spectrogram inversion, 2015. Conventions
as in `zoo.nn.audio.stft`; phases are in radians. Axes: s sample, f frame, bins
frequency bin.
"""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Float
from zoo.nn.audio.stft import STFT, match_rank

MIN_PEAK = 1e-6  # smaller magnitudes are no spectral peaks


def griffin_lim(
    stft: STFT,
    magnitudes: Float[Array, "*b f bins"],
    phases: Float[Array, "*b f bins"],
    *,
    length: int,
    steps: int = 60,
    momentum: float = 0.99,
) -> Float[Array, "*b s"]:
    """Synthesises audio of about the requested magnitudes by the Griffin-Lim algorithm.

    The accelerated variant of Perraudin, Balazs & Sondergaard 2013 (algorithm 2); with
    `momentum` 0 it is that of Griffin & Lim 1984, section III. Gradients pass through
    the magnitudes only, not through the phases.

    Args:
      stft: the transform.
      magnitudes: target magnitudes.
      phases: initial phases.
      length: samples of the audio.
      steps: iterations.
      momentum: weight of the last change.
    """
    phases = jax.lax.stop_gradient(phases).astype(jnp.complex64)
    initial = jnp.exp(1j * phases)
    target = jax.lax.stop_gradient(magnitudes).astype(jnp.complex64)

    def step(_: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
        units, previous = state
        spectrum = stft(stft.inverse(target * units, length))
        moved = spectrum + momentum * (spectrum - previous)
        size = jnp.maximum(jnp.abs(moved), 1e-12)
        return moved / size.astype(moved.dtype), spectrum

    state = initial, jnp.zeros_like(initial)
    units, _ = jax.lax.fori_loop(0, steps, step, state)
    return stft.inverse(magnitudes.astype(units.dtype) * units, length)


def sinusoidal_phases(
    stft: STFT, magnitudes: Float[Array, "*b f bins"]
) -> Float[Array, "*b f bins"]:
    """Estimates phases by treating every spectral peak as a stationary sinusoid.

    Single pass spectrogram inversion (Beauregard et al. 2015). A peak's frequency is
    that of the parabola through its log-magnitudes. Its phase advances by the mean
    frequency of two consecutive frames. All other bins take the phase of their nearest
    peak, with the alternating sign that a centred window implies.
    """
    count = magnitudes.shape[-1]
    bins = match_rank(jnp.arange(count), magnitudes)
    edges = [(0, 0)] * (magnitudes.ndim - 1) + [(1, 1)]
    padded = jnp.pad(magnitudes, edges, mode="edge")
    below, above = padded[..., :-2], padded[..., 2:]
    log_below, log_middle, log_above = (
        jnp.log(jnp.maximum(x, MIN_PEAK)) for x in (below, magnitudes, above)
    )
    is_peak = (magnitudes > below) & (magnitudes >= above) & (magnitudes > MIN_PEAK)
    curvature = jnp.minimum(log_below - 2 * log_middle + log_above, -MIN_PEAK)
    vertex = jnp.clip((log_below - log_above) / (2 * curvature), -0.5, 0.5)
    exact = bins.astype(vertex.dtype) + vertex

    axis = magnitudes.ndim - 1
    left = jax.lax.cummax(jnp.where(is_peak, bins, -count), axis=axis)
    right = jnp.where(is_peak, bins, 2 * count)
    right = jax.lax.cummin(right, axis=axis, reverse=True)
    nearest = jnp.where(bins - left <= right - bins, left, right)
    nearest = jnp.clip(nearest, 0, count - 1)
    frequency = jnp.take_along_axis(exact, nearest, axis=-1)  # in bins

    previous = jnp.concatenate([frequency[..., :1, :], frequency[..., :-1, :]], axis=-2)
    advance = (frequency + previous) / 2 * stft.hop / stft.size % 1
    cycles = jnp.cumsum(advance, axis=-2)
    return 2 * np.pi * cycles + np.pi * (bins % 2).astype(jnp.float32)
