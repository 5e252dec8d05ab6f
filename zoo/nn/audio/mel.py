"""Mel spectra and the way back from them (Davis & Mermelstein 1980; Griffin & Lim 1984).

Conventions as in `stft.py`; spectra are magnitudes. Axes: s sample, f frame, k frequency, m mel
band.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Key
from zoo.errors import UsageError
from zoo.nn.audio.phase_retrieval import griffin_lim
from zoo.nn.audio.stft import STFT, magnitude

FLOOR = 1e-5  # of what logarithms are taken of
STEP = 27 / np.log(6.4)  # of Slaney's scale: mels above 1,000 Hz for a ratio of e


def mels(hz: np.ndarray, htk: bool = False) -> np.ndarray:
    """Of frequencies: Slaney's (1998) Auditory Toolbox, straight to 1,000 Hz and from there on a
    logarithm, or HTK's, one logarithm."""
    hz = np.asarray(hz, np.float64)
    if htk:
        return 2595 * np.log10(1 + hz / 700)
    return np.where(
        hz < 1000, hz * 3 / 200, 15 + STEP * np.log(np.maximum(hz, 1e-9) / 1000)
    )


def hertz(mel: np.ndarray, htk: bool = False) -> np.ndarray:
    """The inverse of `mels`."""
    mel = np.asarray(mel, np.float64)
    if htk:
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) / STEP))


@dataclasses.dataclass(frozen=True)
class Mel:
    """`bands` triangles from `low` to `high` Hz, even in mels, each of the same area (Slaney) or,
    of HTK's scale, of the same height, over a transform of signals at `rate`.

    Raises:
      UsageError: limits that are none, or so many bands that one of them has no frequency.
    """

    rate: int = 16_000
    bands: int = 80
    low: float = 0.0
    high: float | None = None
    htk: bool = False
    stft: STFT = STFT()

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.top <= self.rate / 2 or self.bands < 1:
            raise UsageError(
                f"{self.bands} mel bands from {self.low:g} to {self.top:g} Hz are asked for at "
                f"{self.rate} Hz: choose 1 or more, and limits from 0 to half of that."
            )
        if empty := int((self.filters.sum(axis=0) == 0).sum()):
            raise UsageError(
                f"{empty} of {self.bands} mel bands lie between the frequencies of frames of "
                f"{self.stft.size} samples: choose fewer bands, or longer frames."
            )

    @property
    def top(self) -> float:
        return self.rate / 2 if self.high is None else self.high

    @functools.cached_property
    def filters(self) -> np.ndarray:
        """What each band has of each frequency, float32 [k, m]."""
        low, high = mels(np.array([self.low, self.top]), self.htk)
        edges = hertz(np.linspace(low, high, self.bands + 2), self.htk)
        hz = self.stft.frequencies(self.rate)[:, None]
        up = (hz - edges[:-2]) / np.diff(edges)[:-1]
        down = (edges[2:] - hz) / np.diff(edges)[1:]
        filters = np.maximum(0, np.minimum(up, down))
        if not self.htk:
            filters *= 2 / (edges[2:] - edges[:-2])
        return filters.astype(np.float32)

    def __call__(self, x: Array) -> Array:
        """Signals [.., s] -> mel spectra [.., f, m]."""
        return magnitude(self.stft(x)) @ self.filters

    def log(self, x: Array) -> Array:
        """The same, their natural logarithms, nothing below `FLOOR`."""
        return jnp.log(jnp.maximum(self(x), FLOOR))

    def spectrum(self, mel: Array, steps: int = 100) -> Array:
        """Magnitudes [.., f, k] >= 0 whose mel spectra are nearest to [.., f, m], in squares: by
        Nesterov's descent from the least one, its negative parts left out."""
        filters = jnp.asarray(self.filters)
        rate = 1 / np.linalg.norm(self.filters, 2) ** 2
        first = jnp.maximum(mel @ np.linalg.pinv(self.filters).astype(np.float32), 0)

        def step(i, both):
            x, ahead = both
            down = ahead - rate * ((ahead @ filters - mel) @ filters.T)
            new = jnp.maximum(down, 0)
            return new, new + i / (i + 3) * (new - x)

        return jax.lax.fori_loop(0, steps, step, (first, first))[0]

    def inverse(self, mel: Array, length: int, rng: Key, steps: int = 60) -> Array:
        """Signals [.., length] of about these mel spectra [.., f, m], from random phases."""
        spectrum = self.spectrum(mel)
        phases = jax.random.uniform(rng, spectrum.shape, maxval=2 * np.pi)
        return griffin_lim(self.stft, spectrum, length, phases, steps)
