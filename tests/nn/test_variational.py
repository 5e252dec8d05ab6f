"""Tests of the variational bound against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from zoo.nn.latent.variational import (
    Gaussian,
    active_units,
    annealed_beta,
    importance_weighted_log_prob,
    kl_divergence,
    negative_elbo,
    slerp,
    standard_normal,
)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_the_density_is_that_of_a_normal_distribution():
    q, z = Gaussian(normal(0, 3, 4), 0.5 * normal(1, 3, 4)), normal(2, 3, 4)
    expected = stats.norm.logpdf(z, q.mean, np.exp(q.log_std)).sum(axis=-1)
    np.testing.assert_allclose(q.log_prob(z), expected, rtol=1e-5)


def test_samples_have_the_mean_and_deviation():
    q = Gaussian(jnp.full(100_000, 2.0), jnp.full(100_000, np.log(0.5)))
    z = q.sample(jax.random.key(0))
    assert abs(z.mean() - 2) < 0.01
    assert abs(z.std() - 0.5) < 0.01


@pytest.mark.parametrize(
    ("mean", "std"), [(0.0, 1.0), (1.5, 1.0), (-0.3, 0.2), (0.0, 3.0)]
)
def test_the_kl_divergence_is_its_integral(mean, std):
    q, p = stats.norm(mean, std), stats.norm()
    density = lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z))
    expected, _ = quad(density, mean - 10 * std, mean + 10 * std)
    result = kl_divergence(Gaussian(jnp.array(mean), jnp.array(np.log(std))))
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_the_kl_divergence_of_the_prior_is_zero():
    assert (kl_divergence(standard_normal(jnp.ones((2, 3)))) == 0).all()


def test_the_bound_is_the_sum_of_its_terms():
    log_p, kl = jnp.array([-3.0, -5.0]), jnp.array([[0.5, 1.5], [0.0, 4.0]])
    plain = negative_elbo(log_p, kl)
    np.testing.assert_allclose(plain.loss, [5, 9])
    np.testing.assert_allclose(plain.nll, [5, 9])
    cheap = negative_elbo(log_p, kl, beta=0.1)
    np.testing.assert_allclose(cheap.loss, [3.2, 5.4])
    np.testing.assert_allclose(cheap.nll, plain.nll)


def test_free_nats_have_neither_cost_nor_gradient():
    log_p, kl = jnp.array([-3.0]), jnp.array([[0.5, 1.5]])
    cost = lambda kl, **free: negative_elbo(log_p, kl, **free).loss.sum()
    assert cost(kl, free_nats=1.5) == 3.5
    assert cost(kl, free_nats=5.0) == 3
    assert cost(kl, free_per_latent=1.0) == 5.5
    np.testing.assert_array_equal(
        jax.grad(lambda kl: cost(kl, free_nats=5.0))(kl), [[0, 0]]
    )
    np.testing.assert_array_equal(
        jax.grad(lambda kl: cost(kl, free_per_latent=1.0))(kl), [[0, 1]]
    )


def test_beta_grows_to_its_final_value():
    assert annealed_beta(jnp.array(0), 0.9, 0.5) == 0
    np.testing.assert_allclose(
        annealed_beta(jnp.array(2), 0.9, 0.5), 0.5 * (1 - 0.81), rtol=1e-6
    )
    assert annealed_beta(None, 0.9, 0.5) == 0.5


def linear(x, w, noise, k):
    """Returns the posterior of x = w z + noise e, samples of it, and log p(x|z)."""
    precision = 1 + (w @ w) / noise**2
    mean = (x @ w / noise**2 / precision)[:, None]
    q = Gaussian(mean, jnp.full_like(mean, -0.5 * np.log(precision)))
    z = jax.vmap(q.sample)(jax.random.split(jax.random.key(0), k))
    log_p = stats.norm.logpdf(x[None], np.asarray(z) * w, noise).sum(axis=-1)
    return q, z, jnp.asarray(log_p)


def test_a_linear_gaussian_model_meets_its_marginal_likelihood():
    """With the exact posterior one sample is exact, and the bound is tight."""
    x, w, noise = np.asarray(normal(0, 5, 3)), np.array([0.7, -1.2, 0.4]), 0.6
    cov = np.outer(w, w) + noise**2 * np.eye(3)
    exact = stats.multivariate_normal(np.zeros(3), cov).logpdf(x)
    q, z, log_p = linear(x, w, noise, 20_000)
    np.testing.assert_allclose(
        importance_weighted_log_prob(log_p[:1], q, z[:1]), exact, atol=1e-4
    )
    mean = negative_elbo(log_p.mean(axis=0), kl_divergence(q)).nll
    np.testing.assert_allclose(-mean, exact, atol=0.05)


def test_importance_weights_correct_a_wrong_posterior():
    x, w, noise = np.asarray(normal(0, 5, 3)), np.array([0.7, -1.2, 0.4]), 0.6
    cov = np.outer(w, w) + noise**2 * np.eye(3)
    exact = stats.multivariate_normal(np.zeros(3), cov).logpdf(x)
    q, _, _ = linear(x, w, noise, 1)
    wrong = Gaussian(q.mean + 0.3, q.log_std + 0.3)
    z = jax.vmap(wrong.sample)(jax.random.split(jax.random.key(1), 50_000))
    log_p = jnp.asarray(
        stats.norm.logpdf(x[None], np.asarray(z) * w, noise).sum(axis=-1)
    )
    np.testing.assert_allclose(
        importance_weighted_log_prob(log_p, wrong, z), exact, atol=0.02
    )
    tens = log_p.reshape(5_000, 10, 5), z.reshape(5_000, 10, 5, 1)
    few = jax.vmap(lambda log_p, z: importance_weighted_log_prob(log_p, wrong, z))(
        *tens
    )
    assert (few.mean(axis=0) < exact).all()


def test_a_latent_of_constant_mean_is_not_active():
    means = jnp.stack(
        [normal(0, 100), 0.05 * normal(1, 100), jnp.full(100, 3.0)], axis=-1
    )
    np.testing.assert_array_equal(active_units(means), [True, False, False])


def test_an_arc_stays_on_the_sphere_and_meets_both_ends():
    a, b = normal(0, 2, 64), 2 * normal(1, 2, 64)
    path = slerp(a, b, jnp.linspace(0, 1, 5))
    np.testing.assert_allclose(path[0], a, atol=1e-5)
    np.testing.assert_allclose(path[-1], b, atol=1e-5)
    radius = jnp.linalg.norm(path, axis=-1)
    np.testing.assert_allclose(radius, np.linspace(radius[0], radius[-1], 5), rtol=1e-5)
    to = lambda end: jnp.arccos(
        (path[2] * end).sum(-1) / radius[2] / jnp.linalg.norm(end, axis=-1)
    )
    np.testing.assert_allclose(to(a), to(b), atol=1e-4)


def test_an_arc_between_equal_or_opposite_points_is_finite():
    a = normal(0, 8)
    for b in (a, -a, jnp.zeros(8)):
        path = slerp(a, b, jnp.linspace(0, 1, 3))
        assert jnp.isfinite(path).all()
        np.testing.assert_allclose(path[-1], b, atol=1e-5)
