"""Minimisation of a loss in one compiled loop, by the step of a training run."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from zoo.core import Array, Key, Metrics, Objective, Params, Tree
from zoo.train.optim import optimizers
from zoo.train.step import TrainState, init, make_step

LossFunction = Callable[[Any, Any], Array]


@dataclasses.dataclass(frozen=True)
class Minimization:
    """A loss and its initial parameters, as a family with one network."""

    loss: LossFunction
    start: Tree

    def init(self, rng: Key, batch: Any) -> Params:
        return {"net": self.start}

    def objectives(self) -> Mapping[str, Objective]:
        return {"loss": Objective(self.evaluate)}

    def evaluate(
        self, params: Params, batch: Any, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        return self.loss(params["net"], batch), {}


def minimize(
    loss: LossFunction,
    params: Tree,
    steps: int,
    optimizer: optax.GradientTransformation,
    *,
    batches: Any = None,
) -> Any:
    """Returns the parameters after `steps` updates of `optimizer` on `loss`.

    All steps are compiled into one loop. Non-finite gradients are skipped.

    Args:
      loss: `(params, batch) -> scalar`.
      params: the initial parameters, a tree of arrays.
      steps: number of updates.
      optimizer: the update rule.
      batches: a tree of arrays [steps, ...] whose slice i is the batch of step i;
        by default every batch is None.
    """

    @jax.jit
    def run(params: Tree, batches: Any) -> Tree:
        family = Minimization(loss, params)
        tx = optimizers(family, optimizer, clip=0.0)
        step = make_step(family, tx)

        def update(state: TrainState, batch: Any) -> tuple[TrainState, None]:
            return step(state, batch, ("loss",))[0], None

        start = init(family, tx, jax.random.key(0), {})
        state, _ = jax.lax.scan(update, start, batches, length=steps)
        return state.params["net"]

    return run(params, batches)
