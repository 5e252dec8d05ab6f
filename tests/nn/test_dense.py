"""Products, normalisation and GELU, and their gradients, against definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.dense import gelu, gelu_product, normalise, product


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def centred(x):
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / jnp.sqrt(var + 1e-6)


def gelu_matmul(x, w):
    return jax.nn.gelu(x, approximate=True) @ w


def assert_same(ours, plain, *inputs):
    """Compares values, and gradients along a random direction."""
    out, slopes = jax.vjp(jax.jit(ours), *inputs)
    expected, plain_slopes = jax.vjp(jax.jit(plain), *inputs)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    for a, b in zip(
        slopes(normal(9, *out.shape)), plain_slopes(normal(9, *out.shape)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("e", [3, 8, 20])
@pytest.mark.parametrize(
    ("ours", "plain"), [(product, jnp.matmul), (gelu_product, gelu_matmul)]
)
def test_products(ours, plain, e):
    """Covers both branches of the gradient: fewer columns and more."""
    assert_same(ours, plain, normal(0, 2, 5, 8), normal(1, 8, e))


def test_normalise():
    assert_same(normalise, centred, 3 * normal(0, 2, 5, 8) + 1)


def test_gelu():
    x = jnp.linspace(-6, 6, 101)
    np.testing.assert_allclose(gelu(x), jax.nn.gelu(x, approximate=True), atol=1e-6)


@pytest.mark.parametrize("wrong", [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize(
    ("ours", "plain"), [(product, jnp.matmul), (gelu_product, gelu_matmul)]
)
def test_non_finite_gradients_are_neither_hidden_nor_spread(ours, plain, wrong):
    """The training step looks for non-finite gradients, and skips the update."""
    x, w, g = normal(0, 4, 8), normal(1, 8, 3), normal(2, 4, 3).at[1, 0].set(wrong)
    ours, expected = (jax.vjp(jax.jit(f), x, w)[1](g) for f in (ours, plain))
    assert not jnp.isfinite(ours[0][1]).any()
    assert not jnp.isfinite(ours[1][:, 0]).all()
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(jnp.isfinite(a), jnp.isfinite(b))
        np.testing.assert_allclose(jnp.nan_to_num(a), jnp.nan_to_num(b), atol=1e-4)


def test_gelu_is_recomputed_for_the_gradient():
    """Each layer saves its pre-activation, and not its activation as well."""
    width, n, layers = 8, 1024, 6
    down, up = normal(0, layers, 4 * width, width), normal(1, layers, width, 4 * width)

    def peak(last):
        def loss(up, down, x):
            for i in range(layers):
                x += last(product(x, up[i]), down[i])
            return (x * x).sum()

        slopes = jax.jit(jax.grad(loss, argnums=(0, 1)))
        need = slopes.lower(up, down, normal(2, n, width)).compile().memory_analysis()
        return need.temp_size_in_bytes

    wide = 4 * n * 4 * width
    assert peak(gelu_product) + (layers - 2) * wide < peak(gelu_matmul)
