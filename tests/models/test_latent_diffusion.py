"""What is peculiar to latent diffusion: the way back from noise, the bound, and what is given."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from scipy import stats

from zoo.errors import UsageError
from zoo.models.latent_diffusion import TINY, LatentDiffusion, reveal
from zoo.models.music_vae import MusicVAE
from zoo.nn.latent.diffusion import MOST, cosine, density, even, linear, mix, solve
from zoo.nn.latent.latent_sequence import natural, principal, standard

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
NORM = {"mean": np.array([1.0, 0.0, -1.0]), "axes": TURN, "unit": np.array(2.0)}
NORM |= {"variance": np.array([STD**2, 1.0])}
NORM = jax.tree.map(np.float32, NORM)


@functools.cache
def jitted(family, name):
    """A method whose arrays are NumPy's: an operation of JAX's on its own is compiled."""
    static = {"latents": ("n", "steps"), "sample": "n", "example": "n"}.get(name)
    call = jax.jit(getattr(family, name), static_argnames=static)
    return lambda *args, **options: jax.device_get(call(*args, **options))


def example():
    return jitted(TINY, "example")(3)


@functools.cache
def birth():
    """The net's parameters at birth; the autoencoder's larger than that."""
    rng, shapes = np.random.default_rng(0), jax.eval_shape(TINY.init, KEY, example())
    net = jax.jit(lambda batch: TINY.init(KEY, batch)["net"])(example())
    vae = jax.tree.map(
        lambda x: rng.normal(size=x.shape).astype(x.dtype), shapes["vae"]
    )
    return {"net": jax.device_get(net), "vae": vae, "norm": NORM}


@functools.cache
def born():
    """Parameters whose gates are open, so that what is read shows."""
    rng, params = np.random.default_rng(1), birth()
    more = lambda x: (x + rng.normal(0, 0.3, x.shape)).astype(x.dtype)
    return params | {"net": jax.tree.map(more, params["net"])}


def drawn(**options):
    return jitted(TINY, "latents")(born(), KEY, **options)


def test_from_noise_comes_what_the_denoiser_knows():
    """Quantiles go to quantiles, and the error falls as the square of the steps."""
    noise = stats.norm.ppf((np.arange(999) + 0.5) / 999).astype(np.float32)
    wanted = MEAN + STD * noise
    error = {
        steps: np.abs(
            jax.jit(lambda x, steps=steps: solve(best, x, steps))(noise) - wanted
        ).max()
        for steps in (10, 20, 40)
    }
    assert error[20] < 0.03
    assert 2.5 < error[10] / error[20] < 6
    assert 2.5 < error[20] / error[40] < 6


def test_what_is_known_of_normal_data_is_the_best_denoiser():
    """At birth, when the net says nothing yet, samples have the variance along each axis."""

    @jax.jit
    def both(y, level):
        a, s = mix(level)
        found = a * y - s * linear(level, STD**2) * y
        return found, best(y + a * MEAN, level) - MEAN

    np.testing.assert_allclose(*both(np.linspace(-2, 2, 9), 0.7), rtol=1e-5)
    z = jitted(TINY, "latents")(birth(), KEY, n=2000, steps=10)
    x = (z.reshape(-1, 3) - NORM["mean"]) @ TURN / 2
    np.testing.assert_allclose(x.std(axis=0), [STD, 1], rtol=0.03)


def test_one_step_is_what_the_denoiser_says_of_noise():
    noise = np.random.default_rng(0).normal(size=5)
    found, wanted = jax.jit(lambda noise: (solve(best, noise, 1), best(noise, -MOST)))(
        noise
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_latents_have_the_moments_of_the_data_in_their_own_units():
    z = jitted(BEST, "latents")({"norm": NORM}, KEY, n=2000).reshape(-1, 3)
    mean = [1 + 2 * 0.6 * MEAN, 2 * 0.8 * MEAN, -1 - 2 * MEAN]
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), 4 * STD**2 * TURN @ TURN.T, atol=0.1)


def test_the_axes_are_those_along_which_latents_vary_most():
    """What is lost on the way there and back is the variance along the others, and no more."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    z = rng.normal(size=(20_000, 4)) * [0.1, 3.0, 0.2, 1.0] @ turn.T + 5
    params = {"norm": principal(z, 2)}
    x = jax.device_get(jax.jit(standard)(params, z))
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(x.T), np.diag([9, 1]) / 5, atol=0.05)
    lost = np.square(jax.jit(natural)(params, x) - z).sum(axis=1).mean()
    np.testing.assert_allclose(lost, 0.1**2 + 0.2**2, rtol=0.05)


@pytest.mark.parametrize("step", [None, np.array(3)])
def test_at_the_optimum_the_loss_is_least_and_the_bound_tight(step):
    """E (v - v')^2 at level l is v's variance given y: STD^2 / (a^2 STD^2 + s^2)."""
    x = np.random.default_rng(0).normal(MEAN, STD, (80_000, 4, 2))
    batch = {
        "latents": NORM["mean"] + 2 * x @ TURN.T,
        "mask": np.ones(x.shape[:2], bool),
    }
    loss, metrics = jitted(BEST, "loss")({"norm": NORM}, batch, jax.random.key(2), step)
    level = np.linspace(-MOST, MOST, 4001)
    a, s, often = jax.device_get(
        jax.jit(lambda level: (*mix(level), density(level)))(level)
    )
    least = np.trapezoid(often * STD**2 / (a**2 * STD**2 + s**2), level)
    np.testing.assert_allclose(loss, least, rtol=0.01)
    nats = 2 * stats.norm(0, 2 * STD).entropy()
    np.testing.assert_allclose(metrics["nll"], nats, atol=0.05 if step is None else 0.3)


def test_levels_are_as_dense_as_is_said():
    for draw in (cosine, even):
        level, chance = jax.device_get(jax.jit(draw, static_argnums=1)(KEY, 4000))
        assert abs(level).max() <= MOST + 1e-3
        np.testing.assert_allclose(
            (1 / chance).mean(), 2 * MOST, rtol=0.02
        )  # importance weights
    level = np.linspace(-MOST, MOST, 4001)
    np.testing.assert_allclose(
        np.trapezoid(jax.jit(density)(level), level), 1, rtol=1e-4
    )


def test_some_of_what_is_there_is_given_and_never_all():
    there = np.arange(6)[None] < np.repeat([1, 4, 6], 2000)[:, None]
    given = np.asarray(jax.jit(reveal)(KEY, there))
    assert not given[~there].any()
    unknown = there & ~given
    assert unknown.any(axis=1).all()
    whole = (unknown == there).all(axis=1)
    assert 0.5 < whole[there[:, 3]].mean() < 0.68  # a half, and some spans of all
    assert (
        np.abs(np.diff(np.pad(unknown, ((0, 0), (1, 1))).astype(int))).sum(axis=1) == 2
    ).all()
    assert {tuple(row) for row in unknown[there[:, 5]][:, :3]} > {
        (True,) * 3,
        (False, True, True),
    }


def test_padding_changes_nothing():
    batch = example() | {"mask": np.arange(4)[None] < np.full((3, 1), 3)}
    z, far = batch["latents"], 50.0 * np.eye(4)[:, None, :, None]
    loss = lambda z: jitted(TINY, "loss")(born(), batch | {"latents": z}, KEY, None)
    value, metrics = loss(z)
    again, _ = loss(z + far[3])
    assert metrics["events"] == 9
    np.testing.assert_allclose(value, again, rtol=1e-6)
    other, _ = loss(z + far[2])
    assert not np.allclose(value, other, rtol=1e-2)


def test_what_is_given_is_read_kept_and_not_counted():
    known, more = 2 * example()["latents"], np.eye(4)[:, None, :, None]
    given = np.array([[True, False, False, True]] * 3)
    one = drawn(n=3, known=known, given=given)
    np.testing.assert_array_equal(one[given], known[given])
    other = drawn(n=3, known=known + more[0], given=given)
    assert not np.allclose(one[:, 1:3], other[:, 1:3], atol=1e-3)
    elsewhere = drawn(n=3, known=known + more[1], given=given)
    np.testing.assert_array_equal(one, elsewhere)  # not given: not looked at


def test_rows_do_not_depend_on_how_many_there_are():
    few, many = (drawn(n=n) for n in (2, 3))
    np.testing.assert_allclose(few, many[:2], atol=1e-5)
    assert not np.allclose(many[0], many[1], atol=1e-2)


def test_guidance_goes_on_from_no_style_through_the_style():
    none = np.zeros((2, 4), bool)
    found = drawn(n=2, style=np.ones(2, int), steps=1)
    keys = [jax.random.fold_in(KEY, i) for i in range(2)]
    y = np.stack([jax.random.normal(key, (4, 2)) for key in keys])
    asked = born(), y, np.full(2, -MOST), np.zeros_like(y), none, ~none
    ask = lambda style: jitted(TINY, "velocity")(*asked, np.full(2, style))
    v = ask(2) + TINY.guidance * (ask(1) - ask(2))
    a, s = jax.device_get(jax.jit(mix)(-MOST))
    wanted = 2 * (a * y - s * v) @ TURN.T + NORM["mean"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_pieces_are_the_phrases_of_the_latents_one_after_the_other():
    params = born()
    one, two, _ = jax.random.split(KEY, 3)
    tokens = jitted(TINY, "sample")(params, KEY, n=2)
    z = jitted(TINY, "latents")(params, one, n=2).reshape(8, 3)
    phrases = jitted(TINY.vae, "decode")(params["vae"], two, z)
    assert tokens.shape == (2, TINY.length) == (2, 16)
    np.testing.assert_array_equal(tokens, phrases.reshape(2, 16))


def test_an_autoencoder_may_have_the_styles_too():
    family = dataclasses.replace(
        TINY, vae=dataclasses.replace(TINY.vae, styles=TINY.styles)
    )
    params = jax.eval_shape(family.init, KEY, example())
    for style in (None, np.array([0, 1])):  # None: of any
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
        (
            lambda: dataclasses.replace(TINY, axes=4),
            "axes is 4: the autoencoder has 3 latents",
        ),
        (lambda: dataclasses.replace(TINY, drop=1.0), "drop is 1.0"),
        (
            lambda: dataclasses.replace(TINY, vae=OTHER),
            "styles are jig, reel, the autoencoder's w",
        ),
        (lambda: TINY.sample(born(), KEY, 1, length=9), "pieces have 16 steps, not 9"),
        (
            lambda: refuse(style=np.array([0, 2])),
            "style 2 is none: 0 to 1 are jig, reel",
        ),
        (lambda: refuse(style=np.array(0)), r"give one for each of the 2 rows"),
        (
            lambda: refuse(style=np.array([0, 1]), family=BEST),
            "the model knows no styles",
        ),
        (lambda: refuse(known=np.zeros((2, 4, 3))), "give both or neither"),
        (lambda: TINY.latents(born(), KEY, 1, steps=0), "0 steps were asked for"),
        (
            lambda: refuse(np.zeros((2, 3, 3)), np.ones((2, 3), bool)),
            r"known has shape \(2, 3, 3\)",
        ),
    ],
)
def test_bad_requests_say_so(call, says):
    with pytest.raises(UsageError, match=says):
        call()
