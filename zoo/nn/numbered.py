"""Rows that are drawn for a batch, where the batch's own rows are."""

import jax.numpy as jnp
from jax.experimental.shard_alike import shard_alike

from zoo.core import Array


def numbered(like: Array) -> Array:
    """0 .. n - 1, each on the device that has that row of `like` [n, ..].

    What is drawn by number alone has no place, and then every device draws all of it.
    """
    rows = like.reshape(len(like), -1)[:, 0].astype(jnp.int32)
    return shard_alike(jnp.arange(len(like), dtype=jnp.int32), rows)[0]
