"""Positions against complex numbers and index arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.sequence.positional import relative, rotate, skew, unskew


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_rotation_is_a_product_of_complex_numbers():
    qkv, at = normal(0, 2, 5, 3, 3, 8), np.array([[0, 1, 2, 50, 1000], [3, 1, 4, 1, 5]])
    halves = np.asarray(qkv)[..., :4] + 1j * np.asarray(qkv)[..., 4:]
    turn = np.exp(1j * at[:, :, None, None] * 10_000.0 ** (-np.arange(4) / 4))
    halves[..., :2, :] *= turn[..., None, :]
    expected = np.concatenate([halves.real, halves.imag], axis=-1)
    np.testing.assert_allclose(rotate(qkv, jnp.asarray(at)), expected, atol=2e-4)
    np.testing.assert_array_equal(
        rotate(qkv, jnp.asarray(at))[..., 2, :], qkv[..., 2, :]
    )


def test_rotated_queries_and_keys_know_only_their_distance():
    qkv, at = normal(0, 1, 6, 2, 3, 8), jnp.arange(6)[None]

    def scores(at):
        turned = rotate(qkv, at)
        return jnp.einsum("bthd,bshd->bhts", turned[..., 0, :], turned[..., 1, :])

    np.testing.assert_allclose(scores(at), scores(at + 37), atol=1e-4)
    assert not np.allclose(scores(at), scores(2 * at), atol=1e-2)


def test_skew_is_a_shift_of_each_row():
    x = np.arange(2 * 5 * 10).reshape(2, 5, 10)
    expected = [
        [[row[5 - r + c] for c in range(5)] for r, row in enumerate(one)] for one in x
    ]
    np.testing.assert_array_equal(skew(jnp.asarray(x)), expected)


def test_unskew_is_the_transpose_of_skew():
    y, x = normal(0, 3, 5, 5), jax.ShapeDtypeStruct((3, 5, 10), jnp.float32)
    (expected,) = jax.linear_transpose(skew, x)(y)
    np.testing.assert_array_equal(unskew(y), expected)
    np.testing.assert_array_equal(skew(unskew(y)), y)


@pytest.mark.parametrize("reach", [4, 9, 30])
def test_a_table_is_laid_out_from_far_to_near(reach):
    table, t, size = normal(0, 2, reach, 3), 12, 4
    laid = relative(table, t, size)
    for x, found in enumerate(laid.swapaxes(0, 1)):
        there = 0 <= t - x < reach
        np.testing.assert_array_equal(
            found, table[:, t - x] if there else jnp.zeros((2, 3))
        )
    assert laid.shape == (2, t + size, 3)
