"""Rotary positions against complex numbers, skewing against index arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.sequence.attention import SelfAttention
from zoo.nn.sequence.flash_attention import causal_mask
from zoo.nn.sequence.positional import (
    pad_distances,
    rotary_angles,
    rotate,
    skew,
    unskew,
)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def rotated(x, position):
    """Rotates x [b, t, h, d] by positions [b, t]."""
    angle = rotary_angles(position, x.shape[-1])[:, :, None]
    return rotate(x, jnp.cos(angle), jnp.sin(angle))


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_rotation_is_a_product_of_complex_numbers(array):
    x, position = normal(0, 2, 5, 3, 8), [[0, 1, 2, 50, 1000], [3, 1, 4, 1, 5]]
    halves = np.asarray(x)[..., :4] + 1j * np.asarray(x)[..., 4:]
    angle = np.array(position)[:, :, None, None] * 10_000.0 ** (-np.arange(4) / 4)
    halves *= np.exp(1j * angle)
    expected = np.concatenate([halves.real, halves.imag], axis=-1)
    np.testing.assert_allclose(rotated(x, array(position)), expected, atol=2e-4)


def test_products_of_rotated_vectors_depend_on_distance_alone():
    q, k = normal(0, 2, 1, 6, 2, 8)
    position = jnp.arange(6)[None]

    def products(position):
        q_rotated, k_rotated = rotated(q, position), rotated(k, position)
        return jnp.einsum("bthd,bshd->bhts", q_rotated, k_rotated)

    np.testing.assert_allclose(products(position), products(position + 37), atol=1e-4)
    assert not np.allclose(products(position), products(2 * position), atol=1e-2)


def test_values_are_not_rotated():
    layer = SelfAttention(width=8, heads=2, length=4, position="rotary")
    x = normal(0, 1, 5, 8)
    params = layer.init(jax.random.key(0), x, causal_mask(jnp.zeros((1, 5), bool)))
    near, far = (
        layer.apply(params, x, jnp.arange(5)[None] + i, method="project")
        for i in (0, 9)
    )
    np.testing.assert_array_equal(near[..., 2, :], far[..., 2, :])
    assert not np.allclose(near[..., :2, :], far[..., :2, :], atol=1e-2)


def test_skew_is_a_shift_of_each_row():
    x = np.arange(2 * 5 * 10, dtype=np.float32).reshape(2, 5, 10)
    expected = [
        [[row[5 - r + c] for c in range(5)] for r, row in enumerate(one)] for one in x
    ]
    np.testing.assert_array_equal(skew(jnp.asarray(x)), expected)


def test_unskew_is_the_transpose_of_skew():
    y, x = normal(0, 3, 5, 5), jax.ShapeDtypeStruct((3, 5, 10), jnp.float32)
    (expected,) = jax.linear_transpose(skew, x)(y)
    np.testing.assert_array_equal(unskew(y), expected)
    np.testing.assert_array_equal(skew(unskew(y)), y)


@pytest.mark.parametrize("length", [4, 9, 30])
def test_distances_are_padded_from_far_to_near(length):
    table, t, size = normal(0, 2, length, 3), 12, 4
    padded = pad_distances(table, t, size)
    for x, row in enumerate(padded.swapaxes(0, 1)):
        exists = 0 <= t - x < length
        np.testing.assert_array_equal(
            row, table[:, t - x] if exists else jnp.zeros((2, 3))
        )
    assert padded.shape == (2, t + size, 3)
