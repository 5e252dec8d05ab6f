"""Rows of a table for tokens, with a gradient that adds up rows in one matmul.

A gather's own gradient is a scatter, which XLA runs one row after another on a CPU.
"""

import jax
import jax.numpy as jnp

from zoo.core import Array

DENSE = 1024  # rows up to which the gradient is a matmul with a one-hot matrix


@jax.custom_vjp
def _dense_lookup(table: Array, tokens: Array) -> Array:
    return table[tokens]


def _lookup_forward(table: Array, tokens: Array) -> tuple[Array, tuple[Array, Array]]:
    return table[tokens], (tokens, jnp.arange(table.shape[0]))


def _lookup_backward(saved: tuple[Array, Array], rows: Array) -> tuple[Array, None]:
    tokens, entries = saved
    axes = tuple(range(tokens.ndim))
    chosen = jnp.expand_dims(entries, tuple(1 + a for a in axes)) == tokens[None]
    over = (tuple(1 + a for a in axes), axes), ((), ())
    total = jax.lax.dot_general(
        chosen.astype(rows.dtype), rows, over, preferred_element_type=jnp.float32
    )
    return total.astype(rows.dtype), None


_dense_lookup.defvjp(_lookup_forward, _lookup_backward)


def lookup(table: Array, tokens: Array) -> Array:
    """`table[tokens]`: table [v, d] and tokens int [...] to [..., d]."""
    return _dense_lookup(table, tokens) if table.shape[0] <= DENSE else table[tokens]
