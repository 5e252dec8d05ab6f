"""Gaussian upsampling, from tokens with durations to frames.

J. Shen et al.: Non-attentive Tacotron, arXiv:2010.04301, 2020. Axes: b row, t token, u
frame or decoder step. Durations, widths and times have the same unit.
"""

import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float
from zoo.nn.dense import NEG_INF

MIN_WIDTH = 1e-3  # of a token, so that a weight is never 0 / 0


def gaussian_weights(
    durations: Float[Array, "b t"],
    widths: Float[Array, "b t"],
    mask: Bool[Array, "b t"],
    times: Float[Array, " u"],
) -> Float[Array, "b u t"]:
    """Returns how much each token counts at each time; the weights of a time sum to 1.

    w_ui is proportional to N(time_u; c_i, width_i), where c_i is the middle of token i.
    After the end of a row its last tokens count.

    Args:
      durations: of the tokens, 0 or more.
      widths: the standard deviations of the Gaussians.
      mask: the tokens of each row, at least one of them.
      times: at which tokens are mixed.
    """
    centres = jnp.cumsum(durations, axis=1) - durations / 2
    widths = jnp.maximum(widths, MIN_WIDTH)[:, None]
    distance = (times[None, :, None] - centres[:, None]) / widths
    logits = -0.5 * distance * distance - jnp.log(widths)
    return jax.nn.softmax(jnp.where(mask[:, None], logits, NEG_INF), axis=-1)


def places(
    weights: Float[Array, "b u t"],
    durations: Float[Array, "b t"],
    times: Float[Array, " u"],
) -> Float[Array, "b u"]:
    """Returns the mean place of each time in its tokens, from -1/2 to 1/2.

    Args:
      weights: of `gaussian_weights`.
      durations: of the tokens, 0 or more.
      times: the same as those of the weights.
    """
    inverse = 1 / jnp.maximum(durations, 0.5)
    centres = jnp.cumsum(durations, axis=1) - durations / 2
    share = jnp.einsum("but,bt->bu", weights, inverse)
    shift = jnp.einsum("but,bt->bu", weights, inverse * centres)
    return jnp.clip(times[None] * share - shift, -0.5, 0.5)
