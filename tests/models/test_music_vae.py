"""What is peculiar to MusicVAE: phrases and their bars, styles, the bound, scheduled sampling."""

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
    "in bars": dataclasses.replace(TINY, summary=0, styles=()),
    "read in bars": dataclasses.replace(TINY, styles=()),
    "voices": dataclasses.replace(TINY, voices=2, summary=0, styles=()),
    "two layers": dataclasses.replace(TINY, encoder=(4, 4), decoder=(6, 5), styles=()),
}


@functools.cache
def jitted(family, name):
    """A method whose arrays are NumPy's: an operation of JAX's on its own is compiled."""
    static = {"decode": "draw", "example": "n"}.get(name)
    call = jax.jit(getattr(family, name), static_argnames=static)
    return lambda *args, **options: jax.device_get(call(*args, **options))


def example(family):
    return jitted(family, "example")(3)


def born(family):
    """Larger than at birth, so that what is read shows; BOUNDARY never likeliest."""
    rng, shapes = (
        np.random.default_rng(0),
        jax.eval_shape(family.init, KEY, example(family)),
    )
    drawn = lambda x: rng.normal(0, x.ndim > 1, x.shape).astype(x.dtype)
    params = jax.tree.map(drawn, shapes)
    params["decoder"]["head"]["bias"].reshape(family.voices, -1)[:, 0] -= 1e3
    for name in ("mean", "log_std"):
        params["encoder"][name]["kernel"] *= 0.3
    return params


def latents(family):
    return np.random.default_rng(1).normal(size=(3, family.latent))


def other(tokens, at):
    """The same phrases but for a step of the first."""
    tokens = tokens.copy()
    tokens[0, at] = 1 + tokens[0, at] % 7
    return tokens


@pytest.mark.parametrize("name", FORMS)
def test_what_is_drawn_likeliest_is_scored_likeliest(name):
    family = FORMS[name]
    params, z = born(family), latents(family)
    phrases = jitted(family, "decode")(params, KEY, z, draw=Draw(temperature=0))
    assert phrases.shape == example(family)["tokens"].shape
    _, hit = jitted(family, "token_log_probs")(params, z, phrases)
    assert (hit == 1).all()
    assert len(np.unique(phrases.reshape(3, -1), axis=0)) > 1  # z says something


def test_what_is_read_of_a_bar_goes_to_its_share_of_the_latents():
    family = FORMS["read in bars"]
    params, tokens = born(family), example(family)["tokens"]
    params["encoder"]["own"]["kernel"] += 1.0
    for name in ("mean", "log_std"):  # what is read of all of them says nothing
        params["encoder"][name] = jax.tree.map(np.zeros_like, params["encoder"][name])
    encode = lambda tokens: jitted(family, "encode")(params, tokens).mean[0]
    moved = np.abs(encode(tokens) - encode(other(tokens, family.steps))) > 1e-6
    assert moved.tolist() == [False, False, True, True]


def test_probabilities_of_all_phrases_sum_to_one():
    family = dataclasses.replace(TINY, vocab=3, bars=2, steps=2, styles=())
    phrases = np.array(list(itertools.product(range(3), repeat=4)))
    params = born(family)
    params["decoder"]["head"]["bias"][0] = 0.0  # BOUNDARY is as likely as any
    z = np.repeat(latents(family)[:1], len(phrases), axis=0)
    log_p, _ = jitted(family, "token_log_probs")(params, z, phrases)
    np.testing.assert_allclose(np.exp(log_p.sum(axis=1)).sum(), 1, rtol=1e-5)


def test_each_bar_starts_from_its_conductor():
    """What was written in the bar before matters by its last step alone; flat, by all of it."""
    tokens = example(FLAT)["tokens"]
    for family, same in ((FORMS["in bars"], True), (FLAT, False)):
        score = functools.partial(
            jitted(family, "token_log_probs"), born(family), latents(family)
        )
        one, two = (score(x)[0][0, family.steps :] for x in (tokens, other(tokens, 1)))
        assert np.allclose(one, two, atol=1e-6) == same


@pytest.mark.parametrize("name", ["flat", "read in bars"])
def test_the_encoder_reads_all_of_a_phrase_in_its_order(name):
    family = FORMS[name]
    tokens, params = example(family)["tokens"], born(family)
    encode = lambda tokens: jitted(family, "encode")(params, tokens).mean[0]
    turned = np.roll(tokens, family.steps, axis=1)  # the same bars, the other way round
    assert not np.allclose(encode(tokens), encode(turned), atol=1e-4)
    for at in range(family.length):
        assert not np.allclose(encode(tokens), encode(other(tokens, at)), atol=1e-4)


def test_the_rate_is_float32_whatever_is_multiplied():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), born(FLAT))
    q = jax.eval_shape(FLAT.encode, params, example(FLAT)["tokens"])
    assert {x.dtype for x in q} == {jnp.dtype("float32")}


def test_the_loss_is_the_bound():
    family = dataclasses.replace(FLAT, beta=0.5)
    params, batch = born(FLAT), jitted(FLAT, "example")(4)
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


def test_likelihood_is_exact_where_z_says_nothing():
    """With the prior for posterior and a decoder deaf to z, every sample weighs the same."""
    params, batch = born(FLAT), example(FLAT)
    for name in ("mean", "log_std"):
        params["encoder"][name] = jax.tree.map(np.zeros_like, params["encoder"][name])
    decoder = params["decoder"]
    decoder["lstm_0"]["v"] = np.zeros_like(decoder["lstm_0"]["v"])
    decoder["enter"] = jax.tree.map(np.zeros_like, decoder["enter"])
    found = jitted(FLAT, "log_prob")(params, batch["tokens"], batch["mask"])
    log_p, _ = jitted(FLAT, "token_log_probs")(
        params, np.zeros((3, FLAT.latent)), batch["tokens"]
    )
    np.testing.assert_allclose(found, log_p.sum(axis=1), rtol=1e-5)


def test_likelihood_without_a_style_is_that_of_all_alike():
    family = dataclasses.replace(TINY, conductor=0, particles=2)
    params, batch = born(family), example(family)
    score = functools.partial(
        jitted(family, "log_prob"), params, batch["tokens"], batch["mask"]
    )
    each = np.stack([score(np.full(3, y)) for y in range(2)])
    np.testing.assert_allclose(
        score(None), np.log(np.exp(each).mean(axis=0)), rtol=1e-5
    )


def test_more_particles_come_closer():
    few, many = (dataclasses.replace(FLAT, particles=n) for n in (1, 256))
    params, batch = born(FLAT), jitted(FLAT, "example")(8)
    one, most = (
        jitted(f, "log_prob")(params, batch["tokens"], batch["mask"])
        for f in (few, many)
    )
    assert most.mean() > one.mean()


def test_beta_is_annealed_in_training_alone():
    family = dataclasses.replace(FLAT, beta=0.5, anneal=0.9)
    params, batch = born(FLAT), example(FLAT)
    beta = jax.jit(lambda step: family.loss(params, batch, KEY, step)[1]["beta"])
    assert beta(np.array(0)) == 0
    np.testing.assert_allclose(beta(np.array(1)), 0.05, rtol=1e-5)
    assert beta(None) == 0.5


def test_scheduled_sampling_gives_way_to_the_networks_own_tokens():
    family = dataclasses.replace(FLAT, schedule=10.0)
    asked = born(FLAT), np.zeros((3, family.latent)), example(FLAT)["tokens"]
    forced, _ = jitted(FLAT, "token_log_probs")(*asked)
    late, _ = jitted(family, "token_log_probs")(*asked, None, KEY, np.array(1000))
    np.testing.assert_allclose(
        late[:, 0], forced[:, 0], rtol=1e-5
    )  # nothing comes before
    assert not np.allclose(late, forced, atol=1e-3)
    own, _ = jitted(family, "token_log_probs")(*asked, None, KEY, None)
    np.testing.assert_allclose(own, forced)


def test_a_style_is_heard_and_may_be_mixed():
    family = dataclasses.replace(TINY, styles=("a", "b", "c"))
    asked = born(family), latents(family), example(family)["tokens"]
    score = lambda style: jitted(family, "token_log_probs")(
        *asked, np.array([style] * 3)
    )[0]
    assert not np.allclose(score(0), score(2), atol=1e-3)
    np.testing.assert_allclose(score([1.0, 0, 0]), score(0), rtol=1e-5)
    assert not np.allclose(score([0.5, 0, 0.5]), score(0), atol=1e-3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: dataclasses.replace(TINY, latent=5),
            "latent is 5 and bars are 2.*a multiple",
        ),
        (
            lambda: dataclasses.replace(TINY, decoder=()),
            "decoder is 0: choose 1 or more",
        ),
        (
            lambda: dataclasses.replace(TINY, free=-1.0),
            "free is -1.0: choose 0 or more",
        ),
        (
            lambda: dataclasses.replace(TINY, beta=float("nan")),
            "beta is nan: choose 0 or more",
        ),
        (lambda: dataclasses.replace(TINY, anneal=1.0), "anneal is 1.0"),
        (
            lambda: TINY.sample(born(TINY), KEY, 1, length=9),
            "phrases have 8 steps, not 9",
        ),
        (lambda: TINY.encode(born(TINY), example(TINY)["tokens"]), "a style is needed"),
        (
            lambda: FLAT.encode(born(FLAT), example(FLAT)["tokens"], np.zeros(3, int)),
            "the model knows no styles",
        ),
    ],
)
def test_bad_requests_say_so(call, says):
    with pytest.raises(UsageError, match=says):
        call()
