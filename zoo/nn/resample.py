"""Another rate, by a windowed sinc (Smith 2002, Digital audio resampling).

Conventions as in `stft.py`.
"""

import dataclasses
import functools
import math

import jax.numpy as jnp
import numpy as np

from zoo.core import Array
from zoo.errors import UsageError
from zoo.nn.stft import frames, last


@dataclasses.dataclass(frozen=True)
class Resample:
    """From rate `old` to `new`, as if everything up to `rolloff` of the lower one's half were kept
    by a sinc of `zeros` crossings to a side, under a Kaiser window.

    Raises:
      UsageError: a rate, or a number of crossings, below 1.
    """

    old: int
    new: int
    zeros: int = 64
    rolloff: float = 0.94
    beta: float = 11.0

    def __post_init__(self) -> None:
        if min(self.old, self.new, self.zeros) < 1 or not 0 < self.rolloff <= 1:
            raise UsageError(
                f"{self.old} Hz to {self.new} Hz by {self.zeros} crossings is asked for: choose 1 "
                "or more of each, and a rolloff of at most 1."
            )

    @functools.cached_property
    def kernel(self) -> tuple[int, int, int, np.ndarray]:
        """Samples a frame reaches back, samples between frames, samples made of each, and by what:
        float32 [n, i]. A frame is mostly of samples that are its own, or most would be read often.
        """
        band = self.rolloff * min(1, self.new / self.old)
        width = math.ceil(self.zeros / band)
        common = math.gcd(self.old, self.new)
        often = -(-2 * width * common // self.old)
        down, up = often * self.old // common, often * self.new // common
        n = np.arange(-width, down + width)[:, None]
        t = (n - np.arange(up) * down / up) * band
        window = np.i0(self.beta * np.sqrt(np.maximum(0, 1 - (t / self.zeros) ** 2)))
        kernel = band * np.sinc(t) * window / np.i0(self.beta) * (np.abs(t) < self.zeros)
        return width, down, up, kernel.astype(np.float32)

    def length(self, samples: int) -> int:
        """How many samples become of so many."""
        _, down, up, _ = self.kernel
        return -(-samples * up // down)

    def __call__(self, x: Array) -> Array:
        """Signals [.., s] -> [.., length(s)]."""
        if self.old == self.new:
            return x
        width, down, _, kernel = self.kernel
        rest = -x.shape[-1] % down
        padded = jnp.pad(x, last(x, (width, width + rest)))
        made = frames(padded, len(kernel), down) @ kernel
        return made.reshape(*x.shape[:-1], -1)[..., : self.length(x.shape[-1])]
