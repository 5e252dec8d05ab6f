"""Minimisation in one loop against closed forms."""

import jax.numpy as jnp
import numpy as np
import optax

from zoo.train.minimize import minimize


def test_gradient_descent_on_a_quadratic_has_its_closed_form():
    """w_k = m (1 - (1 - rate)^k) for the loss |w - m|^2 / 2."""
    target = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(3.0)}

    def loss(params, _):
        return sum(0.5 * ((params[k] - target[k]) ** 2).sum() for k in target)

    start = {"a": jnp.zeros(2), "b": jnp.zeros(())}
    params = minimize(loss, start, 5, optax.sgd(0.1))
    for name, m in target.items():
        np.testing.assert_allclose(params[name], m * (1 - 0.9**5), rtol=1e-5)
    assert float(start["b"]) == 0


def test_slice_i_of_the_batches_is_the_batch_of_step_i():
    """With a rate of 1 every step lands on its batch; halved, on a weighted sum."""
    batches = {"x": jnp.array([8.0, 4.0, 2.0])}

    def loss(w, batch):
        return 0.5 * (w - batch["x"]) ** 2

    last = minimize(loss, jnp.zeros(()), 3, optax.sgd(1.0), batches=batches)
    assert float(last) == 2
    half = minimize(loss, jnp.zeros(()), 3, optax.sgd(0.5), batches=batches)
    np.testing.assert_allclose(half, 8 / 8 + 4 / 4 + 2 / 2)
