"""Tests of MusicVAE: phrases and bars, styles, the bound, scheduled sampling."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.music_vae import TINY
from zoo.nn.sequence.sampling import Draw

KEY = jax.random.key(0)
FLAT = dataclasses.replace(TINY, conductor=0, summary=0, styles=())
FORMS = {
    "flat": FLAT,
    "hierarchical decoder": dataclasses.replace(TINY, summary=0, styles=()),
    "hierarchical": dataclasses.replace(TINY, styles=()),
    "voices": dataclasses.replace(TINY, voices=2, summary=0, styles=()),
    "two layers": dataclasses.replace(TINY, encoder=(4, 4), decoder=(6, 5), styles=()),
}


@functools.cache
def jitted(family, name):
    """Returns a compiled method that returns NumPy arrays."""
    static = {"decode": "draw", "example": "n"}.get(name)
    call = jax.jit(getattr(family, name), static_argnames=static)
    return lambda *args, **options: jax.device_get(call(*args, **options))


def example(family):
    return jitted(family, "example")(3)


def large(family):
    """Returns larger than initial parameters, so that inputs have an effect.

    BOUNDARY is never the likeliest token.
    """
    rng, shapes = (
        np.random.default_rng(0),
        jax.eval_shape(family.init, KEY, example(family)),
    )
    random = lambda x: rng.normal(0, x.ndim > 1, x.shape).astype(x.dtype)
    params = jax.tree.map(random, shapes)
    params["decoder"]["head"]["bias"].reshape(family.voices, -1)[:, 0] -= 1e3
    for name in ("mean", "log_std"):
        params["encoder"][name]["kernel"] *= 0.3
    return params


def latents(family):
    return np.random.default_rng(1).normal(size=(3, family.latent))


def other(tokens, at):
    """Returns the phrases with another token at one step of the first."""
    tokens = tokens.copy()
    tokens[0, at] = 1 + tokens[0, at] % 7
    return tokens


@pytest.mark.parametrize("name", FORMS)
def test_greedy_samples_have_the_likeliest_tokens(name):
    family = FORMS[name]
    params, z = large(family), latents(family)
    phrases = jitted(family, "decode")(params, KEY, z, draw=Draw(temperature=0))
    assert phrases.shape == example(family)["tokens"].shape
    _, hit = jitted(family, "token_log_probs")(params, z, phrases)
    assert (hit == 1).all()
    assert len(np.unique(phrases.reshape(3, -1), axis=0)) > 1  # z has an effect


def test_the_code_of_a_bar_feeds_its_share_of_the_latents():
    family = FORMS["hierarchical"]
    params, tokens = large(family), example(family)["tokens"]
    params["encoder"]["own"]["kernel"] += 1.0
    for name in ("mean", "log_std"):  # the code of the phrase has no effect
        params["encoder"][name] = jax.tree.map(np.zeros_like, params["encoder"][name])
    encode = lambda tokens: jitted(family, "encode")(params, tokens).mean[0]
    moved = np.abs(encode(tokens) - encode(other(tokens, family.steps))) > 1e-6
    assert moved.tolist() == [False, False, True, True]


def test_probabilities_of_all_phrases_sum_to_one():
    family = dataclasses.replace(TINY, vocab=3, bars=2, steps=2, styles=())
    phrases = np.array(list(itertools.product(range(3), repeat=4)))
    params = large(family)
    params["decoder"]["head"]["bias"][0] = 0.0  # BOUNDARY is as likely as any
    z = np.repeat(latents(family)[:1], len(phrases), axis=0)
    log_p, _ = jitted(family, "token_log_probs")(params, z, phrases)
    np.testing.assert_allclose(np.exp(log_p.sum(axis=1)).sum(), 1, rtol=1e-5)


def test_each_bar_starts_from_its_context():
    """Checks that only the last step of the bar before matters, unless flat."""
    tokens = example(FLAT)["tokens"]
    for family, same in ((FORMS["hierarchical decoder"], True), (FLAT, False)):
        log_prob = functools.partial(
            jitted(family, "token_log_probs"), large(family), latents(family)
        )
        one, two = (
            log_prob(x)[0][0, family.steps :] for x in (tokens, other(tokens, 1))
        )
        assert np.allclose(one, two, atol=1e-6) == same


@pytest.mark.parametrize("name", ["flat", "hierarchical"])
def test_the_encoding_depends_on_every_step_and_on_the_order_of_bars(name):
    family = FORMS[name]
    tokens, params = example(family)["tokens"], large(family)
    encode = lambda tokens: jitted(family, "encode")(params, tokens).mean[0]
    turned = np.roll(tokens, family.steps, axis=1)  # the bars in another order
    assert not np.allclose(encode(tokens), encode(turned), atol=1e-4)
    for at in range(family.length):
        assert not np.allclose(encode(tokens), encode(other(tokens, at)), atol=1e-4)


def test_the_posterior_is_float32_under_mixed_precision():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), large(FLAT))
    q = jax.eval_shape(FLAT.encode, params, example(FLAT)["tokens"])
    assert {x.dtype for x in q} == {jnp.dtype("float32")}


def test_the_loss_is_the_bound():
    family = dataclasses.replace(FLAT, beta=0.5)
    params, batch = large(FLAT), jitted(FLAT, "example")(4)
    batch["mask"] = batch["mask"] & (np.arange(4) < 3)[:, None]
    loss, metrics = jitted(family, "loss")(params, batch, KEY, None)
    assert metrics["events"] == 3
    np.testing.assert_allclose(
        metrics["nll"], metrics["reconstruction"] + metrics["kl"], rtol=1e-5
    )
    np.testing.assert_allclose(loss, metrics["nll"] - 0.5 * metrics["kl"], rtol=1e-5)
    q = jitted(FLAT, "encode")(params, batch["tokens"][:3])
    expected = 0.5 * (q.mean**2 + np.exp(2 * q.log_std) - 1) - q.log_std
    np.testing.assert_allclose(metrics["kl"], expected.sum() / 3, rtol=1e-4)


def test_the_likelihood_is_exact_for_a_decoder_without_latents():
    """With the prior for a posterior all importance weights are equal."""
    params, batch = large(FLAT), example(FLAT)
    for name in ("mean", "log_std"):
        params["encoder"][name] = jax.tree.map(np.zeros_like, params["encoder"][name])
    decoder = params["decoder"]
    decoder["lstm_0"]["v"] = np.zeros_like(decoder["lstm_0"]["v"])
    decoder["enter"] = jax.tree.map(np.zeros_like, decoder["enter"])
    estimate = jitted(FLAT, "log_prob")(params, batch["tokens"], batch["mask"])
    log_p, _ = jitted(FLAT, "token_log_probs")(
        params, np.zeros((3, FLAT.latent)), batch["tokens"]
    )
    np.testing.assert_allclose(estimate, log_p.sum(axis=1), rtol=1e-5)


def test_the_likelihood_without_a_style_is_that_of_the_mixture():
    family = dataclasses.replace(TINY, conductor=0, particles=2)
    params, batch = large(family), example(family)
    log_prob = functools.partial(
        jitted(family, "log_prob"), params, batch["tokens"], batch["mask"]
    )
    each = np.stack([log_prob(np.full(3, y)) for y in range(2)])
    np.testing.assert_allclose(
        log_prob(None), np.log(np.exp(each).mean(axis=0)), rtol=1e-5
    )


def test_more_particles_raise_the_bound():
    few, many = (dataclasses.replace(FLAT, particles=n) for n in (1, 256))
    params, batch = large(FLAT), jitted(FLAT, "example")(8)
    one, most = (
        jitted(f, "log_prob")(params, batch["tokens"], batch["mask"])
        for f in (few, many)
    )
    assert most.mean() > one.mean()


def test_beta_is_annealed_in_training_only():
    family = dataclasses.replace(FLAT, beta=0.5, kl_anneal=0.9)
    params, batch = large(FLAT), example(FLAT)
    beta = jax.jit(lambda step: family.loss(params, batch, KEY, step)[1]["beta"])
    assert beta(np.array(0)) == 0
    np.testing.assert_allclose(beta(np.array(1)), 0.05, rtol=1e-5)
    assert beta(None) == 0.5


def test_scheduled_sampling_replaces_the_inputs_in_training_only():
    family = dataclasses.replace(FLAT, sampling_schedule=10.0)
    inputs = large(FLAT), np.zeros((3, family.latent)), example(FLAT)["tokens"]
    forced, _ = jitted(FLAT, "token_log_probs")(*inputs)
    late, _ = jitted(family, "token_log_probs")(*inputs, rng=KEY, step=np.array(1000))
    np.testing.assert_allclose(
        late[:, 0], forced[:, 0], rtol=1e-5
    )  # nothing comes before
    assert not np.allclose(late, forced, atol=1e-3)
    evaluated, _ = jitted(family, "token_log_probs")(*inputs, rng=KEY, step=None)
    np.testing.assert_allclose(evaluated, forced)


def test_styles_have_an_effect_and_may_be_mixed():
    family = dataclasses.replace(TINY, styles=("a", "b", "c"))
    inputs = large(family), latents(family), example(family)["tokens"]
    log_prob = lambda style: jitted(family, "token_log_probs")(
        *inputs, style=np.array([style] * 3)
    )[0]
    assert not np.allclose(log_prob(0), log_prob(2), atol=1e-3)
    np.testing.assert_allclose(log_prob([1.0, 0, 0]), log_prob(0), rtol=1e-5)
    assert not np.allclose(log_prob([0.5, 0, 0.5]), log_prob(0), atol=1e-3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: dataclasses.replace(TINY, latent=5),
            "latent is 5 and bars are 2.*a multiple",
        ),
        (
            lambda: dataclasses.replace(TINY, decoder=()),
            "decoder has no layer",
        ),
        (
            lambda: TINY.sample(large(TINY), KEY, 1, length=9),
            "length is 9, and a phrase has 8",
        ),
        (
            lambda: TINY.encode(large(TINY), example(TINY)["tokens"]),
            "style is missing",
        ),
        (
            lambda: FLAT.encode(large(FLAT), example(FLAT)["tokens"], np.zeros(3, int)),
            "trained without styles",
        ),
    ],
)
def test_bad_requests_are_errors(call, says):
    with pytest.raises(UsageError, match=says):
        call()
