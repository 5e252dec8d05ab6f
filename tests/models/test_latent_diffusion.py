"""Tests of latent diffusion: the solver, the bound, and known latents."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from scipy import stats

from zoo.errors import UsageError
from zoo.models.latent_diffusion import TINY, LatentDiffusion, random_known
from zoo.models.music_vae import MusicVAE
from zoo.nn.latent.diffusion import (
    MAX_LEVEL,
    alpha_sigma,
    cosine_density,
    cosine_levels,
    dpm_solver,
    noise_solver,
    skip_factor,
    uniform_levels,
)
from zoo.nn.latent.latent_sequence import from_axes, principal_axes, to_axes

KEY = jax.random.key(0)
MEAN, STD = 0.3, 0.7  # of normal data, whose best denoiser is known


def best_denoiser(y, level):
    """Returns E[x | y], y = alpha x + sigma eps and x ~ N(MEAN, STD^2)."""
    a, s = alpha_sigma(level)
    return MEAN + a * STD**2 / (a**2 * STD**2 + s**2) * (y - a * MEAN)


class Best(LatentDiffusion):
    """A model whose prediction is exact for normal latents."""

    def velocity(self, params, z_t, level, **conditioning):
        a, s = (c[:, None, None] for c in alpha_sigma(level))
        return (a * z_t - best_denoiser(z_t, level[:, None, None])) / s


BEST = Best(vae=TINY.vae, parts=4, axes=2, width=8, layers=1, heads=2)
TURN = np.array([[0.6, 0.0], [0.8, 0.0], [0.0, -1.0]])  # two axes of three latents
NORM = {"mean": np.array([1.0, 0.0, -1.0]), "axes": TURN, "unit": np.array(2.0)}
NORM |= {"variance": np.array([STD**2, 1.0])}
NORM = jax.tree.map(np.float32, NORM)


@functools.cache
def jitted(family, name):
    """Returns a compiled method that returns NumPy arrays."""
    static = {"latents": ("n", "steps"), "sample": "n", "example": "n"}.get(name)
    call = jax.jit(getattr(family, name), static_argnames=static)
    return lambda *args, **options: jax.device_get(call(*args, **options))


def example():
    return jitted(TINY, "example")(3)


@functools.cache
def initial():
    """Returns initial parameters of the network, and larger ones of the autoencoder."""
    rng, shapes = np.random.default_rng(0), jax.eval_shape(TINY.init, KEY, example())
    net = jax.jit(lambda batch: TINY.init(KEY, batch)["net"])(example())
    vae = jax.tree.map(
        lambda x: rng.normal(size=x.shape).astype(x.dtype), shapes["vae"]
    )
    return {"net": jax.device_get(net), "vae": vae, "norm": NORM}


@functools.cache
def opened(spread=0.3):
    """Returns parameters whose AdaLN gates are open, so that inputs have an effect."""
    rng, params = np.random.default_rng(1), initial()
    more = lambda x: (x + rng.normal(0, spread, x.shape)).astype(x.dtype)
    return params | {"net": jax.tree.map(more, params["net"])}


def drawn(**options):
    return jitted(TINY, "latents")(opened(), KEY, **options)


def test_the_solver_maps_noise_to_the_data():
    """Checks quantiles, and that the error falls as the square of the steps."""
    noise = stats.norm.ppf((np.arange(999) + 0.5) / 999).astype(np.float32)
    expected = MEAN + STD * noise
    error = {
        steps: np.abs(
            jax.jit(lambda x, steps=steps: dpm_solver(best_denoiser, x, steps))(noise)
            - expected
        ).max()
        for steps in (10, 20, 40)
    }
    assert error[20] < 0.03
    assert 2.5 < error[10] / error[20] < 6
    assert 2.5 < error[20] / error[40] < 6


def test_the_skip_connection_is_the_best_denoiser_of_normal_data():
    """Checks the initial model too: its samples have the variance of each axis."""

    @jax.jit
    def both(y, level):
        a, s = alpha_sigma(level)
        result = a * y - s * skip_factor(level, STD**2) * y
        return result, best_denoiser(y + a * MEAN, level) - MEAN

    np.testing.assert_allclose(*both(np.linspace(-2, 2, 9), 0.7), rtol=1e-5)
    z = jitted(TINY, "latents")(initial(), KEY, n=2000, steps=10)
    x = (z.reshape(-1, 3) - NORM["mean"]) @ TURN / 2
    np.testing.assert_allclose(x.std(axis=0), [STD, 1], rtol=0.03)


def test_the_noise_of_data_is_that_which_they_come_from():
    """Checks normal data, whose noise is known, and that the flow is inverted."""
    noise = stats.norm.ppf((np.arange(999) + 0.5) / 999).astype(np.float32)
    error = {
        steps: np.abs(
            jax.jit(lambda x, steps=steps: noise_solver(best_denoiser, x, steps))(
                MEAN + STD * noise
            )
            - noise
        ).max()
        for steps in (10, 20, 40)
    }
    assert error[20] < 0.03
    assert error[10] / error[20] > 2.5
    assert error[20] / error[40] > 2.5
    with pytest.raises(UsageError, match="steps is 1"):
        noise_solver(best_denoiser, noise, 1)


def test_latents_have_noise_from_which_they_come_back():
    """Checks normal latents, whose noise is known, and the flow of a network."""
    z = jitted(BEST, "latents")({"norm": NORM}, KEY, n=50)
    x = np.asarray(jitted(BEST, "to_noise")({"norm": NORM}, z))
    along = (z - NORM["mean"]) @ TURN / 2
    np.testing.assert_allclose(x, (along - MEAN) / STD, atol=0.02)
    z = drawn(n=3)
    smooth = opened(0.1)
    noise = jitted(TINY, "to_noise")(smooth, z)
    back = jitted(TINY, "from_noise")(smooth, noise)
    np.testing.assert_allclose(to_axes(smooth, back), to_axes(smooth, z), atol=0.02)


def test_one_solver_step_is_the_denoiser_applied_to_noise():
    noise = np.random.default_rng(0).normal(size=5)
    result, expected = jax.jit(
        lambda noise: (
            dpm_solver(best_denoiser, noise, 1),
            best_denoiser(noise, -MAX_LEVEL),
        )
    )(noise)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_latents_have_the_moments_of_the_data():
    z = jitted(BEST, "latents")({"norm": NORM}, KEY, n=2000).reshape(-1, 3)
    mean = [1 + 2 * 0.6 * MEAN, 2 * 0.8 * MEAN, -1 - 2 * MEAN]
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), 4 * STD**2 * TURN @ TURN.T, atol=0.1)


def test_principal_axes_have_the_largest_variance():
    """Checks that the reconstruction error is the variance along the other axes."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    z = rng.normal(size=(20_000, 4)) * [0.1, 3.0, 0.2, 1.0] @ turn.T + 5
    params = {"norm": principal_axes(z, 2)}
    x = jax.device_get(jax.jit(to_axes)(params, z))
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(x.T), np.diag([9, 1]) / 5, atol=0.05)
    error = np.square(jax.jit(from_axes)(params, x) - z).sum(axis=1).mean()
    np.testing.assert_allclose(error, 0.1**2 + 0.2**2, rtol=0.05)


@pytest.mark.parametrize("step", [None, np.array(3)])
def test_at_the_optimum_the_loss_is_minimal_and_the_bound_tight(step):
    """Compares with E |v - v'|^2 = STD^2 / (alpha^2 STD^2 + sigma^2)."""
    x = np.random.default_rng(0).normal(MEAN, STD, (80_000, 4, 2))
    batch = {
        "latents": NORM["mean"] + 2 * x @ TURN.T,
        "mask": np.ones(x.shape[:2], bool),
    }
    loss, metrics = jitted(BEST, "loss")({"norm": NORM}, batch, jax.random.key(2), step)
    level = np.linspace(-MAX_LEVEL, MAX_LEVEL, 4001)
    a, s, density = jax.device_get(
        jax.jit(lambda level: (*alpha_sigma(level), cosine_density(level)))(level)
    )
    minimum = np.trapezoid(density * STD**2 / (a**2 * STD**2 + s**2), level)
    np.testing.assert_allclose(loss, minimum, rtol=0.01)
    nats = 2 * stats.norm(0, 2 * STD).entropy()
    np.testing.assert_allclose(metrics["nll"], nats, atol=0.05 if step is None else 0.3)


def test_levels_have_the_stated_density():
    for draw in (cosine_levels, uniform_levels):
        level, density = jax.device_get(jax.jit(draw, static_argnums=1)(KEY, 4000))
        assert abs(level).max() <= MAX_LEVEL + 1e-3
        np.testing.assert_allclose(
            (1 / density).mean(), 2 * MAX_LEVEL, rtol=0.02
        )  # importance weights
    level = np.linspace(-MAX_LEVEL, MAX_LEVEL, 4001)
    np.testing.assert_allclose(
        np.trapezoid(jax.jit(cosine_density)(level), level), 1, rtol=1e-4
    )


def test_known_positions_are_a_prefix_or_surround_a_span():
    mask = np.arange(6)[None] < np.repeat([1, 4, 6], 2000)[:, None]
    known = np.asarray(jax.jit(random_known)(KEY, mask))
    assert not known[~mask].any()
    unknown = mask & ~known
    assert unknown.any(axis=1).all()
    whole = (unknown == mask).all(axis=1)
    assert 0.5 < whole[mask[:, 3]].mean() < 0.68  # a half, and some spans of all
    assert (
        np.abs(np.diff(np.pad(unknown, ((0, 0), (1, 1))).astype(int))).sum(axis=1) == 2
    ).all()
    assert {tuple(row) for row in unknown[mask[:, 5]][:, :3]} > {
        (True,) * 3,
        (False, True, True),
    }


def test_padding_does_not_affect_the_loss():
    batch = example() | {"mask": np.arange(4)[None] < np.full((3, 1), 3)}
    z, far = batch["latents"], 50.0 * np.eye(4)[:, None, :, None]
    loss = lambda z: jitted(TINY, "loss")(opened(), batch | {"latents": z}, KEY, None)
    value, metrics = loss(z)
    again, _ = loss(z + far[3])
    assert metrics["events"] == 9
    np.testing.assert_allclose(value, again, rtol=1e-6)
    other, _ = loss(z + far[2])
    assert not np.allclose(value, other, rtol=1e-2)


def test_known_latents_are_kept_and_affect_the_others():
    known, more = 2 * example()["latents"], np.eye(4)[:, None, :, None]
    known_mask = np.array([[True, False, False, True]] * 3)
    one = drawn(n=3, known=known, known_mask=known_mask)
    np.testing.assert_array_equal(one[known_mask], known[known_mask])
    other = drawn(n=3, known=known + more[0], known_mask=known_mask)
    assert not np.allclose(one[:, 1:3], other[:, 1:3], atol=1e-3)
    elsewhere = drawn(n=3, known=known + more[1], known_mask=known_mask)
    np.testing.assert_array_equal(one, elsewhere)  # unknown positions are ignored


def test_rows_do_not_depend_on_the_batch_size():
    few, many = (drawn(n=n) for n in (2, 3))
    np.testing.assert_allclose(few, many[:2], atol=1e-5)
    assert not np.allclose(many[0], many[1], atol=1e-2)


def test_guidance_extrapolates_from_the_unconditional_velocity():
    none = np.zeros((2, 4), bool)
    result = drawn(n=2, style=np.ones(2, int), steps=1)
    keys = [jax.random.fold_in(KEY, i) for i in range(2)]
    y = np.stack([jax.random.normal(key, (4, 2)) for key in keys])
    level = np.full(2, -MAX_LEVEL)
    conditioning = {"known": np.zeros_like(y), "known_mask": none, "mask": ~none}
    velocity = lambda label: jitted(TINY, "velocity")(
        opened(), y, level, **conditioning, label=np.full(2, label)
    )
    v = velocity(2) + TINY.guidance * (velocity(1) - velocity(2))
    a, s = jax.device_get(jax.jit(alpha_sigma)(-MAX_LEVEL))
    expected = 2 * (a * y - s * v) @ TURN.T + NORM["mean"]
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)


def test_pieces_are_the_decoded_phrases_in_order():
    params = opened()
    one, two, _ = jax.random.split(KEY, 3)
    tokens = jitted(TINY, "sample")(params, KEY, n=2)
    z = jitted(TINY, "latents")(params, one, n=2).reshape(8, 3)
    phrases = jitted(TINY.vae, "decode")(params["vae"], two, z)
    assert tokens.shape == (2, TINY.length) == (2, 16)
    np.testing.assert_array_equal(tokens, phrases.reshape(2, 16))


def test_an_autoencoder_may_have_the_same_styles():
    family = dataclasses.replace(
        TINY, vae=dataclasses.replace(TINY.vae, styles=TINY.styles)
    )
    params = jax.eval_shape(family.init, KEY, example())
    for style in (None, np.array([0, 1])):  # None draws them
        sample = lambda params, style=style: family.sample(params, KEY, 2, style=style)
        assert jax.eval_shape(sample, params).shape == (2, 16)


def latents(known=None, known_mask=None, style=None, family=TINY):
    options = {"known": known, "known_mask": known_mask, "style": style}
    return family.latents(opened(), KEY, 2, **options)


OTHER = MusicVAE(styles=("waltz",))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: dataclasses.replace(TINY, width=6), "width is 6 for 2 heads"),
        (
            lambda: dataclasses.replace(TINY, axes=4),
            "axes is 4: the autoencoder has 3 latents",
        ),
        (
            lambda: dataclasses.replace(TINY, vae=OTHER),
            "styles are jig, reel, and those of vae are waltz",
        ),
        (
            lambda: TINY.sample(opened(), KEY, 1, length=9),
            "length is 9, and a piece has 16",
        ),
        (
            lambda: latents(style=np.array([0, 2])),
            "no style 2: choose from 0 to 1, jig, reel",
        ),
        (lambda: latents(style=np.array(0)), r"choose one for each of 2 rows"),
        (
            lambda: latents(style=np.array([0, 1]), family=BEST),
            "trained without styles",
        ),
        (lambda: latents(known=np.zeros((2, 4, 3))), "pass both or neither"),
        (lambda: TINY.latents(opened(), KEY, 1, steps=0), "steps is 0"),
        (
            lambda: latents(np.zeros((2, 3, 3)), np.ones((2, 3), bool)),
            r"known has shape \(2, 3, 3\)",
        ),
    ],
)
def test_bad_requests_are_errors(call, says):
    with pytest.raises(UsageError, match=says):
        call()
