"""The RNN-NADE against sums over all small piano rolls."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.errors import UsageError
from zoo.models.polyphonic_rnn import PolyphonicRNN
from zoo.nn.sequence.sampling import Draw
from zoo.train.optim import optimizers
from zoo.train.step import init, make_step

OUTPUTS = ("bernoulli", "nade")
SMALL = PolyphonicRNN(keys=4, width=6, layers=2, hidden=3, length=2)


@functools.cache
def made(output):
    """Returns a family and random parameters."""
    family = dataclasses.replace(SMALL, output=output)

    @jax.jit
    def parameters():
        leaves, tree = jax.tree.flatten(
            family.init(jax.random.key(0), family.example(1))
        )
        keys = jax.random.split(jax.random.key(1), len(leaves))
        noise = [
            x + jax.random.normal(key, x.shape)
            for x, key in zip(leaves, keys, strict=True)
        ]
        return jax.tree.unflatten(tree, noise)

    return family, parameters()


def rolls(t=2, k=4):
    """Returns all piano rolls of t frames of k keys, uint8 [2 ** (t k), t, k]."""
    every = np.array(list(itertools.product((0, 1), repeat=t * k)), np.uint8)
    return jnp.asarray(every.reshape(-1, t, k))


@pytest.mark.parametrize("output", OUTPUTS)
def test_probabilities_of_all_rolls_sum_to_one(output):
    family, params = made(output)
    tokens = rolls()
    log_p = jax.jit(family.log_prob)(params, tokens, jnp.ones(tokens.shape[:2], bool))
    assert float(jnp.exp(log_p).sum()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("output", OUTPUTS)
def test_streaming_is_the_forward_pass(output):
    family, params = made(output)
    tokens = jax.random.bernoulli(jax.random.key(2), 0.4, (3, 6, 4)).astype(jnp.uint8)
    state, frame, steps = family.start(3), jnp.zeros((3, 4), jnp.uint8), []
    step = jax.jit(family.stepper(params))
    for target in tokens.swapaxes(0, 1):
        state, biases = step(state, frame)
        frame, log_p = target, 0.0
        for key in range(4):  # each key, conditioned on those below it
            logit = key_logit(params, biases, target, key)
            log_p += jax.nn.log_sigmoid(jnp.where(target[:, key] > 0, logit, -logit))
        steps.append(log_p)
    np.testing.assert_allclose(
        jnp.stack(steps, axis=1),
        family.token_log_probs(params, tokens)[0],
        rtol=1e-4,
        atol=1e-5,
    )


def key_logit(params, biases, frame, key):
    b, *c = biases
    if not c:
        return b[:, key]
    nade = params["net"]["nade"]
    hidden = jax.nn.sigmoid(c[0] + frame[:, :key].astype(jnp.float32) @ nade["w"][:key])
    return b[:, key] + hidden @ nade["v"][key]


@pytest.mark.parametrize("output", OUTPUTS)
def test_samples_have_their_probabilities(output):
    family, params = made(output)
    n = 4000
    tokens = np.asarray(family.sample(params, jax.random.key(3), n))
    assert tokens.dtype == np.uint8
    every = rolls()
    chances = np.exp(
        jax.jit(family.log_prob)(params, every, jnp.ones(every.shape[:2], bool))
    )
    frequencies = (
        np.bincount(tokens.reshape(n, -1) @ 2 ** np.arange(8)[::-1], minlength=256) / n
    )
    # in total variation, as near as samples of the right distribution come
    exact = np.random.default_rng(0).multinomial(n, chances / chances.sum()) / n
    assert np.abs(frequencies - chances).sum() < 1.3 * np.abs(exact - chances).sum()


def test_greedy_samples_are_the_most_likely_keys():
    family, params = made("nade")
    tokens = family.sample(
        params, jax.random.key(0), 2, length=6, draw=Draw(temperature=0)
    )
    np.testing.assert_array_equal(tokens[0], tokens[1])
    assert family.token_log_probs(params, tokens)[1].all()


@pytest.mark.parametrize("output", OUTPUTS)
def test_samples_continue_a_primer(output):
    family, params = made(output)
    whole = family.sample(params, jax.random.key(0), 3, length=6)
    again = family.sample(params, jax.random.key(0), 3, length=6, primer=whole[:, :4])
    np.testing.assert_array_equal(whole, again)
    one = family.sample(params, jax.random.key(0), 3, length=6, primer=whole[0, :4])
    assert (one[:, :4] == whole[:1, :4]).all()


def test_a_nade_learns_that_keys_exclude_each_other():
    """One of two keys at random: log 2 for a NADE, twice that for independent keys."""
    tokens = jax.nn.one_hot(
        jax.random.bernoulli(jax.random.key(0), 0.5, (32, 4)).astype(int), 2
    )
    batch = {"tokens": tokens.astype(jnp.uint8), "mask": jnp.ones((32, 4), bool)}

    def fitted(output):
        family = PolyphonicRNN(2, 4, 1, output=output, hidden=4, length=4)
        tx = optimizers(family, optax.adam(0.05))
        step = jax.jit(functools.partial(make_step(family, tx), due=("fit",)))
        state = init(family, tx, jax.random.key(1), batch)
        for _ in range(150):
            state, metrics = step(state, batch)
        return float(metrics["fit/nll"])

    assert fitted("nade") < 0.8
    assert fitted("bernoulli") > 1.2


def test_masked_frames_do_not_count():
    family, params = made("nade")
    batch = dict(family.example(2))
    batch["mask"] = batch["mask"].at[:, 1:].set(False)
    other = {**batch, "tokens": batch["tokens"].at[:, 1:].set(1)}
    loss = jax.jit(lambda batch: family.loss(params, batch, jax.random.key(0), None)[1])
    one, two = loss(batch), loss(other)
    assert one == two
    assert one["events"] == 2


@pytest.mark.parametrize(
    "wrong", [{"layers": 0}, {"hidden": 0}, {"dropout": 1.0}, {"output": "rbm"}]
)
def test_refuses(wrong):
    with pytest.raises(UsageError):
        PolyphonicRNN(**wrong)
