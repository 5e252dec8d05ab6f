"""What an experiment chooses about descent, and the guards every run has."""

import jax.numpy as jnp
import optax

from zoo.core import Array, Family, Tree
from zoo.errors import UsageError

Optimizers = dict[str, optax.GradientTransformation]
NEVER = 2**31 - 1


def adam(
    rate: float, steps: int, *, warmup: int = 100, decay: float = 0.0
) -> optax.GradientTransformation:
    """AdamW under a linear warm-up and a cosine decay to a tenth of `rate` over `steps`."""
    if rate <= 0:
        raise UsageError(f"the learning rate is {rate:g}: give a positive one, such as 1e-3.")
    warmup = min(warmup, max(1, steps // 10))
    schedule = optax.warmup_cosine_decay_schedule(
        rate / warmup, rate, warmup, max(steps, warmup + 1), rate / 10
    )
    return optax.adamw(schedule, weight_decay=decay)


def optimizers(
    family: Family, tx: optax.GradientTransformation | Optimizers, *, clip: float = 1.0
) -> Optimizers:
    """One update rule per objective: the experiment's, except where the algorithm has made its own.

    Every rule refuses non-finite gradients; the experiment's are clipped to a global norm of `clip`
    (0 turns that off). A rule that is part of an algorithm is left as the algorithm has it.
    """

    def guarded(name: str, own: optax.GradientTransformation | None):
        if own is not None:
            return optax.apply_if_finite(own, NEVER)
        chosen = tx[name] if isinstance(tx, dict) else tx
        rule = optax.chain(optax.clip_by_global_norm(clip), chosen) if clip else chosen
        return optax.apply_if_finite(rule, NEVER)

    return {name: guarded(name, o.tx) for name, o in family.objectives().items()}


def rejected(opt: Tree) -> Array:
    """How many updates in a row the worst-off objective has refused as non-finite."""
    return jnp.stack([state.notfinite_count for state in opt.values()]).max()
