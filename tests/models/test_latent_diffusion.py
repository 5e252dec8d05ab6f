"""What is peculiar to latent diffusion: the way back from noise, the bound, and what is given."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from zoo.errors import UsageError
from zoo.models.latent_diffusion import TINY, LatentDiffusion, reveal
from zoo.models.music_vae import MusicVAE
from zoo.nn.diffusion import MOST, cosine, density, even, linear, mix, solve
from zoo.nn.latents import natural, principal, standard

KEY = jax.random.key(0)
MEAN, STD = 0.3, 0.7  # of normal data, of which the best denoiser is known


def best(y, level):
    """The mean of x given y = a x + s e, for x ~ N(MEAN, STD^2)."""
    a, s = mix(level)
    return MEAN + a * STD**2 / (a**2 * STD**2 + s**2) * (y - a * MEAN)


class Best(LatentDiffusion):
    """One that needs no net: it knows what all latents are drawn from."""

    def velocity(self, params, noisy, level, known, given, there, style):
        a, s = (c[:, None, None] for c in mix(level))
        return (a * noisy - best(noisy, level[:, None, None])) / s


BEST = Best(vae=TINY.vae, parts=4, axes=2, width=8, layers=1, heads=2)
TURN = np.array([[0.6, 0.0], [0.8, 0.0], [0.0, -1.0]])  # two axes of three latents
NORM = {"mean": jnp.array([1.0, 0.0, -1.0]), "axes": jnp.asarray(TURN), "unit": jnp.array(2.0)}
NORM["variance"] = jnp.array([STD**2, 1.0])


@functools.cache
def born():
    """Parameters whose gates are open, so that what is read shows."""
    params = jax.jit(TINY.init)(KEY, TINY.example(2))
    leaves, tree = jax.tree.flatten(params["net"])
    keys = jax.random.split(jax.random.key(1), len(leaves))
    net = [x + 0.3 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    return params | {"net": jax.tree.unflatten(tree, net), "norm": NORM}


@functools.cache
def drawn():
    return jax.jit(TINY.latents, static_argnames=("n", "steps"))


def test_from_noise_comes_what_the_denoiser_knows():
    """Quantiles go to quantiles, and the error falls as the square of the steps."""
    noise = jnp.asarray(stats.norm.ppf((np.arange(999) + 0.5) / 999), jnp.float32)
    wanted = MEAN + STD * noise
    error = {
        steps: np.abs(jax.jit(lambda x, steps=steps: solve(best, x, steps))(noise) - wanted).max()
        for steps in (10, 20, 40)
    }
    assert error[20] < 0.03
    assert 2.5 < error[10] / error[20] < 6
    assert 2.5 < error[20] / error[40] < 6


def test_what_is_known_of_normal_data_is_the_best_denoiser():
    """At birth, when the net says nothing yet, samples have the variance along each axis."""
    y, level = jnp.linspace(-2, 2, 9), jnp.array(0.7)
    a, s = mix(level)
    found = a * y - s * linear(level, jnp.array(STD**2)) * y
    np.testing.assert_allclose(found, best(y + a * MEAN, level) - MEAN, rtol=1e-5)
    params = jax.jit(TINY.init)(KEY, TINY.example(2)) | {"norm": NORM}
    z = jax.jit(TINY.latents, static_argnames=("n", "steps"))(params, KEY, n=2000, steps=10)
    x = (z.reshape(-1, 3) - NORM["mean"].reshape(1, 3)) @ TURN / 2
    np.testing.assert_allclose(x.std(axis=0), [STD, 1], rtol=0.03)


def test_one_step_is_what_the_denoiser_says_of_noise():
    noise = jax.random.normal(KEY, (5,))
    np.testing.assert_allclose(solve(best, noise, 1), best(noise, -MOST), rtol=1e-6)


def test_latents_have_the_moments_of_the_data_in_their_own_units():
    z = jax.jit(BEST.latents, static_argnames="n")({"norm": NORM}, KEY, n=2000).reshape(-1, 3)
    mean = [1 + 2 * 0.6 * MEAN, 2 * 0.8 * MEAN, -1 - 2 * MEAN]
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), 4 * STD**2 * TURN @ TURN.T, atol=0.1)


def test_the_axes_are_those_along_which_latents_vary_most():
    """What is lost on the way there and back is the variance along the others, and no more."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    z = rng.normal(size=(20_000, 4)) * [0.1, 3.0, 0.2, 1.0] @ turn.T + 5
    params = {"norm": jax.tree.map(jnp.asarray, principal(z, 2))}
    x = standard(params, jnp.asarray(z, jnp.float32))
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(x.T), np.diag([9, 1]) / 5, atol=0.05)
    lost = np.square(natural(params, x) - z).sum(axis=1).mean()
    np.testing.assert_allclose(lost, 0.1**2 + 0.2**2, rtol=0.05)


@pytest.mark.parametrize("step", [None, jnp.array(3)])
def test_at_the_optimum_the_loss_is_least_and_the_bound_tight(step):
    """E (v - v')^2 at level l is v's variance given y: STD^2 / (a^2 STD^2 + s^2)."""
    x = MEAN + STD * jax.random.normal(KEY, (80_000, 4, 2))
    z = NORM["mean"].reshape(1, 1, 3) + 2 * x @ TURN.T
    batch = {"latents": z, "mask": jnp.ones(x.shape[:2], bool)}
    loss, metrics = jax.jit(lambda: BEST.loss({"norm": NORM}, batch, jax.random.key(2), step))()
    level = np.linspace(-MOST, MOST, 4001)
    a, s = mix(level)
    least = np.trapezoid(density(level) * STD**2 / (a**2 * STD**2 + s**2), level)
    np.testing.assert_allclose(loss, least, rtol=0.01)
    nats = 2 * stats.norm(0, 2 * STD).entropy()
    np.testing.assert_allclose(metrics["nll"], nats, atol=0.05 if step is None else 0.3)


def test_levels_are_as_dense_as_is_said():
    for draw in (cosine, even):
        level, chance = draw(KEY, 4000)
        assert abs(np.asarray(level)).max() <= MOST + 1e-3
        np.testing.assert_allclose((1 / chance).mean(), 2 * MOST, rtol=0.02)  # importance weights
    level = np.linspace(-MOST, MOST, 4001)
    np.testing.assert_allclose(np.trapezoid(density(level), level), 1, rtol=1e-4)


def test_some_of_what_is_there_is_given_and_never_all():
    there = jnp.arange(6)[None] < jnp.repeat(jnp.array([1, 4, 6]), 2000)[:, None]
    given = np.asarray(jax.jit(reveal)(KEY, there))
    there = np.asarray(there)
    assert not given[~there].any()
    unknown = there & ~given
    assert unknown.any(axis=1).all()
    whole = (unknown == there).all(axis=1)
    assert 0.5 < whole[there[:, 3]].mean() < 0.68  # a half, and some spans of all
    assert (np.abs(np.diff(np.pad(unknown, ((0, 0), (1, 1))).astype(int))).sum(axis=1) == 2).all()
    assert {tuple(row) for row in unknown[there[:, 5]][:, :3]} > {(True,) * 3, (False, True, True)}


def test_padding_changes_nothing():
    params, batch = born(), TINY.example(3)
    batch["mask"] = batch["mask"].at[:, 3].set(False)
    loss = jax.jit(lambda z: TINY.loss(params, batch | {"latents": z}, KEY, None))
    value, metrics = loss(batch["latents"])
    again, _ = loss(batch["latents"].at[:, 3].add(50.0))
    assert metrics["events"] == 9
    np.testing.assert_allclose(value, again, rtol=1e-6)
    other, _ = loss(batch["latents"].at[:, 2].add(50.0))
    assert not jnp.allclose(value, other, rtol=1e-2)


def test_what_is_given_is_read_kept_and_not_counted():
    params, known = born(), 2 * TINY.example(3)["latents"]
    given = jnp.array([[True, False, False, True]] * 3)
    one = drawn()(params, KEY, n=3, known=known, given=given)
    np.testing.assert_array_equal(one[given], known[given])
    other = drawn()(params, KEY, n=3, known=known.at[:, 0].add(1.0), given=given)
    assert not jnp.allclose(one[:, 1:3], other[:, 1:3], atol=1e-3)
    elsewhere = drawn()(params, KEY, n=3, known=known.at[:, 1].add(1.0), given=given)
    np.testing.assert_array_equal(one, elsewhere)  # not given: not looked at


def test_rows_do_not_depend_on_how_many_there_are():
    few, many = (drawn()(born(), KEY, n=n) for n in (2, 3))
    np.testing.assert_allclose(few, many[:2], atol=1e-5)
    assert not jnp.allclose(many[0], many[1], atol=1e-2)


def test_guidance_goes_on_from_no_style_through_the_style():
    params, none = born(), jnp.zeros((2, 4), bool)
    found = drawn()(params, KEY, n=2, style=jnp.ones(2, int), steps=1)
    keys = [jax.random.fold_in(KEY, i) for i in range(2)]
    y = jnp.stack([jax.random.normal(key, (4, 2)) for key in keys])
    known, level, (a, s) = jnp.zeros_like(y), jnp.full(2, -MOST), mix(-MOST)
    velocity = jax.jit(TINY.velocity)
    ask = lambda style: velocity(params, y, level, known, none, ~none, jnp.full(2, style))
    v = ask(2) + TINY.guidance * (ask(1) - ask(2))
    wanted = 2 * (a * y - s * v) @ TURN.T + NORM["mean"].reshape(1, 1, 3)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_pieces_are_the_phrases_of_the_latents_one_after_the_other():
    params = born()
    one, two, _ = jax.random.split(KEY, 3)
    tokens = jax.jit(TINY.sample, static_argnames="n")(params, KEY, n=2)
    z = drawn()(params, one, n=2).reshape(8, 3)
    phrases = jax.jit(TINY.vae.decode)(params["vae"], two, z)
    assert tokens.shape == (2, TINY.length) == (2, 16)
    np.testing.assert_array_equal(tokens, phrases.reshape(2, 16))


def test_an_autoencoder_may_have_the_styles_too():
    family = dataclasses.replace(TINY, vae=dataclasses.replace(TINY.vae, styles=TINY.styles))
    params = jax.eval_shape(family.init, KEY, family.example(1))
    for style in (None, jnp.array([0, 1])):  # None: of any
        sample = lambda params, style=style: family.sample(params, KEY, 2, style=style)
        assert jax.eval_shape(sample, params).shape == (2, 16)


def refuse(known=None, given=None, style=None, family=TINY):
    return family.latents(born(), KEY, 2, known=known, given=given, style=style)


OTHER = MusicVAE(styles=("waltz",))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: dataclasses.replace(TINY, parts=0), "parts is 0: choose 1 or more"),
        (lambda: dataclasses.replace(TINY, width=6), "width is 6 for 2 heads"),
        (lambda: dataclasses.replace(TINY, axes=4), "axes is 4: the autoencoder has 3 latents"),
        (lambda: dataclasses.replace(TINY, drop=1.0), "drop is 1.0"),
        (lambda: dataclasses.replace(TINY, vae=OTHER), "styles are jig, reel, the autoencoder's w"),
        (lambda: TINY.sample(born(), KEY, 1, length=9), "pieces have 16 steps, not 9"),
        (lambda: refuse(style=jnp.array([0, 2])), "style 2 is none: 0 to 1 are jig, reel"),
        (lambda: refuse(style=jnp.array(0)), r"give one for each of the 2 rows"),
        (lambda: refuse(style=jnp.array([0, 1]), family=BEST), "the model knows no styles"),
        (lambda: refuse(known=jnp.zeros((2, 4, 3))), "give both or neither"),
        (lambda: TINY.latents(born(), KEY, 1, steps=0), "0 steps were asked for"),
        (
            lambda: refuse(jnp.zeros((2, 3, 3)), jnp.ones((2, 3), bool)),
            r"known has shape \(2, 3, 3\)",
        ),
    ],
)
def test_bad_requests_say_so(call, says):
    with pytest.raises(UsageError, match=says):
        call()
