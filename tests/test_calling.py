"""Families and models however they are called: with 64-bit floats, without promotion of
dtypes, from NumPy's arrays, after pickling, and in a fork."""

import functools
import os
import pickle
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_models import conditioning, trained

import zoo.models
from zoo.errors import UsageError
from zoo.train.evaluate import check_tokens, evaluate, evaluator
from zoo.train.optim import optimizers
from zoo.train.step import init, make_step

FAMILIES = {name: module.TINY for name, module in zoo.models.families().items()}
PICKLED = ["lstm", "coconet", "latent_mdn"]  # whose task and family hold others too
KEY = functools.partial(jax.random.key, 0)


def shapes(family, params=None):
    """Returns the shapes of all that a family computes, without compiling.

    Args:
      family: the family.
      params: parameters to evaluate and to sample, which are then constants, as they
        are in an un-jitted call; by default initial ones, traced.
    """
    tx = optimizers(family, optax.adam(1e-2))
    state = jax.eval_shape(lambda: init(family, tx, KEY(), family.example(4)))
    step = make_step(family, tx, ema=0.9)
    batch = family.example(4)
    names = tuple(family.objectives())
    after, logs = jax.eval_shape(lambda state: step(state, batch, names), state)
    if params is None:
        call = lambda f: jax.eval_shape(f, state.params)
    else:
        batch = {key: np.asarray(value) for key, value in batch.items()}
        call = lambda f: jax.eval_shape(lambda: f(params))
    metrics = call(lambda params: evaluate(family, params, batch, KEY()))
    rows = call(
        lambda params: family.sample(params, KEY(), 3, **conditioning(family, 3))
    )
    return state.params, after.params, logs, metrics, rows


def dtypes(tree):
    """Returns the dtypes of parameters, with 64-bit integers as 32-bit ones."""
    return [str(x.dtype).replace("int64", "int32") for x in jax.tree.leaves(tree)]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_promotes_no_dtype_by_chance_and_runs_in_64_bits(name):
    """Its parameters and their updates are the same in both modes.

    Where JAX's strict promotion raises nothing, it changes nothing. In 64 bits the
    parameters are NumPy's.
    """
    family = FAMILIES[name]
    with jax.numpy_dtype_promotion("strict"):
        plain = shapes(family)
    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: np.full(x.shape, 0.01, x.dtype), plain[0])
        other = shapes(family, params)
    assert dtypes(other[:2]) == dtypes(plain[:2])
    assert jax.tree.map(jnp.shape, other) == jax.tree.map(jnp.shape, plain)


@functools.cache
def model(name):
    return trained(name)


@pytest.mark.parametrize("name", PICKLED)
def test_a_model_that_has_sampled_is_pickled(name):
    one = model(name)
    rows = one.tokens(2, seed=3)
    again = pickle.loads(pickle.dumps(one))
    assert again.family == one.family
    for x, y in zip(*map(jax.tree.leaves, (one.params, again.params)), strict=True):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(again.tokens(2, seed=3), rows)


def test_a_fork_is_refused_in_a_sentence():
    one = model("lstm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of forks
        child = os.fork()
    if child == 0:
        try:
            one.tokens(1)
        except UsageError as error:
            os._exit(7 if "spawn" in str(error) else 8)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("token", [-1, 12, 1000])
def test_a_token_outside_the_vocabulary_is_refused(token):
    family = FAMILIES["lstm"]
    batch = {key: np.array(value) for key, value in family.example(2).items()}
    check_tokens(family, batch)
    vocab = family.vocab
    batch["tokens"][1, 3] = token if token < 0 else vocab + token - 12
    wrong = batch["tokens"][1, 3]
    with pytest.raises(UsageError, match=f"token {wrong}, .* ends at {vocab - 1}:"):
        evaluator(family)({}, [batch])
