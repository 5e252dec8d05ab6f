"""A critic of sound that listens at several rates (Kumar et al. 2019, MelGAN, section 2.2).

Conventions as in `stft.py`. Axes: b signal, s sample, f frame, c channel.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array, Batch
from zoo.errors import UsageError
from zoo.nn.audio.causal_conv import SLOPE, Conv

Mean = Callable[[Array], Array]


class Scale(nn.Module):
    """One rate: filters that see four times as far from layer to layer."""

    width: int
    layers: int

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, list[Array]]:
        """[b, s] -> verdicts [b, f] on what is around each frame, and what they rest on."""
        x, heard = x[..., None], []
        for i in range(self.layers):
            conv = Conv(self.width << i, 8, stride=4, causal=False, name=f"conv_{i}")
            x = nn.leaky_relu(conv(x), SLOPE)
            heard.append(x)
        last = nn.leaky_relu(Conv(x.shape[-1], 5, causal=False, name="last")(x), SLOPE)
        return Conv(1, 3, causal=False, name="verdict")(last)[..., 0], [*heard, last]


class Listener(nn.Module):
    """`scales` of these, each hearing the signal at half the rate of the one before.

    Raises:
      UsageError: signals so short that one of them hears nothing.
    """

    width: int = 16
    layers: int = 4
    scales: int = 3

    @property
    def least(self) -> int:
        """Samples that it needs."""
        return 4**self.layers << (self.scales - 1)

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, list[Array]]:
        """[b, s] -> verdicts [b, v], and features."""
        if x.shape[1] < self.least:
            raise UsageError(
                f"a critic hears nothing in {x.shape[1]} samples: give it {self.least} or more."
            )
        verdicts, features = [], []
        for i in range(self.scales):
            of, rest_on = Scale(self.width, self.layers, name=f"scale_{i}")(x)
            verdicts.append(of)
            features += rest_on
            x = x[..., : x.shape[-1] // 2 * 2].reshape(len(x), -1, 2).mean(axis=-1)
        return jnp.concatenate(verdicts, axis=1), features


def matching(real: list[Array], fake: list[Array]) -> Array:
    """How far features of generated signals are from those of what they were made after, [b]: the
    mean absolute difference, relative to the real ones (Larsen et al. 2016; RAVE, section 3.2)."""
    size = lambda x: jnp.abs(x).mean(axis=(1, 2))
    far = lambda x, y: size(x - y) / (size(x) + 1e-7)
    return jnp.stack([far(x, y) for x, y in zip(real, fake, strict=True)]).mean(axis=0)


def rows(batch: Batch) -> tuple[Array, Mean, Array]:
    """Signals [b, s], what takes a mean over those in the mask, and how many they are."""
    x = heard(batch["audio"])
    mask = batch.get("mask", jnp.ones(len(x), bool))
    count = mask.sum()
    each = lambda of: of.reshape(len(x), -1).mean(axis=1)
    return x, lambda of: (each(of) * mask).sum() / jnp.maximum(count, 1), count


def heard(audio: Array) -> Array:
    """Samples of 16 bits, or of -1 to 1, as the latter."""
    return audio / 32767.0 if jnp.issubdtype(audio.dtype, jnp.integer) else audio
