"""Rows that are drawn for a batch, where the batch's own rows are."""

import jax.numpy as jnp

from zoo.core import Array


def numbered(like: Array) -> Array:
    """0 .. n - 1, each on the device that has that row of `like` [n, ..], none of it negative.

    What is drawn by number alone has no place, and then every device draws all of it.
    """
    # that rows are asked is all that ties numbers to them: no compiler knows signed ones so well
    return jnp.where(like.reshape(len(like), -1)[:, 0] < 0, -1, jnp.arange(len(like)))
