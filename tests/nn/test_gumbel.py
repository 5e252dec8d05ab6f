"""Tests of the Gumbel-softmax of samples."""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.nn.adversarial.gumbel import gumbel_softmax

KEY = jax.random.key(0)
LOGITS = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))


def test_the_argmax_is_the_sample():
    logits = jax.random.normal(KEY, (50, 6, 9))
    drawn = jax.random.categorical(jax.random.key(1), logits)
    soft = gumbel_softmax(logits, drawn, jax.random.key(2), 0.7)
    np.testing.assert_allclose(soft.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(soft.argmax(axis=-1), drawn)
    cold = gumbel_softmax(logits, drawn, jax.random.key(2), 1e-3)
    assert (cold.max(axis=-1) > 0.99).mean() > 0.95


def test_over_random_samples_it_is_the_gumbel_softmax():
    n = 40_000
    logits = jnp.broadcast_to(LOGITS, (n, 4))
    drawn = jax.random.categorical(jax.random.key(1), logits)
    ours = gumbel_softmax(logits, drawn, jax.random.key(2), 0.7)
    theirs = jax.nn.softmax(
        (logits + jax.random.gumbel(jax.random.key(3), (n, 4))) / 0.7
    )
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(
        (ours**2).mean(axis=0), (theirs**2).mean(axis=0), atol=0.01
    )


def test_averaging_perturbations_reduces_variance():
    logits, drawn = jnp.broadcast_to(LOGITS, (2000, 4)), jnp.zeros(2000, int)
    one, many = (
        gumbel_softmax(logits, drawn, KEY, 1.0, perturbations=count).std(axis=0)
        for count in (1, 16)
    )
    np.testing.assert_allclose(many, one / 4, rtol=0.2)


def test_the_gradient_is_finite_for_a_masked_category():
    logits = jnp.array([[0.0, 1.0, -1e9]])
    grads = jax.grad(lambda x: gumbel_softmax(x, jnp.array([0]), KEY, 0.5)[0, 1])(
        logits
    )
    assert np.isfinite(grads).all()
    assert grads[0, 1] > 0 == grads[0, 2]
