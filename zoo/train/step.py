"""One train step for every family: a tour of the objectives that are due."""

import contextlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from zoo.core import WEIGHT, Array, Batch, Family, Key, Loss, Metrics, Params
from zoo.train.optim import Optimizers, rejected

Context = Callable[[], contextlib.AbstractContextManager]
Step = Callable[..., tuple["TrainState", Metrics]]


class TrainState(NamedTuple):
    """Everything a run is: saved whole, donated whole."""

    step: Array
    params: Params
    opt: Mapping[str, optax.OptState]  # one per objective
    ema: Params  # what sampling and evaluation read
    rng: Key  # never split: each step folds its own number in


def init(family: Family, tx: Optimizers, rng: Key, batch: Batch) -> TrainState:
    params_rng, rng = jax.random.split(rng)
    params = family.init(params_rng, batch)
    opt = {
        name: tx[name].init({k: params[k] for k in objective.wrt})
        for name, objective in family.objectives().items()
    }
    # a copy: an alias would be donated twice
    return TrainState(
        jnp.zeros((), jnp.int32), params, opt, jax.tree.map(jnp.copy, params), rng
    )


def due(family: Family, step: int) -> tuple[str, ...]:
    """The objectives that step number `step` takes, in order."""
    return tuple(name for name, o in family.objectives().items() if step in o.when)


def make_step(
    family: Family,
    tx: Optimizers,
    *,
    ema: float = 0.0,
    accumulate: int = 1,
    context: Context = contextlib.nullcontext,
) -> Step:
    """Returns the pure `(state, batch, due) -> (state, metrics)`; the caller jits and places it.

    `ema` is the decay of the averaged parameters (0: they are the parameters); `accumulate` splits
    the batch into that many parts whose gradients are pooled before one update; `context` surrounds
    every loss while it is traced, which is where precision comes in.
    """
    objectives = family.objectives()

    def step(
        state: TrainState, batch: Batch, due: tuple[str, ...]
    ) -> tuple[TrainState, Metrics]:
        rng = jax.random.fold_in(
            state.rng, state.step
        )  # shared: the fakes judged are those graded
        params, opt = dict(state.params), dict(state.opt)
        metrics: dict[str, Array] = {}
        for name in due:  # static, so each cadence is its own executable
            objective = objectives[name]
            moving = {k: params[k] for k in objective.wrt}
            frozen = {k: v for k, v in params.items() if k not in moving}
            with context():
                # an algorithm's own update, such as counting, is defined on the batch as a whole
                parts = accumulate if objective.tx is None else 1
                value, logs, grads = gradients(
                    objective.loss, moving, frozen, batch, rng, state.step, parts
                )
            updates, opt[name] = tx[name].update(grads, opt[name], moving)
            params |= optax.apply_updates(moving, updates)
            logs = {"loss": value, "grad_norm": optax.tree.norm(grads), **logs}
            metrics |= {f"{name}/{k}": v for k, v in logs.items()}
        metrics["rejected"] = rejected(opt)
        smooth = optax.incremental_update(params, state.ema, 1 - ema)
        return TrainState(state.step + 1, params, opt, smooth, state.rng), metrics

    return step


def gradients(
    loss: Loss,
    moving: Params,
    frozen: Params,
    batch: Batch,
    rng: Key,
    step: Array,
    parts: int,
) -> tuple[Array, Metrics, Params]:
    """The loss, its metrics and its gradient over `moving`, pooled over `parts` of the batch."""

    def part(batch: Batch, rng: Key):
        whole = lambda moving: loss({**frozen, **moving}, batch, rng, step)
        (value, logs), grads = jax.value_and_grad(whole, has_aux=True)(moving)
        return value, logs, grads

    if parts == 1:
        return part(batch, rng)

    def pool(total, inputs):
        index, rows = inputs
        new = part(rows, jax.random.fold_in(rng, index))
        weight = jnp.asarray(new[1].get(WEIGHT, 1.0), jnp.float32)
        return jax.tree.map(jnp.add, total, (weight, scale(new, weight))), None

    # every parts-th row, so that each device keeps its own rows
    split = jax.tree.map(
        lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), batch
    )
    shapes = jax.eval_shape(part, jax.tree.map(lambda x: x[0], split), rng)
    zeros = jax.tree.map(
        lambda x: jnp.zeros(x.shape, jnp.float32), (jnp.zeros(()), shapes)
    )
    (weight, sums), _ = jax.lax.scan(pool, zeros, (jnp.arange(parts), split))
    value, logs, grads = scale(sums, 1 / jnp.maximum(weight, 1e-9))
    return value, logs | ({WEIGHT: weight} if WEIGHT in logs else {}), grads


def scale(tree, factor: Array):
    return jax.tree.map(lambda x: x * factor, tree)
