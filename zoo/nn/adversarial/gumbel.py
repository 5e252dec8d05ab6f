"""The Gumbel-softmax relaxation of categorical samples that are drawn elsewhere.

The Gumbel-softmax (Jang et al. 2017, arXiv:1611.01144; Maddison et al. 2017,
arXiv:1611.00712) perturbs logits by Gumbel noise and replaces the argmax by a softmax,
through which a gradient passes. Here the sample is drawn first, and the noise is drawn
from its distribution conditional on the sample, several times for a lower variance
(Paulus et al. 2021, arXiv:2010.04838). Axes: v category.
"""

import jax
import jax.numpy as jnp

from zoo.core import Array, Float, Int, Key


def gumbel_softmax(
    logits: Float[Array, "*b v"],
    samples: Int[Array, "*b"],
    rng: Key,
    temperature: float,
    *,
    perturbations: int = 1,
) -> Float[Array, "*b v"]:
    """Returns relaxed one-hot samples, whose argmax is `samples`.

    Args:
      logits: of the distribution that the samples were drawn from.
      samples: the categories drawn.
      rng: the key of the Gumbel noise.
      temperature: of the softmax. A lower one gives a less biased gradient of a higher
        variance.
      perturbations: noise samples to average over.
    """
    log_p = jax.nn.log_softmax(logits)
    chosen = jax.nn.one_hot(samples, logits.shape[-1], dtype=bool)

    def relax(key: Key) -> Array:
        exponential = jax.random.exponential(
            key, logits.shape, jnp.float32
        )  # -log of it is Gumbel
        least = (exponential * chosen).sum(axis=-1, keepdims=True)
        others = -jnp.logaddexp(jnp.log(exponential) - log_p, jnp.log(least))
        perturbed = jnp.where(chosen, -jnp.log(least), others)
        return jax.nn.softmax(perturbed / temperature)

    return jax.vmap(relax)(jax.random.split(rng, perturbations)).mean(axis=0)
