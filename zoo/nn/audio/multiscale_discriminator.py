"""A multi-scale waveform discriminator (Kumar et al. 2019, MelGAN, section 2.2).

Conventions as in `zoo.nn.audio.stft`. Axes: b batch, s sample, f frame, d channel.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Float
from zoo.errors import UsageError
from zoo.nn.audio.causal_conv import LEAKY_SLOPE, Conv

EPS = 1e-7


class ScaleDiscriminator(nn.Module):
    """The discriminator of one scale: strided convolutions over the waveform.

    Attributes:
      width: channels of the first layer, doubled in each following one.
      layers: strided convolutions; each divides the rate by four.
    """

    width: int
    layers: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s"]
    ) -> tuple[Float[Array, "b f"], list[Float[Array, "b _ _"]]]:
        """Returns a verdict for each frame, and the hidden features of all layers."""
        h, features = x[..., None], []
        for i in range(self.layers):
            conv = Conv(self.width << i, 8, stride=4, causal=False, name=f"conv_{i}")
            h = nn.leaky_relu(conv(h), LEAKY_SLOPE)
            features.append(h)
        last = Conv(h.shape[-1], 5, causal=False, name="last")
        h = nn.leaky_relu(last(h), LEAKY_SLOPE)
        verdict = Conv(1, 3, causal=False, name="verdict")
        return verdict(h)[..., 0], [*features, h]


class MultiScaleDiscriminator(nn.Module):
    """Discriminators of the waveform at several scales.

    Attributes:
      width: channels of the first layer of each.
      layers: strided convolutions of each.
      scales: number of discriminators; each sees the waveform at half the rate of the
        one before.

    Raises:
      UsageError: the audio is shorter than `min_samples`.
    """

    width: int = 16
    layers: int = 4
    scales: int = 3

    @property
    def min_samples(self) -> int:
        """The samples that the coarsest scale needs for one frame."""
        return 4**self.layers << (self.scales - 1)

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s"]
    ) -> tuple[Float[Array, "b f"], list[Float[Array, "b _ _"]]]:
        """Returns the verdicts and the hidden features of all scales."""
        if x.shape[1] < self.min_samples:
            raise UsageError(
                f"audio of {x.shape[1]} samples is too short for the discriminator: "
                f"choose a length of {self.min_samples} samples or more."
            )
        verdicts, features = [], []
        for i in range(self.scales):
            scale = ScaleDiscriminator(self.width, self.layers, name=f"scale_{i}")
            verdict, hidden = scale(x)
            verdicts.append(verdict)
            features += hidden
            pairs = x[..., : x.shape[-1] // 2 * 2].reshape(len(x), -1, 2)
            x = pairs.mean(axis=-1)
        return jnp.concatenate(verdicts, axis=1), features


def feature_matching(
    real: Sequence[Float[Array, "b _ _"]], fake: Sequence[Float[Array, "b _ _"]]
) -> Float[Array, " b"]:
    """Returns the feature matching loss: mean absolute errors relative to the real.

    Larsen et al. 2016; RAVE, section 3.2.

    Args:
      real: hidden features of real audio.
      fake: those of its reconstruction.
    """
    errors = []
    for x, y in zip(real, fake, strict=True):
        size = jnp.abs(x).mean(axis=(1, 2))
        errors.append(jnp.abs(x - y).mean(axis=(1, 2)) / (size + EPS))
    return jnp.stack(errors).mean(axis=0)
