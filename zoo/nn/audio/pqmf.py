"""A cosine-modulated filter bank that splits audio into bands and joins them again.

R. D. Koilpillai, P. P. Vaidyanathan: Cosine-modulated FIR filter banks satisfying
perfect reconstruction, 1992. A low-pass prototype filter is modulated to the centre of
every band. RAVE uses a pseudo-QMF bank, which reconstructs approximately; this one
reconstructs exactly, and its prototype has the least stopband energy of all that do.
Conventions as in `zoo.nn.audio.stft`. Axes: s sample, f frame of bands, k band.
"""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Float
from zoo.errors import UsageError
from zoo.nn.audio.stft import match_rank

INITIAL_CUTOFF = 0.535  # of the initial prototype, in widths of a band
KAISER_BETA = 10.06  # of its window: a stopband attenuation of 100 dB
PROGRAMME_STEPS = 12  # sequential quadratic programmes that design the prototype
NEWTON_STEPS = 4  # of the final correction to perfect reconstruction


@dataclasses.dataclass(frozen=True)
class PQMF:
    """A perfect-reconstruction bank of `bands` filters of equal bandwidth.

    Attributes:
      bands: number of bands, even; also samples per frame of bands.
      overlap: length of the filters, in units of 2 * `bands` samples. Leakage into all
        but the adjacent bands is -62 dB at 8 and -116 dB at 16.

    Raises:
      UsageError: an odd number of bands, or an overlap below 2.
    """

    bands: int = 16
    overlap: int = 16

    def __post_init__(self) -> None:
        if self.bands < 2 or self.bands % 2 or self.overlap < 2:
            raise UsageError(
                f"a filter bank cannot have {self.bands} bands and an overlap of "
                f"{self.overlap}: choose an even number of bands, and an overlap of 2 "
                "or more."
            )

    @property
    def extra_frames(self) -> int:
        """Frames of bands in excess of s / bands, half of them at each end."""
        return 2 * self.overlap - 1

    @functools.cached_property
    def filters(self) -> tuple[np.ndarray, np.ndarray]:
        """The polyphase prototype and the modulation, float32.

        Returns:
          The prototype by frames, with the signs of the modulation's period [2 overlap,
          bands], and the cosines of two frames [2 bands, bands].
        """
        m = self.bands
        h = prototype(m, self.overlap).reshape(self.overlap, 2, m)
        signs = (-1.0) ** np.arange(self.overlap)
        n, k = np.arange(2 * m)[:, None], np.arange(m)
        time = n - (2 * m * self.overlap - 1) / 2
        cosines = 2 * np.cos(
            (2 * k + 1) * np.pi / (2 * m) * time + (-1.0) ** k * np.pi / 4
        )
        h = (h * signs[:, None, None]).reshape(-1, m)
        return h.astype(np.float32), cosines.astype(np.float32)

    def __call__(self, x: Float[Array, "*b s"]) -> Float[Array, "*b f k"]:
        """Splits audio into bands: s / bands + `extra_frames` frames.

        In every other band the frequencies are reversed, the highest first.

        Raises:
          UsageError: the number of samples is no multiple of `bands`.
        """
        if x.shape[-1] % self.bands:
            raise UsageError(
                f"{x.shape[-1]} samples are not a multiple of the {self.bands} bands: "
                "pad the audio."
            )
        hops = x.reshape(*x.shape[:-1], -1, self.bands)
        padding = [(self.extra_frames, self.extra_frames), (0, 0)]
        return self.analyse(jnp.pad(hops, [(0, 0)] * (x.ndim - 1) + padding))

    def analyse(self, hops: Float[Array, "*b g k"]) -> Float[Array, "*b f k"]:
        """Splits audio into bands, without padding: the step of a stream.

        Args:
          hops: samples by frames of `bands`, beginning with the `extra_frames` frames
            before the first one to analyse.
        """
        h, cosines = self.filters
        count = hops.shape[-2] - self.extra_frames

        def filtered(i: int) -> Array:
            return hops[..., i : i + count, :] * match_rank(h[i], hops)

        even = sum(filtered(i) for i in range(0, len(h), 2))
        odd = sum(filtered(i) for i in range(1, len(h), 2))
        return jnp.concatenate([even, odd], axis=-1) @ cosines

    def inverse(self, y: Float[Array, "*b f k"]) -> Float[Array, "*b s"]:
        """Joins bands: the inverse of `__call__`."""
        hops = self.synthesise(y)
        return hops.reshape(*hops.shape[:-2], -1)

    def synthesise(self, y: Float[Array, "*b g k"]) -> Float[Array, "*b f k"]:
        """Joins bands: the step of a stream.

        Args:
          y: bands, beginning with the `extra_frames` frames before the latest ones.

        Returns:
          Samples by frames of `bands`, `extra_frames` fewer than `y`. They belong to
          the earliest frames of `y`, because a sample depends on later bands.
        """
        h, cosines = self.filters
        halves = jnp.split(y @ cosines.T, 2, axis=-1)
        count = y.shape[-2] - self.extra_frames

        def filtered(i: int) -> Array:
            start = self.extra_frames - i
            return halves[i % 2][..., start : start + count, :] * match_rank(h[i], y)

        hops = filtered(0)
        for i in range(1, len(h)):
            hops = hops + filtered(i)
        return hops


@functools.cache
def prototype(bands: int, overlap: int) -> Float[np.ndarray, " n"]:
    """Designs the prototype filter of a perfect-reconstruction bank.

    It minimises the energy beyond the width of a band, subject to perfect
    reconstruction, by sequential quadratic programming from a Kaiser-windowed sinc.

    Returns:
      A symmetric low-pass filter, float64, of 2 * bands * overlap taps.
    """
    size = bands * overlap
    n = np.arange(size) + 0.5
    frequency = np.linspace(1 / bands, 1, 4 * size)[:, None]
    waves = 2 * np.cos(np.pi * frequency * n)
    stopband = waves.T @ waves / len(waves) + 1e-9 * np.eye(size)
    window = np.kaiser(2 * size, KAISER_BETA)[size:]
    h = np.sinc(INITIAL_CUTOFF / bands * n) * window
    h /= 2 * np.linalg.norm(h)
    for _ in range(PROGRAMME_STEPS):
        error, jacobian = reconstruction_error(h, bands)
        zeros = np.zeros((len(error), len(error)))
        system = np.block([[stopband, jacobian.T], [jacobian, zeros]])
        residual = np.concatenate([stopband @ h, error])
        h = h + np.linalg.lstsq(system, -residual)[0][:size]
    for _ in range(NEWTON_STEPS):
        error, jacobian = reconstruction_error(h, bands)
        h = h - np.linalg.lstsq(jacobian, error)[0]
    return np.concatenate([h[::-1], h])


def reconstruction_error(h: np.ndarray, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the violation of perfect reconstruction, and its Jacobian.

    The conditions are those of Koilpillai & Vaidyanathan 1992, theorem 1: the polyphase
    components of the prototype are power complementary in pairs.

    Args:
      h: the second half of a symmetric prototype.
      bands: number of bands.
    """
    phases = np.concatenate([h[::-1], h]).reshape(-1, 2, bands)[:, :, : bands // 2]
    overlap, pair = len(phases), np.arange(bands // 2)
    errors, jacobians = [], []
    for lag in range(overlap):
        late, early = phases[lag:], phases[: overlap - lag]
        correlation = (late * early).sum(axis=(0, 1))
        errors.append(correlation - (lag == 0) / (2 * bands))
        gradient = np.zeros((bands // 2, overlap, 2, bands))
        gradient[pair, : overlap - lag, :, pair] += late.transpose(2, 0, 1)
        gradient[pair, lag:, :, pair] += early.transpose(2, 0, 1)
        flat = gradient.reshape(bands // 2, -1)
        jacobians.append(flat[:, len(h) :] + flat[:, : len(h)][:, ::-1])
    return np.concatenate(errors), np.concatenate(jacobians)
