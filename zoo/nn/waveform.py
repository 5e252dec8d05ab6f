"""Networks from the bands of a signal to latents, few of them a second, and back (Caillon & Esling
2021, RAVE, section 3.3).

Axes: b signal, t frame of bands, k band, f frame of latents, z latent.
"""

import flax.linen as nn
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.streams import SLOPE, Conv, Finer, Residual
from zoo.nn.variational import Gaussian

QUIET = -4.0  # the logit of noise at birth: next to none


class Encoder(nn.Module):
    latent: int
    width: int
    factors: tuple[int, ...]
    causal: bool

    @nn.compact
    def __call__(self, x: Array) -> Gaussian:
        """Bands [b, t, k] -> latents [b, f, z]."""
        x = Conv(self.width, 7, causal=self.causal, name="first")(x)
        for i, factor in enumerate(self.factors):
            down = Conv(
                self.width << (i + 1),
                2 * factor,
                stride=factor,
                causal=self.causal,
                name=f"down_{i}",
            )
            x = down(nn.leaky_relu(x, SLOPE))
        both = Conv(2 * self.latent, 3, causal=self.causal, name="last")(nn.leaky_relu(x, SLOPE))
        return Gaussian(*jnp.split(both.astype(jnp.float32), 2, axis=-1))


class Decoder(nn.Module):
    bands: int
    width: int
    factors: tuple[int, ...]
    dilations: tuple[int, ...]
    causal: bool

    @nn.compact
    def __call__(self, z: Array, white: Array) -> Array:
        """Latents [b, f, z] and white noise [b, t, k] -> bands [b, t, k]."""
        x = Conv(self.width << len(self.factors), 3, causal=self.causal, name="first")(z)
        for i, factor in reversed([*enumerate(self.factors)]):
            up = Finer(self.width << i, factor, causal=self.causal, name=f"up_{i}")
            x = up(nn.leaky_relu(x, SLOPE))
            for j, dilation in enumerate(self.dilations):
                x = Residual(dilation, causal=self.causal, name=f"residual_{i}_{j}")(x)
        heads = Conv(2 * self.bands + 1, 7, causal=self.causal, name="heads")
        x = heads(nn.leaky_relu(x, SLOPE)).astype(jnp.float32)
        wave, hiss, loud = jnp.split(x, (self.bands, 2 * self.bands), axis=-1)
        return jnp.tanh(wave) * nn.sigmoid(loud) + white * nn.sigmoid(hiss + QUIET)
