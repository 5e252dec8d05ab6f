"""A bank of filters that takes a signal apart into bands, and puts it together again.

The modulated lapped bank of Koilpillai & Vaidyanathan 1992 (Cosine-modulated FIR filter banks
satisfying perfect reconstruction): one low-pass filter, moved to the middle of every band by a
cosine. As RAVE has it, that is nearly right ("pseudo-QMF"); here it is exact, and chosen among all
that are to let the least through beyond its band.
Conventions as in `stft.py`. Axes: s sample, f frame, n sample of a filter, l part of one, b band.
"""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.errors import UsageError
from zoo.nn.audio.stft import like

CUTOFF = 0.535  # of the first filter, in widths of a band
BETA = 10.06  # of its window: 100 dB
STEPS, LAST = 12, 4


@dataclasses.dataclass(frozen=True)
class PQMF:
    """`bands` of equal width, by filters of 2 `bands` `overlap` samples: the longer, the less of a
    band is in the next but one: 62 dB below at 8, 116 dB at 16.

    Raises:
      UsageError: an odd number of bands, or an overlap below 2.
    """

    bands: int = 16
    overlap: int = 16

    def __post_init__(self) -> None:
        if self.bands < 2 or self.bands % 2 or self.overlap < 2:
            raise UsageError(
                f"{self.bands} bands of overlap {self.overlap} are asked for: choose an even "
                "number, and an overlap of 2 or more."
            )

    @property
    def beyond(self) -> int:
        """Frames by which a signal's bands are more than its samples a band, half at each end."""
        return 2 * self.overlap - 1

    @functools.cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """The low-pass filter by frames [2 l, b], the signs of cosines in it, and the cosines of
        two frames [2 b, b]."""
        m = self.bands
        h = prototype(m, self.overlap).reshape(self.overlap, 2, m)
        signs = (-1.0) ** np.arange(self.overlap)
        n, k = np.arange(2 * m)[:, None], np.arange(m)
        middle = n - (2 * m * self.overlap - 1) / 2
        cosines = 2 * np.cos(
            (2 * k + 1) * np.pi / (2 * m) * middle + (-1.0) ** k * np.pi / 4
        )
        h = (h * signs[:, None, None]).reshape(-1, m)
        return h.astype(np.float32), cosines.astype(np.float32)

    def __call__(self, x: Array) -> Array:
        """Signals [.., s] of whole frames -> bands [.., s / b + beyond, b]. Every other band is
        upside down: its highest frequency comes first.

        Raises:
          UsageError: samples that make up no whole frames.
        """
        if x.shape[-1] % self.bands:
            raise UsageError(
                f"{x.shape[-1]} samples are no whole frames of {self.bands}: add silence."
            )
        hops = x.reshape(*x.shape[:-1], -1, self.bands)
        around = [(0, 0)] * (x.ndim - 1) + [(self.beyond, self.beyond), (0, 0)]
        return self.apart(jnp.pad(hops, around))

    def apart(self, hops: Array) -> Array:
        """Samples by frames [.., f + beyond, b], those before among them -> bands [.., f, b]."""
        h, cosines = self.parts
        count = hops.shape[-2] - self.beyond
        part = lambda i: hops[..., i : i + count, :] * like(h[i], hops)
        halves = [sum(part(i) for i in range(half, len(h), 2)) for half in (0, 1)]
        return jnp.concatenate(halves, axis=-1) @ cosines

    def inverse(self, y: Array) -> Array:
        """The signals [.., s] that bands are of."""
        hops = self.together(y)
        return hops.reshape(*hops.shape[:-2], -1)

    def together(self, y: Array) -> Array:
        """Bands [.., f + beyond, b] -> samples by frames [.., f, b], those of the first f frames:
        they are known as late as that."""
        h, cosines = self.parts
        halves = jnp.split(y @ cosines.T, 2, axis=-1)
        last = y.shape[-2] - self.beyond
        start = lambda i: self.beyond - i
        part = lambda i: (
            halves[i % 2][..., start(i) : start(i) + last, :] * like(h[i], y)
        )
        return sum(part(i) for i in range(len(h)))


@functools.cache
def prototype(bands: int, overlap: int) -> np.ndarray:
    """The low-pass filter float64 [2 b l], symmetric, of a bank that is its own inverse, with the
    least energy beyond a band's width: by quadratic programmes, each of what is wrong with the
    filter before, from a sinc under a Kaiser window."""
    size = bands * overlap
    n = np.arange(size) + 0.5
    hz = np.linspace(1 / bands, 1, 4 * size)[:, None]
    waves = 2 * np.cos(np.pi * hz * n)
    beyond = waves.T @ waves / len(waves) + 1e-9 * np.eye(size)
    h = np.sinc(CUTOFF / bands * n) * np.kaiser(2 * size, BETA)[size:]
    h /= 2 * np.linalg.norm(h)
    for _ in range(STEPS):
        wrong, slope = amiss(h, bands)
        system = np.block(
            [[beyond, slope.T], [slope, np.zeros((len(wrong), len(wrong)))]]
        )
        step = np.linalg.lstsq(system, -np.concatenate([beyond @ h, wrong]))[0][:size]
        h = h + step
    for _ in range(LAST):  # as near as rounding lets it, and that is the shortest way
        wrong, slope = amiss(h, bands)
        h = h - np.linalg.lstsq(slope, wrong)[0]
    return np.concatenate([h[::-1], h])


def amiss(h: np.ndarray, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """By how much the bank of a filter, of which `h` is the later half, is not its own inverse
    (Koilpillai & Vaidyanathan 1992, theorem 1), and the slope of that in `h`."""
    phases = np.concatenate([h[::-1], h]).reshape(-1, 2, bands)[:, :, : bands // 2]
    overlap, of = len(phases), np.arange(bands // 2)
    wrong, slope = [], []
    for lag in range(overlap):
        later, sooner = phases[lag:], phases[: overlap - lag]
        wrong.append((later * sooner).sum(axis=(0, 1)) - (lag == 0) / (2 * bands))
        down = np.zeros((bands // 2, overlap, 2, bands))
        down[of, : overlap - lag, :, of] += later.transpose(2, 0, 1)
        down[of, lag:, :, of] += sooner.transpose(2, 0, 1)
        whole = down.reshape(bands // 2, -1)
        slope.append(whole[:, len(h) :] + whole[:, : len(h)][:, ::-1])
    return np.concatenate(wrong), np.concatenate(slope)
