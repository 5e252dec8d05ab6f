"""Optimizers: AdamW with a schedule, clipping, and protection from bad gradients."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import jax.numpy as jnp
import optax

from zoo.core import Array, Batch, Key, Objective, Params, Tree
from zoo.ranges import LearningRate, Share, WarmUp, Weight, checked

Optimizers = dict[str, optax.GradientTransformation]
NEVER = 2**31 - 1  # errors in a row after which optax would accept a bad gradient


class Trainable(Protocol):
    """The part of a family that a train step uses."""

    def init(self, rng: Key, batch: Batch) -> Params: ...

    def objectives(self) -> Mapping[str, Objective]: ...


@dataclasses.dataclass(frozen=True)
@checked
class Adam:
    """AdamW with linear warm-up and cosine decay of the learning rate."""

    rate: LearningRate = 1e-3
    """Peak learning rate."""
    warmup: WarmUp = 100
    """Steps of linear warm-up."""
    decay: Weight = 0.0
    """Decoupled weight decay."""
    _: dataclasses.KW_ONLY
    last: Share = 0.1
    """Final learning rate, as a fraction of the peak."""

    def optimizer(self, steps: int) -> optax.GradientTransformation:
        """Returns the optimizer of a run of `steps` steps."""
        warmup = max(1, min(self.warmup, steps // 10))
        schedule = optax.warmup_cosine_decay_schedule(
            init_value=self.rate / warmup,
            peak_value=self.rate,
            warmup_steps=warmup,
            decay_steps=max(steps, warmup + 1),
            end_value=self.rate * self.last,
        )
        return optax.adamw(schedule, weight_decay=self.decay)


def optimizers(
    family: Trainable,
    tx: optax.GradientTransformation | Optimizers,
    *,
    clip: float = 1.0,
) -> Optimizers:
    """Returns one optimizer per objective. All of them skip non-finite gradients.

    An objective with its own `tx` keeps it, without clipping: it is part of the
    algorithm.

    Args:
      family: the family, or anything with objectives.
      tx: the optimizer of all other objectives, or one for each by name.
      clip: global norm to which their gradients are clipped; 0 for no clipping.
    """

    def guarded(name: str, objective: Objective) -> optax.GradientTransformation:
        if objective.tx is not None:
            return optax.apply_if_finite(objective.tx, NEVER)
        optimizer = tx[name] if isinstance(tx, dict) else tx
        if clip:
            optimizer = optax.chain(optax.clip_by_global_norm(clip), optimizer)
        if objective.post_update is not None:
            optimizer = optax.chain(optimizer, objective.post_update)
        return optax.apply_if_finite(optimizer, NEVER)

    return {name: guarded(name, x) for name, x in family.objectives().items()}


def rejected(opt: Tree) -> Array:
    """Returns the number of updates skipped in a row, the largest of any objective."""
    return jnp.stack([state.notfinite_count for state in opt.values()]).max()
