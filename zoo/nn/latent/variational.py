"""The bound that every variational model descends, its terms, and what is measured of them.

    log p(x) >= E_q[log p(x|z)] - beta KL(q(z|x) || p(z))

is Kingma & Welling 2013 (arXiv:1312.6114, eq. 3) at beta 1, and Higgins et al. 2017 elsewhere. All
is in nats. Axes: b row, z latent, k sample, i step of a path.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.core import Array, Key


class Gaussian(NamedTuple):
    """Independent normal distributions, [.., z] each."""

    mean: Array
    log_std: Array

    def sample(self, rng: Key) -> Array:
        """One value each, differentiable in the parameters (Kingma & Welling, eq. 10)."""
        return self.mean + jnp.exp(self.log_std) * jax.random.normal(
            rng, self.mean.shape
        )

    def log_prob(self, z: Array) -> Array:
        """The log-density of z, summed over the latents: [..]."""
        distance = (z - self.mean) * jnp.exp(-self.log_std)
        return (-0.5 * (distance**2 + math.log(2 * math.pi)) - self.log_std).sum(
            axis=-1
        )


def prior(like: Array) -> Gaussian:
    """Standard normal distributions, of the shape of `like`."""
    return Gaussian(jnp.zeros_like(like), jnp.zeros_like(like))


def divergence(q: Gaussian) -> Array:
    """KL(q || N(0, 1)) of each latent [.., z], in closed form (Kingma & Welling, appendix B)."""
    return 0.5 * (q.mean**2 + jnp.expm1(2 * q.log_std)) - q.log_std


class Bound(NamedTuple):
    """What is descended for each row, and its terms, [b] each and in nats."""

    loss: Array
    reconstruction: Array  # -log p(x|z), the reconstruction error
    kl: Array  # as it is, whatever is free

    @property
    def nll(self) -> Array:
        """The evidence lower bound, negated: at least -log p(x)."""
        return self.reconstruction + self.kl


def bound(
    log_p: Array,
    kl: Array,
    beta: Array | float = 1.0,
    each: float = 0.0,
    free: float = 0.0,
) -> Bound:
    """The negated bound, some nats of its rate free of charge.

    Args:
      log_p: log p(x|z) [b] at a z from q.
      kl: `divergence` [b, z].
      beta: what a nat of it costs.
      each: nats of every latent that cost nothing (Kingma et al. 2016, eq. 15, of a row).
      free: nats of a row that cost nothing (Roberts et al. 2018, eq. 3).
    """
    charged = jnp.maximum(kl, each).sum(axis=-1) if each else kl.sum(axis=-1)
    return Bound(beta * jnp.maximum(charged - free, 0) - log_p, -log_p, kl.sum(axis=-1))


def annealed(step: Array | None, rate: float, most: float = 1.0) -> Array | float:
    """`most` (1 - rate^step), which grows from 0 (Bowman et al. 2016); `most` at the end, None."""
    return most if step is None else most * (1 - jnp.power(rate, step))


def marginal(log_p: Array, q: Gaussian, z: Array) -> Array:
    """An estimate of log p(x) [b] from k samples: the log-mean of p(x|z) p(z) / q(z|x).

    A lower bound on average, tighter the larger k (Burda et al. 2016, arXiv:1509.00519, eq. 8).

    Args:
      log_p: log p(x|z) [k, b].
      q: the posterior [b, z].
      z: what was drawn from it [k, b, z].
    """
    weight = log_p + prior(z).log_prob(z) - jax.vmap(q.log_prob)(z)
    return jax.nn.logsumexp(weight, axis=0) - math.log(len(z))


def active(means: Array, least: float = 0.01) -> Array:
    """Which latents [z] say anything: those whose means [b, z] vary (Burda et al. 2016)."""
    return means.var(axis=0) > least


def slerp(a: Array, b: Array, share: Array) -> Array:
    """Points [i, .., z] on the way from a to b [.., z], `share` [i] of it from 0 to 1.

    Along the great circle (Shoemake 1985), its radius going evenly from one to the other, since
    nearly all of a Gaussian in many dimensions is far from 0, where a straight line would pass.
    """
    share, (a, b) = share.reshape(-1, *(1,) * a.ndim), (x[None] for x in (a, b))
    norms = [jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    unit = [x / jnp.maximum(norm, 1e-12) for x, norm in zip((a, b), norms, strict=True)]
    angle = jnp.arccos(jnp.clip((unit[0] * unit[1]).sum(axis=-1, keepdims=True), -1, 1))
    near = (
        jnp.sin(angle) < 1e-4
    )  # of one direction, or of opposite ones, between which is no arc
    wide = jnp.where(near, 1.0, angle)
    turn = lambda part: jnp.sin(part * wide) / jnp.sin(wide)
    curved = turn(1 - share) * unit[0] + turn(share) * unit[1]
    straight = (1 - share) * a + share * b
    return jnp.where(
        near, straight, ((1 - share) * norms[0] + share * norms[1]) * curved
    )
