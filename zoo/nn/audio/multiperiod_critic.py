"""A critic of several periods (Kong et al. 2020, HiFi-GAN, section 2.3).

Conventions as in `zoo.nn.audio.stft`. Axes: b batch, s sample, f frame, d channel.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Float
from zoo.errors import UsageError
from zoo.nn.audio.causal_conv import LEAKY_SLOPE, Conv

STRIDE = 3


class PeriodCritic(nn.Module):
    """The critic of one period: strided convolutions over every p-th sample.

    The two-dimensional convolutions of the paper have kernels of width 1: they are
    convolutions of one dimension, applied to each of p signals.

    Attributes:
      width: channels of the first layer, doubled in each following one.
      layers: strided convolutions; each divides the rate by three.
      period: in samples.
    """

    width: int
    layers: int
    period: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s"]
    ) -> tuple[Float[Array, "b f"], list[Float[Array, "b _ _"]]]:
        """Returns verdicts, and the hidden features of all layers."""
        rows, features = len(x), []
        h = folded(x, self.period).reshape(rows * self.period, -1, 1)
        for i in range(self.layers):
            width, name = self.width << i, f"conv_{i}"
            conv = Conv(width, 5, stride=STRIDE, causal=False, name=name)
            h = nn.leaky_relu(conv(h), LEAKY_SLOPE)
            features.append(h.reshape(rows, -1, width))
        last = Conv(h.shape[-1], 5, causal=False, name="last")
        h = nn.leaky_relu(last(h), LEAKY_SLOPE)
        features.append(h.reshape(rows, -1, h.shape[-1]))
        verdict = Conv(1, 3, causal=False, name="verdict")
        return verdict(h).reshape(rows, -1), features


class MultiPeriodCritic(nn.Module):
    """Critics of the waveform at several periods.

    Attributes:
      width: channels of the first layer of each.
      periods: in samples; prime numbers overlap least.
      layers: strided convolutions of each.

    Raises:
      UsageError: the audio is shorter than `min_samples`.
    """

    width: int = 16
    periods: Sequence[int] = (2, 3, 5, 7, 11)
    layers: int = 4

    @property
    def min_samples(self) -> int:
        """The samples that the longest period needs for one verdict."""
        return STRIDE**self.layers * max(self.periods)

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s"]
    ) -> tuple[Float[Array, "b f"], list[Float[Array, "b _ _"]]]:
        """Returns the verdicts and the hidden features of all periods."""
        if x.shape[1] < self.min_samples:
            raise UsageError(
                f"audio of {x.shape[1]} samples is too short for the critic: choose a "
                f"length of {self.min_samples} samples or more."
            )
        verdicts, features = [], []
        for period in self.periods:
            name = f"period_{period}"
            critic = PeriodCritic(self.width, self.layers, period, name=name)
            verdict, hidden = critic(x)
            verdicts.append(verdict)
            features += hidden
        return jnp.concatenate(verdicts, axis=1), features


def folded(x: Float[Array, "b s"], period: int) -> Float[Array, "b p f"]:
    """Returns signals of every p-th sample; the end is padded by its reflection."""
    x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % period)), mode="reflect")
    return x.reshape(len(x), -1, period).swapaxes(1, 2)
