"""Styles that a model is told of, by name. Axes: n row, y style."""

import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Key
from zoo.errors import UsageError


def shares(style: Array | None, names: Sequence[str]) -> Array | None:
    """Shares of styles [n, y], of which `style` int [n] are one each; None where there is none.

    Raises:
      UsageError: a style is wanted and not given, or given and not wanted.
    """
    if (style is None) == bool(names):
        if not names:
            raise UsageError("the model knows no styles: leave the style out.")
        raise UsageError(f"a style is needed: the model knows {', '.join(names)}.")
    return (
        style if style is None or style.ndim > 1 else jax.nn.one_hot(style, len(names))
    )


def any_style(rng: Key, n: int, names: Sequence[str]) -> Array | None:
    """Styles int [n], the one of row i by `rng` and i; None where there is none."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(n))
    draw = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(names)))
    return draw(keys) if names else None


def mixed(log_prob: Callable[[Array], Array], names: Sequence[str]) -> Array:
    """The log-likelihood [n] under the mixture of all styles, equally likely, of `log_prob` under
    the one of a number."""
    each = jax.lax.map(log_prob, jnp.arange(len(names)))
    return jax.nn.logsumexp(each, axis=0) - math.log(len(names))


class Projection(nn.Module):
    """What a critic's features owe to the style asked for (Miyato & Koyama 2018, arXiv:1802.05637,
    eq. 3), at birth no more than what a verdict owes to the features themselves."""

    @nn.compact
    def __call__(self, features: Array, style: Array) -> Array:
        """Features [n, c], shares of styles [n, y] -> what is added to verdicts [n]."""
        born = nn.initializers.variance_scaling(1.0, "fan_out", "normal")
        kernel = self.param("kernel", born, (style.shape[-1], features.shape[-1]))
        return ((style @ kernel) * features).sum(axis=-1)
