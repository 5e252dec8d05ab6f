"""What is peculiar to the mixture model of latents: its density, and that samples agree with it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from zoo.errors import UsageError
from zoo.models.latent_mdn import LEAST, TINY, Mixture
from zoo.nn.latent.variational import Gaussian
from zoo.nn.rng import row_keys

KEY = jax.random.key(0)
SMALL = dataclasses.replace(
    TINY, vae=dataclasses.replace(TINY.vae, latent=1), parts=2, axes=1
)
jit = functools.cache(jax.jit)


@functools.cache
def born(family=TINY):
    init = jax.jit(
        lambda: {x: family.init(KEY, family.example(2))[x] for x in ("net", "norm")}
    )
    params = jax.tree.map(np.array, init())
    params["net"]["head"]["kernel"] *= (
        0.4  # so that all of the density is in the tests' grids
    )
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
    return lambda *args, **given: np.asarray(sample(*args, **given))


@functools.cache
def scored(family=TINY):
    score = jax.jit(family.log_density)
    return lambda *args: np.asarray(score(*args))


def test_the_density_of_a_mixture_is_the_sum_of_its_parts():
    logits, x = np.log([[0.2, 0.8]]), np.array([[0.3, -1.0]])
    mean, std = (
        np.array([[[0.0, 1.0], [2.0, -1.0]]]),
        np.array([[[1.0, 0.5], [0.7, 2.0]]]),
    )
    found = jit(Mixture.log_prob)(Mixture(logits, Gaussian(mean, np.log(std))), x)
    parts = stats.norm.pdf(x[:, None], mean, std).prod(axis=-1)
    np.testing.assert_allclose(found, np.log(parts @ [0.2, 0.8]), rtol=1e-5)


def test_the_density_of_pieces_integrates_to_one():
    """Of one latent, in its own units, at both positions at once."""
    params, side = born(SMALL), np.linspace(-14, 14, 281)
    z = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2, 1)
    log_p = scored(SMALL)(params, z).sum(axis=1)
    mass = np.exp(log_p).reshape(len(side), len(side))
    np.testing.assert_allclose(
        np.trapezoid(np.trapezoid(mass, side), side), 1, atol=2e-3
    )


def test_samples_are_as_likely_as_their_density_says():
    """What is drawn with a cache of keys has, on average, the moments that the density has."""
    params, side = born(SMALL), np.linspace(-14, 14, 281)
    z = np.asarray(drawn(SMALL)(params, KEY, n=4000))[..., 0]
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2, 1)
    mass = np.exp(scored(SMALL)(params, grid).sum(axis=1))
    mass, grid = mass / mass.sum(), grid[..., 0]
    mean = mass @ grid
    cov = (mass[:, None] * (grid - mean)).T @ (grid - mean)
    spread = np.sqrt(np.diag(cov))
    np.testing.assert_allclose(
        z.mean(axis=0), mean, atol=4 * spread.max() / np.sqrt(len(z))
    )
    np.testing.assert_allclose(np.cov(z.T), cov, atol=0.1 * spread.max() ** 2)


def test_one_position_at_a_time_says_what_all_at_once_say():
    """What is drawn from what is known under the score of it: the net with a cache and without."""
    params, n = born(), 3
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


def test_the_loss_is_the_density_of_what_is_in_the_mask():
    params, batch = born(), example(4)
    batch["mask"][0], batch["mask"][1, 2:] = False, False
    loss = jax.jit(lambda z: TINY.loss(params, batch | {"latents": z}, KEY, None))
    value, metrics = loss(batch["latents"])
    log_p = scored()(params, batch["latents"], batch["style"])
    assert metrics["events"] == 10
    np.testing.assert_allclose(value, -log_p[batch["mask"]].mean(), rtol=1e-5)
    padded = np.where(batch["mask"][..., None], batch["latents"], np.float32(50))
    np.testing.assert_allclose(loss(padded)[0], value, rtol=1e-5)


def test_no_deviation_is_too_small_for_a_density():
    net = born()["net"]
    head = net["head"] | {"bias": net["head"]["bias"] - 1e3}
    say = jax.jit(
        lambda net, x: TINY.net.apply({"params": net}, x, jnp.zeros(1, int), None)
    )
    mixture = say(net | {"head": head}, np.zeros((1, 4, 2)))
    np.testing.assert_allclose(mixture.normals.log_std, LEAST, atol=1e-5)


def test_a_prefix_is_kept_and_gone_on_from():
    params, known = born(), 2 * example(3)["latents"]
    given, unlike = np.array([[True, True, False, False]] * 3), known.copy()
    unlike[:, 0] += 1
    one = drawn()(params, KEY, n=3, known=known, given=given)
    np.testing.assert_array_equal(one[:, :2], known[:, :2])
    other = drawn()(params, KEY, n=3, known=unlike, given=given)
    assert not np.allclose(one[:, 2:], other[:, 2:], atol=1e-3)


def test_a_style_is_heard():
    params, z = born(), example(1)["latents"]
    each = [scored()(params, z, np.array([y])) for y in range(3)]
    assert not np.allclose(each[0], each[1], atol=1e-3)
    np.testing.assert_array_equal(scored()(params, z), each[2])


def test_rows_do_not_depend_on_how_many_there_are():
    few, many = (drawn()(born(), KEY, n=n) for n in (2, 3))
    np.testing.assert_allclose(few, many[:2], atol=1e-5)
    assert not np.allclose(many[0], many[1], atol=1e-2)


def refuse(**given):
    return TINY.latents(born(), KEY, 2, **given)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: dataclasses.replace(TINY, mixtures=0),
            "mixtures is 0: choose 1 or more",
        ),
        (lambda: dataclasses.replace(TINY, dropout=1.0), "dropout 1.0: choose from 0"),
        (lambda: TINY.sample(born(), KEY, 1, length=9), "pieces have 16 steps, not 9"),
        (lambda: refuse(style=np.array([0, 7])), "style 7 is none"),
        (lambda: refuse(given=np.ones((2, 4), bool)), "give both or neither"),
        (
            lambda: refuse(
                known=np.zeros((2, 4, 3)), given=np.array([[True, False] * 2] * 2)
            ),
            "goes on from what comes first",
        ),
    ],
)
def test_bad_requests_say_so(call, says):
    with pytest.raises(UsageError, match=says):
        call()
