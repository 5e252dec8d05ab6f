"""A critic of bands of spectra at several resolutions.

W. Jang et al.: UnivNet, arXiv:2106.07889, 2021; bands: R. Kumar et al.: High-fidelity
audio compression with improved RVQGAN, arXiv:2306.06546, 2023, section 3.4. Conventions
as in `zoo.nn.audio.stft`. Axes: b batch, s sample, f frame, bins frequency bin, d
channel.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Float
from zoo.errors import UsageError
from zoo.nn.audio.causal_conv import LEAKY_SLOPE
from zoo.nn.audio.stft import STFT

EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # of bands, as shares of the bins
KERNEL = (3, 9)  # frames, bins
LAST_KERNEL = (3, 3)


class BandCritic(nn.Module):
    """The critic of one resolution: convolutions over the complex spectrum of bands.

    Attributes:
      width: channels.
      layers: strided convolutions; each halves the bins.
      size: samples of a frame of the transform, with a hop of a quarter of it.
      edges: of the bands, as shares of the bins.
    """

    width: int
    layers: int
    size: int
    edges: Sequence[float]

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s"]
    ) -> tuple[Float[Array, "b f"], list[Float[Array, "b _ _"]]]:
        """Returns verdicts, and the hidden features of all bands and layers."""
        y = STFT(self.size, self.size // 4)(x) / self.size**0.5
        parts = jnp.stack([y.real, y.imag], axis=-1)
        rows, bins, bands, features = len(x), y.shape[-1], [], []
        limits = [round(edge * bins) for edge in self.edges]
        for band in range(len(limits) - 1):
            h = parts[:, :, limits[band] : limits[band + 1]]
            for i in range(self.layers):
                name, strides = f"conv_{band}_{i}", (1, 2 if i else 1)
                conv = nn.Conv(self.width, KERNEL, strides, name=name)
                h = nn.leaky_relu(conv(h), LEAKY_SLOPE)
                features.append(h.reshape(rows, -1, self.width))
            bands.append(h)
        h = jnp.concatenate(bands, axis=2)
        verdict = nn.Conv(1, LAST_KERNEL, name="verdict")
        return verdict(h).reshape(rows, -1), features


class MultiBandCritic(nn.Module):
    """Critics of spectra at several resolutions.

    Attributes:
      width: channels of each.
      sizes: samples of the frames of the transforms.
      layers: convolutions of each band.
      edges: of the bands, as shares of the bins.

    Raises:
      UsageError: the audio is shorter than `min_samples`.
    """

    width: int = 16
    sizes: Sequence[int] = (1024, 512, 256)
    layers: int = 3
    edges: Sequence[float] = EDGES

    @property
    def min_samples(self) -> int:
        """The samples of the longest frame."""
        return max(self.sizes)

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s"]
    ) -> tuple[Float[Array, "b f"], list[Float[Array, "b _ _"]]]:
        """Returns the verdicts and the hidden features of all resolutions."""
        if x.shape[1] < self.min_samples:
            raise UsageError(
                f"audio of {x.shape[1]} samples is too short for the critic: choose a "
                f"length of {self.min_samples} samples or more."
            )
        verdicts, features = [], []
        for size in self.sizes:
            name = f"size_{size}"
            critic = BandCritic(self.width, self.layers, size, self.edges, name=name)
            verdict, hidden = critic(x)
            verdicts.append(verdict)
            features += hidden
        return jnp.concatenate(verdicts, axis=1), features
