"""Resampling by a windowed sinc (Smith 2002, Digital audio resampling).

Conventions as in `zoo.nn.audio.stft`.
"""

import dataclasses
import functools
import math

import numpy as np

from zoo.core import Array, Float
from zoo.errors import UsageError
from zoo.nn.audio.stft import frames, pad_last

MAX_KERNEL_SIZE = 1 << 26  # entries of the kernel: 256 MB


@dataclasses.dataclass(frozen=True)
class Resample:
    """A resampler from one rate to another.

    Attributes:
      old: sampling rate of the input in Hz.
      new: sampling rate of the output in Hz.
      zero_crossings: of the sinc, on each side.
      rolloff: cutoff, as a fraction of half the lower rate.
      beta: of the Kaiser window.

    Raises:
      UsageError: a rate or the number of crossings is below 1, `rolloff` is not in
        (0, 1], or the greatest common divisor of the rates is too small.
    """

    old: int
    new: int
    zero_crossings: int = 64
    _: dataclasses.KW_ONLY
    rolloff: float = 0.94
    beta: float = 11.0

    def __post_init__(self) -> None:
        smallest = min(self.old, self.new, self.zero_crossings)
        if smallest < 1 or not 0 < self.rolloff <= 1:
            raise UsageError(
                f"cannot resample {self.old} Hz to {self.new} Hz with "
                f"{self.zero_crossings} zero crossings and a rolloff of "
                f"{self.rolloff:g}: choose rates and zero crossings of 1 or more, and "
                "a rolloff in (0, 1]."
            )
        width, down, up = self.frame
        if (down + 2 * width) * up > MAX_KERNEL_SIZE:
            raise UsageError(
                f"the greatest common divisor of {self.old} Hz and {self.new} Hz is "
                f"only {math.gcd(self.old, self.new)} Hz: choose rates with a larger "
                "one, or a library that interpolates its kernel."
            )

    @property
    def cutoff(self) -> float:
        """The cutoff frequency, as a fraction of half the input rate."""
        return self.rolloff * min(1, self.new / self.old)

    @property
    def frame(self) -> tuple[int, int, int]:
        """The sizes of a frame in samples: context, hop of the input, output.

        The context precedes and follows the hop. The hop is a multiple of the smallest
        possible one, so that frames overlap by less than their half.
        """
        width = math.ceil(self.zero_crossings / self.cutoff)
        divisor = math.gcd(self.old, self.new)
        multiple = -(-2 * width * divisor // self.old)
        return width, multiple * self.old // divisor, multiple * self.new // divisor

    @functools.cached_property
    def kernel(self) -> Float[np.ndarray, "n m"]:
        """The weights of the n input samples of a frame in its m outputs, float32."""
        width, down, up = self.frame
        n = np.arange(-width, down + width)[:, None]
        t = (n - np.arange(up) * down / up) * self.cutoff
        position = t / self.zero_crossings
        window = np.i0(self.beta * np.sqrt(np.maximum(0, 1 - position**2)))
        inside = np.abs(t) < self.zero_crossings
        kernel = self.cutoff * np.sinc(t) * window / np.i0(self.beta) * inside
        return kernel.astype(np.float32)

    def length(self, samples: int) -> int:
        """Returns the number of output samples for that many input samples."""
        _, down, up = self.frame
        return -(-samples * up // down)

    def __call__(self, x: Float[Array, "*b s"]) -> Float[Array, "*b n"]:
        """Resamples audio: `length(s)` samples."""
        if self.old == self.new:
            return x
        width, down, _ = self.frame
        padded = pad_last(x, width, width + -x.shape[-1] % down)
        y = frames(padded, len(self.kernel), down) @ self.kernel
        return y.reshape(*x.shape[:-1], -1)[..., : self.length(x.shape[-1])]
