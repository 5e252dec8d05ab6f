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
from zoo.nn.audio.stft import frames, last

MOST = 1 << 26  # numbers of a kernel, a quarter of a gigabyte


@dataclasses.dataclass(frozen=True)
class Resample:
    """From rate `old` to `new`, as if everything up to `rolloff` of the lower one's half were kept
    by a sinc of `zeros` crossings to a side, under a Kaiser window.

    Raises:
      UsageError: a rate, or a number of crossings, below 1, or rates with too little in common.
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
        width, down, up = self.frame
        if (down + 2 * width) * up > MOST:
            raise UsageError(
                f"{self.old} Hz and {self.new} Hz have only {math.gcd(self.old, self.new)} in "
                "common: choose rates with more, or go by a library that keeps no table."
            )

    @property
    def band(self) -> float:
        """What is kept of the old rate's half."""
        return self.rolloff * min(1, self.new / self.old)

    @property
    def frame(self) -> tuple[int, int, int]:
        """Samples a frame reaches back, samples between frames, and samples made of each. A frame
        is mostly of samples that are its own, or most would be read often."""
        width = math.ceil(self.zeros / self.band)
        common = math.gcd(self.old, self.new)
        often = -(-2 * width * common // self.old)
        return width, often * self.old // common, often * self.new // common

    @functools.cached_property
    def kernel(self) -> np.ndarray:
        """What each sample that is made has of those of its frame, float32 [n, i]."""
        width, down, up = self.frame
        n = np.arange(-width, down + width)[:, None]
        t = (n - np.arange(up) * down / up) * self.band
        window = np.i0(self.beta * np.sqrt(np.maximum(0, 1 - (t / self.zeros) ** 2)))
        kernel = (
            self.band
            * np.sinc(t)
            * window
            / np.i0(self.beta)
            * (np.abs(t) < self.zeros)
        )
        return kernel.astype(np.float32)

    def length(self, samples: int) -> int:
        """How many samples become of so many."""
        _, down, up = self.frame
        return -(-samples * up // down)

    def __call__(self, x: Array) -> Array:
        """Signals [.., s] -> [.., length(s)]."""
        if self.old == self.new:
            return x
        width, down, _ = self.frame
        rest = -x.shape[-1] % down
        padded = jnp.pad(x, last(x, (width, width + rest)))
        made = frames(padded, len(self.kernel), down) @ self.kernel
        return made.reshape(*x.shape[:-1], -1)[..., : self.length(x.shape[-1])]
