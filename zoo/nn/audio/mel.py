"""Mel spectra and their inverse (Davis & Mermelstein 1980; Griffin & Lim 1984).

Conventions as in `zoo.nn.audio.stft`; spectra are magnitudes. Axes: s sample, f frame,
bins frequency bin, m mel band.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Float, Key
from zoo.errors import UsageError
from zoo.nn.audio.phase_retrieval import griffin_lim
from zoo.nn.audio.stft import STFT, magnitude

MIN_MEL = 1e-5  # the smallest mel magnitude that logarithms are taken of
SLANEY_LOG_STEP = 27 / np.log(
    6.4
)  # mels per factor of e above 1,000 Hz, Slaney's scale


def hz_to_mel(hz: np.ndarray, htk: bool = False) -> np.ndarray:
    """Converts Hz to mels.

    Args:
      hz: frequencies.
      htk: whether to use HTK's scale, which is logarithmic throughout, instead of that
        of Slaney's Auditory Toolbox (1998), which is linear up to 1,000 Hz.
    """
    hz = np.asarray(hz, np.float64)
    if htk:
        return 2595 * np.log10(1 + hz / 700)
    logarithmic = 15 + SLANEY_LOG_STEP * np.log(np.maximum(hz, 1e-9) / 1000)
    return np.where(hz < 1000, hz * 3 / 200, logarithmic)


def mel_to_hz(mel: np.ndarray, htk: bool = False) -> np.ndarray:
    """Converts mels to Hz: the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if htk:
        return 700 * (10 ** (mel / 2595) - 1)
    exponential = 1000 * np.exp((mel - 15) / SLANEY_LOG_STEP)
    return np.where(mel < 15, mel * 200 / 3, exponential)


@dataclasses.dataclass(frozen=True)
class Mel:
    """A mel spectrogram: triangular filters on the magnitudes of an STFT.

    The centres of the filters are equidistant in mels. Filters have equal area with
    Slaney's scale and equal height with HTK's.

    Attributes:
      rate: sampling rate in Hz.
      bands: number of mel bands.
      low: lower edge of the lowest band in Hz.
      high: upper edge of the highest band in Hz; None for half the sampling rate.
      htk: whether to use HTK's mel scale instead of Slaney's.
      stft: the transform.

    Raises:
      UsageError: the limits are out of range, or a band contains no frequency bin.
    """

    rate: int = 16_000
    bands: int = 80
    low: float = 0.0
    _: dataclasses.KW_ONLY
    high: float | None = None
    htk: bool = False
    stft: STFT = STFT()

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.top <= self.rate / 2 or self.bands < 1:
            raise UsageError(
                f"a mel spectrogram at {self.rate} Hz cannot have {self.bands} bands "
                f"from {self.low:g} to {self.top:g} Hz: choose 1 band or more, and "
                "limits from 0 to half the sampling rate."
            )
        if empty := int((self.filters.sum(axis=0) == 0).sum()):
            raise UsageError(
                f"{empty} of {self.bands} mel bands contain no frequency bin of frames "
                f"of {self.stft.size} samples: choose fewer bands, or longer frames."
            )

    @property
    def top(self) -> float:
        """The upper edge of the highest band in Hz."""
        return self.rate / 2 if self.high is None else self.high

    @functools.cached_property
    def filters(self) -> Float[np.ndarray, "bins m"]:
        """The weights of frequency bins in mel bands, float32."""
        low, high = hz_to_mel(np.array([self.low, self.top]), self.htk)
        edges = mel_to_hz(np.linspace(low, high, self.bands + 2), self.htk)
        hz = self.stft.frequencies(self.rate)[:, None]
        rising = (hz - edges[:-2]) / np.diff(edges)[:-1]
        falling = (edges[2:] - hz) / np.diff(edges)[1:]
        filters = np.maximum(0, np.minimum(rising, falling))
        if not self.htk:
            filters *= 2 / (edges[2:] - edges[:-2])
        return filters.astype(np.float32)

    def __call__(self, x: Float[Array, "*b s"]) -> Float[Array, "*b f m"]:
        """Returns the mel spectrum of audio."""
        return magnitude(self.stft(x)) @ self.filters

    def log(self, x: Float[Array, "*b s"]) -> Float[Array, "*b f m"]:
        """Returns the natural logarithm of the mel spectrum, at least log `MIN_MEL`."""
        return jnp.log(jnp.maximum(self(x), MIN_MEL))

    def magnitudes(
        self, mel: Float[Array, "*b f m"], steps: int = 100
    ) -> Float[Array, "*b f bins"]:
        """Estimates the magnitudes of a mel spectrum.

        Solves the non-negative least squares problem by Nesterov's accelerated gradient
        descent, from the minimum-norm solution.

        Args:
          mel: mel spectrum.
          steps: of gradient descent.
        """
        filters = jnp.asarray(self.filters)
        step_size = 1 / np.linalg.norm(self.filters, 2) ** 2
        pseudo_inverse = np.linalg.pinv(self.filters).astype(np.float32)
        initial = jnp.maximum(mel @ pseudo_inverse, 0)

        def step(i, state):
            x, lookahead = state
            gradient = (lookahead @ filters - mel) @ filters.T
            new = jnp.maximum(lookahead - step_size * gradient, 0)
            return new, new + i / (i + 3) * (new - x)

        return jax.lax.fori_loop(0, steps, step, (initial, initial))[0]

    def inverse(
        self, mel: Float[Array, "*b f m"], length: int, rng: Key, steps: int = 60
    ) -> Float[Array, "*b s"]:
        """Synthesises audio by the Griffin-Lim algorithm, from random phases.

        Args:
          mel: mel spectrum.
          length: samples of the audio.
          rng: key of the initial phases.
          steps: iterations of Griffin-Lim.
        """
        magnitudes = self.magnitudes(mel)
        phases = jax.random.uniform(
            rng, magnitudes.shape, maxval=2 * np.pi, dtype=jnp.float32
        )
        return griffin_lim(self.stft, magnitudes, phases, length=length, steps=steps)
