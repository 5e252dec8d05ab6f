"""Draws of categories that a gradient passes through.

The Gumbel-softmax (Jang et al. 2017, arXiv:1611.01144; Maddison et al. 2017, arXiv:1611.00712) is a
draw by the highest of perturbed logits, with a softmax in place of the highest for the gradient.
Here the draw is made elsewhere and the perturbations are drawn given it, of which several are
averaged (Paulus et al. 2021, arXiv:2010.04838): who draws need not know of any of this.
Axes: v category.
"""

import jax
import jax.numpy as jnp

from zoo.core import Array, Key


def relaxed(
    logits: Array, drawn: Array, rng: Key, heat: float, count: int = 1
) -> Array:
    """Shares [.., v] of categories, of which `drawn` [..] has the largest in every perturbation.

    Args:
      logits: [.., v], by which they were drawn.
      heat: of the softmax; the lower, the nearer to the draw, and the more its gradient varies.
      count: perturbations to average over.
    """
    log_p = jax.nn.log_softmax(logits)
    chosen = jax.nn.one_hot(drawn, logits.shape[-1], dtype=bool)

    def once(key: Key) -> Array:
        waits = jax.random.exponential(key, logits.shape)  # -log of these are Gumbel's
        first = (waits * chosen).sum(axis=-1, keepdims=True)
        others = -jnp.logaddexp(jnp.log(waits) - log_p, jnp.log(first))
        return jax.nn.softmax(jnp.where(chosen, -jnp.log(first), others) / heat)

    return jax.vmap(once)(jax.random.split(rng, count)).mean(axis=0)
