"""The short-time Fourier transform and its inverse (Allen & Rabiner 1977).

Short frames whose size is an even multiple of the hop are transformed by matrix
products instead of an FFT. The spectrum of a frame is the sum of the spectra of its
hops, each with a linear phase for its position, and a Hann window is a filter of three
taps along frequency (Harris 1978, section V). Every hop is transformed once, although
frames overlap. An FFT multiplies less, but matrix products use the hardware better.

Conventions of all modules of `zoo.nn.audio`: audio is real, its last axis counts
samples, and any leading axes are batch axes. Frames come before the contents of a
frame. Sizes and hops are in samples, frequencies in Hz, rates in samples per second.
Frame f of a transform is centred on sample f * hop, and the signal is zero outside its
range. Axes: s sample, f frame, n sample of a frame, bins frequency bin.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Complex, Float, Num
from zoo.errors import UsageError

# Longer frames, or frames of more hops, are faster by FFT than by matrix products.
MAX_MATMUL_SIZE = 2048
MAX_MATMUL_HOPS = 8
MATRIX_ALIGNMENT = 16  # rows of matrices are padded to a multiple of it, for speed
MIN_WINDOW_SUM = 1e-8  # of the squared windows that the inverse divides by


def hann(size: int) -> Float[np.ndarray, " n"]:
    """Returns a periodic Hann window, float32."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def to_float(audio: Num[Array, "*b s"]) -> Float[Array, "*b s"]:
    """Converts 16-bit samples to floats in [-1, 1]; returns floats as they are."""
    if jnp.issubdtype(audio.dtype, jnp.integer):
        return audio.astype(jnp.float32) / 32767.0
    return audio


def match_rank(x: Array | np.ndarray, like: Array | np.ndarray) -> Array:
    """Adds leading axes to `x` until it has as many axes as `like`."""
    return jnp.asarray(x).reshape((1,) * (like.ndim - x.ndim) + x.shape)


def pad_last(x: Num[Array, "*b s"], before: int, after: int) -> Num[Array, "*b n"]:
    """Pads the last axis with zeros."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)])


def frames(x: Float[Array, "*b s"], size: int, hop: int) -> Float[Array, "*b f n"]:
    """Cuts audio into all frames of `size` samples that fit, `hop` samples apart.

    It concatenates shifted hops, which is faster than a gather.
    """
    count, hops_per_frame = 1 + (x.shape[-1] - size) // hop, -(-size // hop)
    missing = (count + hops_per_frame - 1) * hop - x.shape[-1]
    x = pad_last(x[..., : x.shape[-1] + min(missing, 0)], 0, max(missing, 0))
    hops = x.reshape(*x.shape[:-1], -1, hop)
    shifted = [hops[..., i : i + count, :] for i in range(hops_per_frame)]
    return jnp.concatenate(shifted, axis=-1)[..., :size]


def overlap_add(x: Float[Array, "*b f n"], hop: int) -> Float[Array, "*b s"]:
    """Adds frames, each `hop` samples after the one before: (f - 1) hop + n samples."""
    count, size = x.shape[-2:]
    hops_per_frame = -(-size // hop)
    x = pad_last(x, 0, hops_per_frame * hop - size)
    hops = x.reshape(*x.shape[:-1], hops_per_frame, hop)
    total = jnp.zeros((), x.dtype)
    for i in range(hops_per_frame):
        shift = (i, hops_per_frame - 1 - i)
        total += jnp.pad(hops[..., i, :], [(0, 0)] * (x.ndim - 2) + [shift, (0, 0)])
    return total.reshape(*total.shape[:-2], -1)[..., : (count - 1) * hop + size]


@functools.cache
def fourier_basis(size: int, hop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns cosines and sines about the middle of a hop, and their frequencies.

    The bins go from one below the lowest to at least one above the highest, because the
    Hann window mixes neighbours.

    Returns:
      Cosines and sines, float32 [hop / 2, bins], and the frequencies in radians per
      sample, float64 [bins].
    """
    count = size // 2 + 3
    padding = -count % MATRIX_ALIGNMENT
    angles = 2 * np.pi * np.arange(-1, count - 1 + padding) / size
    phases = np.outer(np.arange(hop // 2) - (hop - 1) / 2, angles)
    return np.cos(phases).astype(np.float32), np.sin(phases).astype(np.float32), angles


def fft_frames(
    x: Float[Array, "*b s"], size: int, hop: int
) -> Complex[Array, "*b f bins"]:
    """Transforms all frames that fit, under a Hann window, by the FFT."""
    x = frames(x, size, hop)
    return jnp.fft.rfft(x * match_rank(hann(size), x))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def matmul_frames(
    x: Float[Array, "*b s"], size: int, hop: int
) -> Complex[Array, "*b f bins"]:
    """Computes `fft_frames` by matrix products; `size` is an even multiple of `hop`."""
    hops_per_frame, bins = size // hop, size // 2 + 1
    count = 1 + (x.shape[-1] - size) // hop
    cosines, sines, frequencies = fourier_basis(size, hop)
    product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    hops = x[..., : (count + hops_per_frame - 1) * hop]
    hops = hops.reshape(*x.shape[:-1], -1, hop)
    # a hop is the sum of its even and odd parts about its middle
    first_half, second_half = hops[..., : hop // 2], hops[..., hop // 2 :][..., ::-1]
    even = product(first_half + second_half, cosines)
    odd = product(first_half - second_half, sines)

    def rotated(position: int) -> tuple[Array, Array]:
        """Returns real and imaginary parts of the hops at that position of frames."""
        angles = frequencies * (hop * position + (hop - 1) / 2)
        cos = match_rank(np.cos(angles).astype(np.float32), even)
        sin = match_rank(np.sin(angles).astype(np.float32), even)
        rows = slice(position, position + count)
        a, b = even[..., rows, :], odd[..., rows, :]
        return cos * a - sin * b, -sin * a - cos * b

    def windowed(y: Array) -> Array:
        """Applies a Hann window to spectra."""
        neighbours = y[..., :bins] + y[..., 2 : bins + 2]
        return 0.5 * y[..., 1 : bins + 1] - 0.25 * neighbours

    parts = zip(*map(rotated, range(hops_per_frame)), strict=True)
    real, imaginary = (sum(part) for part in parts)
    return jax.lax.complex(windowed(real), windowed(imaginary))


@matmul_frames.defjvp
def _matmul_frames_jvp(
    size: int, hop: int, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    # the transposed FFT is faster than the transposed matrix product
    return matmul_frames(*primals, size, hop), fft_frames(*tangents, size, hop)


@dataclasses.dataclass(frozen=True)
class STFT:
    """A short-time Fourier transform under a periodic Hann window.

    Attributes:
      size: samples of a frame, even.
      hop: samples from one frame to the next, at most half of `size`.

    Raises:
      UsageError: the size is odd, or the hop leaves samples out.
    """

    size: int = 1024
    hop: int = 256

    def __post_init__(self) -> None:
        if self.size < 2 or self.size % 2 or not 0 < self.hop <= self.size // 2:
            raise UsageError(
                f"STFT frames of {self.size} samples cannot be {self.hop} samples "
                "apart: choose an even size, and a hop of at most half of it."
            )

    def __call__(self, x: Float[Array, "*b s"]) -> Complex[Array, "*b f bins"]:
        """Transforms audio: 1 + s // hop frames of 1 + size / 2 bins."""
        x = pad_last(x, self.size // 2, self.size // 2)
        short = self.size <= min(MAX_MATMUL_SIZE, MAX_MATMUL_HOPS * self.hop)
        divides = self.size % self.hop == 0 and self.hop % 2 == 0
        transform = matmul_frames if short and divides else fft_frames
        return transform(x, self.size, self.hop)

    def inverse(
        self, y: Complex[Array, "*b f bins"], length: int
    ) -> Float[Array, "*b s"]:
        """Returns the audio whose transform is nearest to `y` in squared error.

        Griffin & Lim 1984, eq. 6. It is the exact inverse if `y` is a transform.

        Args:
          y: spectra.
          length: samples of the audio.
        """
        window = hann(self.size)
        windowed = jnp.fft.irfft(y, self.size) * match_rank(window, y)
        total = overlap_add(windowed, self.hop)
        weight = overlap_add(jnp.tile(window**2, (y.shape[-2], 1)), self.hop)
        x = total / match_rank(jnp.maximum(weight, MIN_WINDOW_SUM), total)
        x = x[..., self.size // 2 :][..., :length]
        return pad_last(x, 0, length - x.shape[-1])

    def frequencies(self, rate: float) -> Float[np.ndarray, " bins"]:
        """Returns the frequencies of the bins in Hz."""
        return np.arange(1 + self.size // 2) * rate / self.size


def magnitude(y: Complex[Array, "*b"]) -> Float[Array, "*b"]:
    """Returns |y|, at least 1e-10, so that its gradient is finite at 0.

    `jnp.abs` guards against overflow, which costs a CPU half the time of the transform.
    """
    return jnp.sqrt(y.real**2 + y.imag**2 + 1e-20)


def decibels(power: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Converts powers to decibels, at least -100 dB."""
    return 10 * jnp.log10(jnp.maximum(power, 1e-10))
