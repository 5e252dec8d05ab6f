"""Positions that only differences of matter: rotary, and relative by skewing."""

import jax.numpy as jnp

from zoo.core import Array


def rotate(qkv: Array, at: Array, longest: float = 10_000.0) -> Array:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864, eq. 34), pairing the two halves of d.

    Args:
      qkv: queries and keys, which are turned, and values, which are not, [.., h, 3, d].
      at: int [..], positions, or as many axes that broadcast to it.
      longest: of the wavelengths, which are geometric from 2 pi.
    """
    half = qkv.shape[-1] // 2
    speed = jnp.outer(jnp.array([1.0, 1.0, 0.0]), longest ** (-jnp.arange(half) / half))
    angle = jnp.multiply.outer(at, speed)[..., None, :, :]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    pairs = qkv.reshape(*qkv.shape[:-1], 2, half)
    turned = pairs * jnp.stack([cos, cos], -2) + pairs[..., ::-1, :] * jnp.stack(
        [-sin, sin], -2
    )
    return turned.reshape(qkv.shape).astype(qkv.dtype)


def relative(table: Array, t: int, size: int) -> Array:
    """A `table` [h, l, d] by distance, laid out for blocks of `size` in `t` events: [h, x, d].

    From distance t down to 1 - size; with zeros where a query looks beyond its reach or ahead.
    """
    table = table[:, : t + 1]
    return jnp.pad(table[:, ::-1], ((0, 0), (t + 1 - table.shape[1], size - 1), (0, 0)))


def skew(x: Array) -> Array:
    """[.., n, 2n] -> [.., n, n]: y[r, c] = x[r, n - r + c] (Huang et al. 2018)."""
    n = x.shape[-2]
    flat = x.reshape(*x.shape[:-2], 2 * n * n)[..., n:]
    return flat.reshape(*x.shape[:-2], n, 2 * n - 1)[..., :n]


def unskew(y: Array) -> Array:
    """[.., n, n] -> [.., n, 2n], the transpose of `skew`, by a skew to the other side."""
    n = y.shape[-1]
    lead = [(0, 0)] * (y.ndim - 2)
    flat = jnp.pad(y, (*lead, (0, 0), (n, 0))).reshape(*y.shape[:-2], 2 * n * n)
    flat = jnp.pad(flat, (*lead, (0, n)))
    return flat.reshape(*y.shape[:-1], 2 * n + 1)[..., :-1]
