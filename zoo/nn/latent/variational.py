"""The evidence lower bound of variational autoencoders, its terms and related metrics.

    log p(x) >= E_q[log p(x|z)] - beta KL(q(z|x) || p(z))

is Kingma & Welling 2013 (arXiv:1312.6114, eq. 3) for beta = 1, and Higgins et al. 2017
otherwise. All is in nats. Axes: b row, z latent, k sample, i point of a path.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float, Key

EPS = 1e-12
MIN_ANGLE_SINE = 1e-4  # below it an arc is degenerate, and a line is used


class Gaussian(NamedTuple):
    """Independent normal distributions, [.., z] each."""

    mean: Array
    log_std: Array

    def sample(self, rng: Key) -> Array:
        """Draws a reparametrised sample (Kingma & Welling 2013, eq. 10)."""
        noise = jax.random.normal(rng, self.mean.shape, jnp.float32)
        return self.mean + jnp.exp(self.log_std) * noise

    def log_prob(self, z: Float[Array, "... z"]) -> Float[Array, "..."]:
        """Returns the log-density, summed over the latents."""
        distance = (z - self.mean) * jnp.exp(-self.log_std)
        terms = -0.5 * (distance**2 + math.log(2 * math.pi)) - self.log_std
        return terms.sum(axis=-1)


def standard_normal(like: Float[Array, "..."]) -> Gaussian:
    """Returns the standard normal prior, with the shape of `like`."""
    return Gaussian(jnp.zeros_like(like), jnp.zeros_like(like))


def kl_divergence(q: Gaussian) -> Array:
    """Returns KL(q || N(0, 1)) of each latent [.., z] (ibid., appendix B)."""
    return 0.5 * (q.mean**2 + jnp.expm1(2 * q.log_std)) - q.log_std


class Elbo(NamedTuple):
    """The loss and the terms of the negative ELBO, [b] each, in nats."""

    loss: Array
    reconstruction: Array  # -log p(x|z)
    kl: Array  # without free nats

    @property
    def nll(self) -> Array:
        """The negative evidence lower bound, an upper bound on -log p(x)."""
        return self.reconstruction + self.kl


def negative_elbo(
    log_p: Float[Array, " b"],
    kl: Float[Array, "b z"],
    beta: Array | float = 1.0,
    *,
    free_per_latent: float = 0.0,
    free_nats: float = 0.0,
) -> Elbo:
    """Returns the negative evidence lower bound with weighted and free nats of KL.

    Args:
      log_p: log p(x|z) at a sample z of q.
      kl: the KL divergence of each latent.
      beta: the weight of the KL divergence.
      free_per_latent: nats of each latent without cost (Kingma et al. 2016, eq. 15,
        applied to each row).
      free_nats: nats of each row without cost (Roberts et al. 2018, eq. 3).
    """
    total = kl.sum(axis=-1)
    charged = total
    if free_per_latent:
        charged = jnp.maximum(kl, free_per_latent).sum(axis=-1)
    return Elbo(beta * jnp.maximum(charged - free_nats, 0) - log_p, -log_p, total)


def annealed_beta(step: Array | None, rate: float, final: float = 1.0) -> Array | float:
    """Returns final (1 - rate^step), growing from 0 (Bowman et al. 2016).

    Without a `step` it is `final`.
    """
    if step is None:
        return final
    return final * (1 - jnp.power(rate, step.astype(jnp.float32)))


def importance_weighted_log_prob(
    log_p: Float[Array, "k b"], q: Gaussian, z: Float[Array, "k b z"]
) -> Float[Array, " b"]:
    """Estimates log p(x) by the log-mean of p(x|z) p(z) / q(z|x) over k samples.

    A lower bound in expectation, tighter with more samples (Burda et al. 2016,
    arXiv:1509.00519, eq. 8).

    Args:
      log_p: log p(x|z).
      q: the posterior [b, z].
      z: samples of it.
    """
    log_weight = log_p + standard_normal(z).log_prob(z) - jax.vmap(q.log_prob)(z)
    return jax.nn.logsumexp(log_weight, axis=0) - math.log(len(z))


def active_units(
    means: Float[Array, "b z"], threshold: float = 0.01
) -> Bool[Array, " z"]:
    """Returns the latents whose posterior means vary over rows (Burda et al. 2016)."""
    return means.var(axis=0) > threshold


def slerp(
    a: Float[Array, "... z"], b: Float[Array, "... z"], t: Float[Array, " i"]
) -> Array:
    """Interpolates from a to b, spherically in direction and linearly in radius.

    Shoemake 1985. Nearly all of a Gaussian in many dimensions is far from 0, where a
    straight line would pass. Equal and opposite directions are interpolated linearly.

    Args:
      a: the first end.
      b: the other end.
      t: positions from 0 to 1.

    Returns:
      The points [i, .., z].
    """
    t, a, b = t.reshape(-1, *(1,) * a.ndim), a[None], b[None]
    norm_a, norm_b = (jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    unit_a, unit_b = a / jnp.maximum(norm_a, EPS), b / jnp.maximum(norm_b, EPS)
    cosine = jnp.clip((unit_a * unit_b).sum(axis=-1, keepdims=True), -1, 1)
    angle = jnp.arccos(cosine)
    degenerate = jnp.sin(angle) < MIN_ANGLE_SINE
    safe = jnp.where(degenerate, 1.0, angle)
    weight_a, weight_b = (jnp.sin(x * safe) / jnp.sin(safe) for x in (1 - t, t))
    direction = weight_a * unit_a + weight_b * unit_b
    arc = ((1 - t) * norm_a + t * norm_b) * direction
    return jnp.where(degenerate, (1 - t) * a + t * b, arc)
