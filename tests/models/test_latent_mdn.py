"""Tests of the mixture density model of latents: its density, and samples of it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from zoo.errors import UsageError
from zoo.models.latent_mdn import MIN_LOG_STD, TINY, Mixture
from zoo.nn.latent.variational import Gaussian
from zoo.nn.rng import row_keys

KEY = jax.random.key(0)
SMALL = dataclasses.replace(
    TINY, vae=dataclasses.replace(TINY.vae, latent=1), parts=2, axes=1
)
jit = functools.cache(jax.jit)


@functools.cache
def initial(family=TINY):
    init = jax.jit(
        lambda: {x: family.init(KEY, family.example(2))[x] for x in ("net", "norm")}
    )
    params = jax.tree.map(np.array, init())
    params["net"]["head"]["kernel"] *= 0.4  # so that the grids hold all of the density
    norm = {
        "mean": np.full(family.vae.latent, 0.5, np.float32),
        "unit": np.float32(1.5),
    }
    return params | {"norm": params["norm"] | norm}


def example(n):
    return jax.tree.map(np.array, jit(TINY.example, static_argnums=0)(n))


@functools.cache
def drawn(family=TINY):
    sample = jax.jit(family.latents, static_argnames="n")
    return lambda *args, **options: np.asarray(sample(*args, **options))


@functools.cache
def log_density(family=TINY):
    call = jax.jit(family.log_density)
    return lambda *args: np.asarray(call(*args))


def test_the_density_of_a_mixture_is_the_weighted_sum_of_its_components():
    logits, x = np.log([[0.2, 0.8]]), np.array([[0.3, -1.0]])
    mean, std = (
        np.array([[[0.0, 1.0], [2.0, -1.0]]]),
        np.array([[[1.0, 0.5], [0.7, 2.0]]]),
    )
    value = jit(Mixture.log_prob)(Mixture(logits, Gaussian(mean, np.log(std))), x)
    parts = stats.norm.pdf(x[:, None], mean, std).prod(axis=-1)
    np.testing.assert_allclose(value, np.log(parts @ [0.2, 0.8]), rtol=1e-5)


def test_the_density_of_pieces_integrates_to_one():
    """Integrates over one latent, in its own unit, at both positions."""
    params, side = initial(SMALL), np.linspace(-14, 14, 281)
    z = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2, 1)
    log_p = log_density(SMALL)(params, z).sum(axis=1)
    mass = np.exp(log_p).reshape(len(side), len(side))
    np.testing.assert_allclose(
        np.trapezoid(np.trapezoid(mass, side), side), 1, atol=2e-3
    )


def test_samples_have_the_moments_of_the_density():
    """Compares samples, drawn with a cache, with the density on a grid."""
    params, side = initial(SMALL), np.linspace(-14, 14, 281)
    z = np.asarray(drawn(SMALL)(params, KEY, n=4000))[..., 0]
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2, 1)
    mass = np.exp(log_density(SMALL)(params, grid).sum(axis=1))
    mass, grid = mass / mass.sum(), grid[..., 0]
    mean = mass @ grid
    cov = (mass[:, None] * (grid - mean)).T @ (grid - mean)
    spread = np.sqrt(np.diag(cov))
    np.testing.assert_allclose(
        z.mean(axis=0), mean, atol=4 * spread.max() / np.sqrt(len(z))
    )
    np.testing.assert_allclose(np.cov(z.T), cov, atol=0.1 * spread.max() ** 2)


def test_sampling_with_a_cache_agrees_with_the_whole_sequence():
    """Draws again from the distributions that the network outputs without a cache."""
    params, n = initial(), 3
    z = drawn()(params, KEY, n=n)
    style = np.full(n, len(TINY.styles))
    x = (z[..., :2] - 0.5) / 1.5

    @jax.jit
    def again(net):
        mixture = TINY.net.apply({"params": net}, x, style, None)
        rows = row_keys(KEY, n)
        keys = jax.vmap(jax.vmap(jax.random.fold_in, (0, None)), (None, 0))(
            rows, jnp.arange(4)
        )
        return jax.vmap(Mixture.sample, (1, 0), 1)(mixture, keys)

    np.testing.assert_allclose(again(params["net"]), x, atol=1e-4)


def test_the_loss_is_the_mean_log_density_in_the_mask():
    params, batch = initial(), example(4)
    batch["mask"][0], batch["mask"][1, 2:] = False, False
    loss = jax.jit(lambda z: TINY.loss(params, batch | {"latents": z}, KEY, None))
    value, metrics = loss(batch["latents"])
    log_p = log_density()(params, batch["latents"], batch["style"])
    assert metrics["events"] == 10
    np.testing.assert_allclose(value, -log_p[batch["mask"]].mean(), rtol=1e-5)
    padded = np.where(batch["mask"][..., None], batch["latents"], np.float32(50))
    np.testing.assert_allclose(loss(padded)[0], value, rtol=1e-5)


def test_standard_deviations_have_a_minimum():
    net = initial()["net"]
    head = net["head"] | {"bias": net["head"]["bias"] - 1e3}
    apply = jax.jit(
        lambda net, x: TINY.net.apply({"params": net}, x, jnp.zeros(1, int), None)
    )
    mixture = apply(net | {"head": head}, np.zeros((1, 4, 2)))
    np.testing.assert_allclose(mixture.components.log_std, MIN_LOG_STD, atol=1e-5)


def test_a_known_prefix_is_kept_and_continued():
    params, known = initial(), 2 * example(3)["latents"]
    known_mask, unlike = np.array([[True, True, False, False]] * 3), known.copy()
    unlike[:, 0] += 1
    one = drawn()(params, KEY, n=3, known=known, known_mask=known_mask)
    np.testing.assert_array_equal(one[:, :2], known[:, :2])
    other = drawn()(params, KEY, n=3, known=unlike, known_mask=known_mask)
    assert not np.allclose(one[:, 2:], other[:, 2:], atol=1e-3)


def test_the_density_depends_on_the_style():
    params, z = initial(), example(1)["latents"]
    each = [log_density()(params, z, np.array([y])) for y in range(3)]
    assert not np.allclose(each[0], each[1], atol=1e-3)
    np.testing.assert_array_equal(log_density()(params, z), each[2])


def test_rows_do_not_depend_on_the_batch_size():
    few, many = (drawn()(initial(), KEY, n=n) for n in (2, 3))
    np.testing.assert_allclose(few, many[:2], atol=1e-5)
    assert not np.allclose(many[0], many[1], atol=1e-2)


def latents(**options):
    return TINY.latents(initial(), KEY, 2, **options)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: TINY.sample(initial(), KEY, 1, length=9),
            "length is 9, and a piece has 16",
        ),
        (lambda: latents(style=np.array([0, 7])), "no style 7"),
        (lambda: latents(known_mask=np.ones((2, 4), bool)), "pass both or neither"),
        (
            lambda: latents(
                known=np.zeros((2, 4, 3)), known_mask=np.array([[True, False] * 2] * 2)
            ),
            "continues a prefix",
        ),
    ],
)
def test_bad_requests_are_errors(call, says):
    with pytest.raises(UsageError, match=says):
        call()
