"""Encodings of relative position: rotary, and learnt by distance ("skewing")."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Float

MAX_WAVELENGTH = 10_000.0  # of rotary positions, in units of 2 pi


def rotary_angles(position: Any, d: int) -> Any:
    """Returns the angles [.., d / 2] of rotary positions, geometric in wavelength.

    Args:
      position: int [..]; the angles of a numpy array are a numpy array.
      d: width of the queries and keys.
    """
    half = d // 2
    speed = MAX_WAVELENGTH ** (-np.arange(half, dtype=np.float32) / half)
    if isinstance(position, jax.Array):
        position = position.astype(jnp.float32)
    return position[..., None] * speed.reshape((1,) * position.ndim + (half,))


def rotate(x: Float[Array, "*n d"], cos: Any, sin: Any) -> Float[Array, "*n d"]:
    """Applies rotary positions to queries or keys, pairing the two halves of d.

    Su et al. 2021, arXiv:2104.09864, eq. 34.

    Args:
      x: queries or keys.
      cos: cosines of `rotary_angles`, with leading axes that broadcast to those of `x`.
      sin: their sines.
    """
    # products with the swapped halves: a concatenation takes 7 times as long on a CPU
    halves = x.reshape(*x.shape[:-1], 2, x.shape[-1] // 2)
    rotated = halves * jnp.stack([cos, cos], -2)
    rotated += halves[..., ::-1, :] * jnp.stack([-sin, sin], -2)
    return rotated.reshape(x.shape).astype(x.dtype)


def pad_distances(
    table: Float[Array, "h l d"], t: int, size: int
) -> Float[Array, "h x d"]:
    """Lays out a table by distance for blocks of `size` queries in `t` events.

    Rows go from distance t down to 1 - size. They are zero where a query would attend
    beyond the table or ahead of itself.
    """
    table = table[:, : t + 1]
    return jnp.pad(table[:, ::-1], ((0, 0), (t + 1 - table.shape[1], size - 1), (0, 0)))


def skew(x: Float[Array, "*b n m"]) -> Float[Array, "*b n n"]:
    """Maps [.., n, 2n] to [.., n, n]: y[r, c] = x[r, n - r + c] (Huang et al. 2018)."""
    n = x.shape[-2]
    flat = x.reshape(*x.shape[:-2], 2 * n * n)[..., n:]
    return flat.reshape(*x.shape[:-2], n, 2 * n - 1)[..., :n]


def unskew(y: Float[Array, "*b n n"]) -> Float[Array, "*b n m"]:
    """Maps [.., n, n] to [.., n, 2n]: the transpose of `skew`, for its gradient."""
    n = y.shape[-1]
    lead = [(0, 0)] * (y.ndim - 2)
    flat = jnp.pad(y, (*lead, (0, 0), (n, 0))).reshape(*y.shape[:-2], 2 * n * n)
    flat = jnp.pad(flat, (*lead, (0, n)))
    return flat.reshape(*y.shape[:-1], 2 * n + 1)[..., :-1]
