"""Objectives, undescended, over a whole dataset."""

import collections
import contextlib
from collections.abc import Callable, Iterable, Mapping

import jax
from jax.sharding import Mesh

from zoo.core import WEIGHT, Array, Batch, Family, Key, Metrics, Params
from zoo.train import sharding
from zoo.train.step import Context


def evaluate(family: Family, params: Params, batch: Batch, rng: Key) -> Metrics:
    """The objectives that are measured, as they stand at the end of training (`step` is None)."""
    metrics: dict[str, Array] = {}
    measured = {name: x for name, x in family.objectives().items() if x.evaluated}
    for name, objective in measured.items():
        value, logs = objective.loss(params, batch, rng, None)
        metrics |= {f"{name}/{k}": v for k, v in {"loss": value, **logs}.items()}
    return metrics


def plain(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics by their own names where they are of one objective, and of several by
    `objective_name`."""
    several = len({name.partition("/")[0] for name in metrics}) > 1
    bare = lambda name: name.replace("/", "_") if several else name.partition("/")[2]
    return {bare(name): value for name, value in metrics.items()}


def evaluator(
    family: Family,
    *,
    seed: int = 0,
    mesh: Mesh | None = None,
    context: Context = contextlib.nullcontext,
) -> Callable[[Params, Iterable[Batch]], dict[str, float]]:
    """Returns `(params, batches) -> metrics`, compiled once.

    Metrics are means over all batches, each pooled by the events it is a mean over; counts of
    events are summed. `batches` hold this process's rows, as training batches do.
    """

    @jax.jit
    def one(params: Params, batch: Batch, rng: Key) -> Metrics:
        with context():
            return evaluate(family, params, batch, rng)

    def over(params: Params, batches: Iterable[Batch]) -> dict[str, float]:
        sums: dict[str, float] = collections.defaultdict(float)
        weights: dict[str, float] = collections.defaultdict(float)
        for index, batch in enumerate(batches):
            rng = jax.random.fold_in(jax.random.key(seed), index)
            placed = sharding.spread(mesh, batch) if mesh else batch
            metrics = jax.device_get(one(params, placed, rng))
            for name, value in metrics.items():
                objective, _, key = name.partition("/")
                counts = (
                    1.0
                    if key == WEIGHT
                    else float(metrics.get(f"{objective}/{WEIGHT}", 1))
                )
                sums[name] += float(value) * counts if counts else 0.0
                weights[name] += counts if key != WEIGHT else 0.0
        return {name: total / (weights[name] or 1.0) for name, total in sums.items()}

    return over
