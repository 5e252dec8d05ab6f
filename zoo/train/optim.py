"""What an experiment chooses about descent, and the guards every run has."""

import dataclasses
import math

import jax.numpy as jnp
import optax

from zoo.core import Array, Family, Objective, Tree
from zoo.errors import UsageError

Optimizers = dict[str, optax.GradientTransformation]
NEVER = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Adam:
    """AdamW under a linear warm-up and a cosine decay to a `last` part of `rate`."""

    rate: float = 1e-3
    """Learning rate at its highest."""
    warmup: int = 100
    """Steps until it is reached."""
    decay: float = 0.0
    """Decoupled weight decay."""
    last: float = 0.1
    """What is left of the rate at the end."""

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise UsageError(
                f"the learning rate is {self.rate:g}: give one such as 1e-3."
            )

    def rule(self, steps: int) -> optax.GradientTransformation:
        warmup = max(1, min(self.warmup, steps // 10))
        schedule = optax.warmup_cosine_decay_schedule(
            self.rate / warmup,
            self.rate,
            warmup,
            max(steps, warmup + 1),
            self.rate * self.last,
        )
        return optax.adamw(schedule, weight_decay=self.decay)


def optimizers(
    family: Family, tx: optax.GradientTransformation | Optimizers, *, clip: float = 1.0
) -> Optimizers:
    """One update rule per objective: the experiment's, except where the algorithm has made its own.

    Every rule refuses non-finite gradients; the experiment's are clipped to a global norm of `clip`
    (0 turns that off). A rule that is part of an algorithm is left as the algorithm has it.
    """

    def guarded(name: str, objective: Objective):
        if objective.tx is not None:
            return optax.apply_if_finite(objective.tx, NEVER)
        chosen = tx[name] if isinstance(tx, dict) else tx
        rule = optax.chain(optax.clip_by_global_norm(clip), chosen) if clip else chosen
        rule = (
            rule
            if objective.post_update is None
            else optax.chain(rule, objective.post_update)
        )
        return optax.apply_if_finite(rule, NEVER)

    return {name: guarded(name, o) for name, o in family.objectives().items()}


def rejected(opt: Tree) -> Array:
    """How many updates in a row the worst-off objective has refused as non-finite."""
    return jnp.stack([state.notfinite_count for state in opt.values()]).max()
