"""The train step, which serves every family: it takes all objectives that are due."""

import contextlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from zoo.core import WEIGHT, Array, Batch, Family, Int, Key, Loss, Metrics, Params
from zoo.train.optim import Optimizers, Trainable, rejected

EPS = 1e-9
Context = Callable[[], contextlib.AbstractContextManager]
Step = Callable[..., tuple["TrainState", Metrics]]


class TrainState(NamedTuple):
    """The complete state of a run.

    Attributes:
      step: number of steps taken.
      params: the parameters, by network.
      opt: the optimizer state of each objective.
      ema: moving average of the parameters, used for sampling and evaluation.
      rng: the key of the run; step i uses `fold_in(rng, i)`.
    """

    step: Int[Array, ""]
    params: Params
    opt: Mapping[str, optax.OptState]
    ema: Params
    rng: Key


def init(family: Trainable, tx: Optimizers, rng: Key, batch: Batch) -> TrainState:
    """Returns the state before the first step."""
    params_rng, rng = jax.random.split(rng)
    params = family.init(params_rng, batch)
    opt = {
        name: tx[name].init({k: params[k] for k in objective.wrt})
        for name, objective in family.objectives().items()
    }
    # copied, because both trees are donated to the first step
    ema = jax.tree.map(jnp.copy, params)
    return TrainState(
        step=jnp.zeros((), jnp.int32), params=params, opt=opt, ema=ema, rng=rng
    )


def due(family: Family, step: int) -> tuple[str, ...]:
    """Returns the names of the objectives taken at `step`, in order."""
    return tuple(name for name, x in family.objectives().items() if step in x.when)


def make_step(
    family: Trainable,
    tx: Optimizers,
    *,
    ema: float = 0.0,
    accumulate: int = 1,
    context: Context = contextlib.nullcontext,
) -> Step:
    """Returns the pure function `(state, batch, due) -> (state, metrics)`.

    The caller jits it, with `due` static, and decides the sharding.

    Args:
      family: the family, or anything with objectives.
      tx: the optimizer of each objective.
      ema: decay of the average of the parameters; 0 for a copy of the parameters.
      accumulate: number of microbatches whose gradients are averaged in one update.
      context: entered while a loss is traced, e.g. to set the precision.
    """
    objectives = family.objectives()

    def step(
        state: TrainState, batch: Batch, due: tuple[str, ...]
    ) -> tuple[TrainState, Metrics]:
        # one key for all objectives, so that critic and generator see the same samples
        rng = jax.random.fold_in(state.rng, state.step)
        params, opt = dict(state.params), dict(state.opt)
        metrics: dict[str, Array] = {}
        for name in due:
            objective = objectives[name]
            trained = {k: params[k] for k in objective.wrt}
            frozen = {k: v for k, v in params.items() if k not in trained}
            # an objective's own update rule is defined on the whole batch
            microbatches = accumulate if objective.tx is None else 1
            with context():
                value, logs, grads = gradients(
                    objective.loss,
                    trained,
                    frozen,
                    batch,
                    rng=rng,
                    step=state.step,
                    microbatches=microbatches,
                )
            # Optax promotes dtypes, whatever the caller allows
            with jax.numpy_dtype_promotion("standard"):
                updates, opt[name] = tx[name].update(grads, opt[name], trained)
            params.update(optax.apply_updates(trained, updates))
            logs = {"loss": value, "grad_norm": optax.tree.norm(grads), **logs}
            metrics.update({f"{name}/{k}": v for k, v in logs.items()})
        metrics["rejected"] = rejected(opt)
        average = optax.incremental_update(params, state.ema, 1 - ema)
        return TrainState(state.step + 1, params, opt, average, rng=state.rng), metrics

    return step


def gradients(
    loss: Loss,
    trained: Params,
    frozen: Params,
    batch: Batch,
    *,
    rng: Key,
    step: Int[Array, ""],
    microbatches: int,
) -> tuple[Array, Metrics, Params]:
    """Returns a loss, its metrics, and its gradient with respect to `trained`.

    All three are means over `microbatches`, weighted by their numbers of events.
    """

    def whole(batch: Batch, rng: Key):
        def loss_of(trained: Params):
            return loss({**frozen, **trained}, batch, rng, step)

        (value, logs), grads = jax.value_and_grad(loss_of, has_aux=True)(trained)
        return value, logs, grads

    if microbatches == 1:
        return whole(batch, rng)

    def add(total, inputs):
        index, rows = inputs
        result = whole(rows, jax.random.fold_in(rng, index))
        weight = jnp.asarray(result[1].get(WEIGHT, 1.0), jnp.float32)
        return jax.tree.map(jnp.add, total, (weight, scale(result, weight))), None

    # row i goes to microbatch i % microbatches, so that every device keeps its rows
    split = jax.tree.map(
        lambda x: x.reshape(-1, microbatches, *x.shape[1:]).swapaxes(0, 1), batch
    )
    shapes = jax.eval_shape(whole, jax.tree.map(lambda x: x[0], split), rng)
    zeros = jax.tree.map(
        lambda x: jnp.zeros(x.shape, jnp.float32), (jnp.zeros(()), shapes)
    )
    inputs = jnp.arange(microbatches), split
    (weight, sums), _ = jax.lax.scan(add, zeros, inputs)
    value, logs, grads = scale(sums, 1 / jnp.maximum(weight, EPS))
    if WEIGHT in logs:
        logs[WEIGHT] = weight
    return value, logs, grads


def scale(tree, factor: Array):
    """Returns the tree with every leaf multiplied by `factor`."""
    return jax.tree.map(lambda x: x * factor, tree)
