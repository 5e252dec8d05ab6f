"""Means over a part of an array. Dtypes are converted here, never by promotion."""

import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Bool, Float


def at_least_one(count: Array | np.integer) -> Float[Array, "*n"]:
    """Returns counts that may be divided by."""
    return jnp.maximum(count, 1).astype(jnp.float32)


def masked_mean(x: Array, mask: Bool[Array, "*n"]) -> Float[Array, ""]:
    """Returns the mean of `x`, numbers or flags, over the mask; 0 over an empty one."""
    total = (x.astype(jnp.float32) * mask.astype(jnp.float32)).sum()
    return total / at_least_one(mask.sum())
