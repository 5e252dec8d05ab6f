"""Conditioning on one of several named styles. Axes: n row, y style, d feature."""

import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Float, Int, Key
from zoo.errors import UsageError
from zoo.nn.rng import row_keys


def style_weights(style: Array | None, names: Sequence[str]) -> Array | None:
    """Returns the weight of each style in each row, float [n, y].

    Args:
      style: int [n], which become one-hot; or weights [n, y], returned unchanged.
      names: the styles of the model; if there are none, the result is None.

    Raises:
      UsageError: the model has styles and `style` is None, or the other way round.
    """
    if style is None and not names:
        return None
    if style is None:
        raise UsageError(f"style is missing: choose one of {', '.join(names)}.")
    if not names:
        raise UsageError("the model was trained without styles: leave style out.")
    return (
        style
        if style.ndim > 1
        else jax.nn.one_hot(style, len(names), dtype=jnp.float32)
    )


def random_styles(rng: Key, n: int, names: Sequence[str]) -> Int[Array, " n"] | None:
    """Draws a style for each row by `rng` and the row's index; None without styles."""
    if not names:
        return None
    draw_one = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(names)))
    return draw_one(row_keys(rng, n))


def mixture_log_prob(
    log_prob: Callable[[Array], Array], names: Sequence[str]
) -> Float[Array, " n"]:
    """Returns the log-likelihood under the mixture of all styles, equally likely.

    Args:
      log_prob: style index -> log-likelihoods [n] under that style.
      names: the styles.
    """
    by_style = jax.lax.map(log_prob, jnp.arange(len(names)))
    return jax.nn.logsumexp(by_style, axis=0) - math.log(len(names))


class Projection(nn.Module):
    """The class-conditional term of a projection discriminator.

    Miyato & Koyama 2018, arXiv:1802.05637, eq. 3. Initialised to be no larger than the
    unconditional term.
    """

    @nn.compact
    def __call__(
        self, features: Float[Array, "n d"], style: Float[Array, "n y"]
    ) -> Float[Array, " n"]:
        """Returns the term to add to the verdicts, from features and style weights."""
        init = nn.initializers.variance_scaling(1.0, "fan_out", "normal")
        kernel = self.param(
            "kernel", init, (style.shape[-1], features.shape[-1]), jnp.float32
        )
        return ((style @ kernel) * features).sum(axis=-1)
