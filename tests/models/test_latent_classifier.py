"""Tests of the classifier on problems with known answers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.latent_classifier import TINY, LatentClassifier
from zoo.train.optim import optimizers
from zoo.train.step import init, make_step

LINEAR = LatentClassifier(("low", "high"), vocab=None, latent=2, layers=0, dropout=0.0)


def logistic(slope):
    """Returns parameters of p(high|z) = sigmoid(slope z_0)."""
    kernel = jnp.zeros((2, 2)).at[0, 1].set(slope)
    return {"net": {"Dense_0": {"kernel": kernel, "bias": jnp.zeros(2)}}}


def test_probabilities_are_those_of_a_logistic_model():
    z = jnp.array([[0.3, 5.0], [-2.0, 1.0]])
    log_p = LINEAR.predict(logistic(2.0), z)
    high = 1 / (1 + np.exp(-2 * z[:, 0]))
    np.testing.assert_allclose(
        jnp.exp(log_p), np.stack([1 - high, high], axis=1), rtol=1e-5
    )
    batch = {
        "latents": z,
        "style": jnp.array([1, 1]),
        "mask": jnp.array([[True], [False]]),
    }
    loss, metrics = LINEAR.loss(logistic(2.0), batch, jax.random.key(0), None)
    np.testing.assert_allclose(loss, -np.log(high[0]), rtol=1e-5)
    assert metrics["accuracy"] == 1
    assert metrics["events"] == 1


def test_latents_move_to_the_optimum_of_probability_and_distance():
    """Checks that the gradient of log sigmoid(s z) - (z - a)^2 / 2 is 0."""
    z, slope = jnp.array([[-1.0, 3.0]]), 2.0
    move = jax.jit(
        lambda z: LINEAR.move_to_style(logistic(slope), z, jnp.array([1]), steps=400)
    )
    moved = move(z)
    np.testing.assert_allclose(
        moved[0, 1], 3.0, atol=1e-3
    )  # the style does not depend on it
    x = float(moved[0, 0])
    np.testing.assert_allclose(slope / (1 + np.exp(slope * x)), x + 1, atol=1e-2)


def test_the_order_of_tokens_is_classified():
    """Trains on rising and falling lines of the same tokens."""
    family = dataclasses.replace(TINY, dropout=0.0, width=8)
    lines = jnp.stack([jnp.arange(1, 7), jnp.arange(6, 0, -1)])
    batch = {"tokens": lines, "style": jnp.arange(2), "mask": jnp.ones((2, 6), bool)}
    tx = optimizers(family, optax.adam(3e-2))
    state = init(family, tx, jax.random.key(0), batch)
    step = jax.jit(make_step(family, tx), static_argnames="due")
    for _ in range(30):
        state, metrics = step(state, batch, due=("entropy",))
    assert metrics["entropy/accuracy"] == 1
    assert metrics["entropy/nll"] < 0.3


def test_one_style_is_an_error():
    with pytest.raises(UsageError, match="name two or more"):
        LatentClassifier(("only",))


CONVOLUTIONS = LatentClassifier(
    ("up", "down"), 8, 6, width=8, dropout=0.0, patch=2, dilations=(1, 2)
)


def test_convolutions_classify_the_order_of_sets_of_tokens():
    """Trains on rising and falling lines of the same tokens, each with a constant."""
    lines = jnp.stack([jnp.arange(1, 7), jnp.arange(6, 0, -1)])
    tokens = jnp.stack([lines, jnp.full_like(lines, 7)], axis=-1)
    batch = {"tokens": tokens, "style": jnp.arange(2), "mask": jnp.ones((2, 1), bool)}
    tx = optimizers(CONVOLUTIONS, optax.adam(1e-2))
    state = init(CONVOLUTIONS, tx, jax.random.key(0), batch)
    step = jax.jit(make_step(CONVOLUTIONS, tx), static_argnames="due")
    for _ in range(40):
        state, metrics = step(state, batch, due=("entropy",))
    assert metrics["entropy/nll"] < 0.1
    assert metrics["rejected"] == 0


def test_classes_are_a_linear_function_of_the_features():
    params = CONVOLUTIONS.init(jax.random.key(0), CONVOLUTIONS.example(1))
    tokens = jax.random.randint(jax.random.key(1), (3, 6, 2), 0, 8)
    hidden = CONVOLUTIONS.features(params, tokens)
    last = params["net"]["Dense_1"]
    np.testing.assert_allclose(
        CONVOLUTIONS.predict(params, tokens),
        jax.nn.log_softmax(hidden @ last["kernel"] + last["bias"][None]),
        atol=1e-5,
    )


def test_nothing_is_added_by_token_zero():
    params = CONVOLUTIONS.init(jax.random.key(0), CONVOLUTIONS.example(1))
    tokens = jax.random.randint(jax.random.key(1), (3, 6, 1), 1, 8)
    padded = jnp.pad(tokens, [(0, 0), (0, 0), (0, 2)])
    one, other = (CONVOLUTIONS.predict(params, x) for x in (tokens, padded))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_patches_divide_the_length():
    with pytest.raises(UsageError, match="patch is 4 and length 6"):
        dataclasses.replace(CONVOLUTIONS, patch=4)
