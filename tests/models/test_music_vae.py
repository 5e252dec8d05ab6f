"""What is peculiar to MusicVAE: phrases and their bars, styles, the bound, scheduled sampling."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.music_vae import TINY
from zoo.nn.decode import Draw

KEY = jax.random.key(0)
FLAT = dataclasses.replace(TINY, conductor=0, summary=0, styles=())
FORMS = {
    "flat": FLAT,
    "in bars": dataclasses.replace(TINY, summary=0, styles=()),
    "read in bars": dataclasses.replace(TINY, styles=()),
    "voices": dataclasses.replace(TINY, voices=2, summary=0, styles=()),
    "two layers": dataclasses.replace(TINY, encoder=(4, 4), decoder=(6, 5), styles=()),
}


def born(family):
    """Larger than at birth, so that what is read shows; BOUNDARY never likeliest."""
    params = jax.tree.map(lambda x: 3 * x, jax.jit(family.init)(KEY, family.example(2)))
    bias = params["decoder"]["head"]["bias"].reshape(family.voices, -1).at[:, 0].add(-1e3)
    params["decoder"]["head"]["bias"] = bias.reshape(-1)
    for i, name in enumerate(("mean", "log_std")):
        kernel = params["encoder"][name]["kernel"]
        params["encoder"][name]["kernel"] = 0.3 * jax.random.normal(jax.random.key(i), kernel.shape)
    return params


@pytest.mark.parametrize("name", FORMS)
def test_what_is_drawn_likeliest_is_scored_likeliest(name):
    family = FORMS[name]
    params, z = born(family), jax.random.normal(KEY, (3, family.latent))
    decode = jax.jit(family.decode, static_argnames="draw")
    phrases = decode(params, KEY, z, draw=Draw(temperature=0))
    assert phrases.shape == family.example(3)["tokens"].shape
    _, hit = jax.jit(family.score)(params, z, phrases)
    assert (hit == 1).all()
    assert len(np.unique(phrases.reshape(3, -1), axis=0)) > 1  # z says something


def test_what_is_read_of_a_bar_goes_to_its_share_of_the_latents():
    family = FORMS["read in bars"]
    params, tokens = born(family), family.example(1)["tokens"]
    params["encoder"]["own"]["kernel"] += 1.0
    for name in ("mean", "log_std"):  # what is read of all of them says nothing
        params["encoder"][name] = jax.tree.map(jnp.zeros_like, params["encoder"][name])
    encode = jax.jit(lambda tokens: family.encode(params, tokens).mean[0])
    other = tokens.at[0, family.steps].set(1 + tokens[0, family.steps] % 7)
    moved = np.abs(encode(tokens) - encode(other)) > 1e-6
    assert moved.tolist() == [False, False, True, True]


def test_probabilities_of_all_phrases_sum_to_one():
    family = dataclasses.replace(TINY, vocab=3, bars=2, steps=2, styles=())
    phrases = jnp.array(list(itertools.product(range(3), repeat=4)))
    params = jax.jit(family.init)(KEY, family.example(1))
    z = jnp.broadcast_to(jax.random.normal(KEY, (family.latent,)), (len(phrases), family.latent))
    log_p, _ = jax.jit(family.score)(params, z, phrases)
    np.testing.assert_allclose(jnp.exp(log_p.sum(axis=1)).sum(), 1, rtol=1e-5)


def test_each_bar_starts_from_its_conductor():
    """What was written in the bar before matters by its last step alone; flat, by all of it."""
    tokens = FLAT.example(1)["tokens"]
    other = tokens.at[0, 1].set(1 + tokens[0, 1] % 7)
    for family, same in ((FORMS["in bars"], True), (FLAT, False)):
        params, z = born(family), jax.random.normal(KEY, (1, family.latent))
        score = jax.jit(family.score)
        one, two = (score(params, z, x)[0][0, family.steps :] for x in (tokens, other))
        assert jnp.allclose(one, two, atol=1e-6) == same


@pytest.mark.parametrize("name", ["flat", "read in bars"])
def test_the_encoder_reads_all_of_a_phrase_in_its_order(name):
    family = FORMS[name]
    tokens, params = family.example(1)["tokens"], born(family)
    encode = jax.jit(family.encode)
    turned = jnp.roll(tokens, family.steps, axis=1)  # the same bars, the other way round
    assert not jnp.allclose(encode(params, tokens).mean, encode(params, turned).mean, atol=1e-4)
    for at in range(family.length):
        other = tokens.at[0, at].set(1 + tokens[0, at] % 7)
        assert not jnp.allclose(encode(params, tokens).mean, encode(params, other).mean, atol=1e-4)


def test_the_rate_is_float32_whatever_is_multiplied():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), born(FLAT))
    q = jax.eval_shape(FLAT.encode, params, FLAT.example(1)["tokens"])
    assert {x.dtype for x in q} == {jnp.dtype("float32")}


def test_the_loss_is_the_bound():
    family = dataclasses.replace(FLAT, beta=0.5)
    params, batch = born(family), family.example(4)
    batch["mask"] = batch["mask"].at[3].set(False)
    loss, metrics = jax.jit(lambda p: family.loss(p, batch, KEY, None))(params)
    assert metrics["events"] == 3
    np.testing.assert_allclose(metrics["nll"], metrics["reconstruction"] + metrics["kl"], rtol=1e-5)
    np.testing.assert_allclose(loss, metrics["nll"] - 0.5 * metrics["kl"], rtol=1e-5)
    q = family.encode(params, batch["tokens"][:3])
    expected = 0.5 * (q.mean**2 + jnp.exp(2 * q.log_std) - 1) - q.log_std
    np.testing.assert_allclose(metrics["kl"], expected.sum() / 3, rtol=1e-4)


def test_likelihood_is_exact_where_z_says_nothing():
    """With the prior for posterior and a decoder deaf to z, every sample weighs the same."""
    params, batch = born(FLAT), FLAT.example(2)
    for name in ("mean", "log_std"):
        params["encoder"][name] = jax.tree.map(jnp.zeros_like, params["encoder"][name])
    decoder = params["decoder"]
    decoder["lstm_0"]["v"] = jnp.zeros_like(decoder["lstm_0"]["v"])
    decoder["enter"] = jax.tree.map(jnp.zeros_like, decoder["enter"])
    found = jax.jit(FLAT.log_prob)(params, batch["tokens"], batch["mask"])
    log_p, _ = FLAT.score(params, jnp.zeros((2, FLAT.latent)), batch["tokens"])
    np.testing.assert_allclose(found, log_p.sum(axis=1), rtol=1e-5)


def test_likelihood_without_a_style_is_that_of_all_alike():
    family = dataclasses.replace(TINY, conductor=0, particles=2)
    params, batch = born(family), family.example(3)
    score = lambda style: family.log_prob(params, batch["tokens"], batch["mask"], style)
    each = np.stack([score(jnp.full(3, y)) for y in range(2)])
    np.testing.assert_allclose(score(None), np.log(np.exp(each).mean(axis=0)), rtol=1e-5)


def test_more_particles_come_closer():
    few, many = (dataclasses.replace(FLAT, particles=n) for n in (1, 256))
    params, batch = born(FLAT), FLAT.example(8)
    one, most = (f.log_prob(params, batch["tokens"], batch["mask"]) for f in (few, many))
    assert most.mean() > one.mean()


def test_beta_is_annealed_in_training_alone():
    family = dataclasses.replace(FLAT, beta=0.5, anneal=0.9)
    params, batch = born(family), family.example(2)
    beta = lambda step: family.loss(params, batch, KEY, step)[1]["beta"]
    assert beta(jnp.array(0)) == 0
    np.testing.assert_allclose(beta(jnp.array(1)), 0.05, rtol=1e-5)
    assert beta(None) == 0.5


def test_scheduled_sampling_gives_way_to_the_networks_own_tokens():
    family = dataclasses.replace(FLAT, schedule=10.0)
    params, batch = born(family), family.example(2)
    z = jnp.zeros((2, family.latent))
    score = lambda step: family.score(params, z, batch["tokens"], None, KEY, step)[0]
    forced = family.score(params, z, batch["tokens"])[0]
    late = score(jnp.array(1000))
    np.testing.assert_allclose(late[:, 0], forced[:, 0], rtol=1e-5)  # nothing comes before
    assert not jnp.allclose(late, forced, atol=1e-3)
    own, _ = family.score(params, z, batch["tokens"], None, KEY, None)
    np.testing.assert_allclose(own, forced)


def test_a_style_is_heard_and_may_be_mixed():
    family = dataclasses.replace(TINY, styles=("a", "b", "c"))
    params, z = born(family), jax.random.normal(KEY, (1, family.latent))
    tokens = family.example(1)["tokens"]
    score = lambda style: family.score(params, z, tokens, style)[0]
    one, other = score(jnp.array([0])), score(jnp.array([2]))
    assert not jnp.allclose(one, other, atol=1e-3)
    np.testing.assert_allclose(score(jnp.array([[1.0, 0, 0]])), one, rtol=1e-5)
    assert not jnp.allclose(score(jnp.array([[0.5, 0, 0.5]])), one, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: dataclasses.replace(TINY, latent=5), "latent is 5 and bars are 2.*a multiple"),
        (lambda: dataclasses.replace(TINY, decoder=()), "decoder is 0: choose 1 or more"),
        (lambda: dataclasses.replace(TINY, free=-1.0), "free is -1.0: choose 0 or more"),
        (lambda: dataclasses.replace(TINY, beta=float("nan")), "beta is nan: choose 0 or more"),
        (lambda: dataclasses.replace(TINY, anneal=1.0), "anneal is 1.0"),
        (lambda: TINY.sample(born(TINY), KEY, 1, length=9), "phrases have 8 steps, not 9"),
        (lambda: TINY.encode(born(TINY), TINY.example(1)["tokens"]), "a style is needed"),
        (
            lambda: FLAT.encode(born(FLAT), FLAT.example(1)["tokens"], jnp.array([0])),
            "the model knows no styles",
        ),
    ],
)
def test_bad_requests_say_so(call, says):
    with pytest.raises(UsageError, match=says):
        call()
