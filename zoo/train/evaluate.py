"""Evaluation of the objectives over a dataset."""

import collections
import contextlib
from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np
from jax.sharding import Mesh

from zoo.core import WEIGHT, Array, Batch, Family, Key, Metrics, Params
from zoo.errors import UsageError
from zoo.train import sharding
from zoo.train.step import Context


def evaluate(family: Family, params: Params, batch: Batch, rng: Key) -> Metrics:
    """Returns the losses and metrics of every evaluated objective on one batch."""
    metrics: dict[str, Array] = {}
    for name, objective in family.objectives().items():
        if objective.evaluated:
            value, logs = objective.loss(params, batch, rng, None)
            metrics[f"{name}/loss"] = value
            metrics.update({f"{name}/{k}": v for k, v in logs.items()})
    return metrics


def check_tokens(family: Family, batch: Batch) -> None:
    """Raises UsageError if a batch on the host has a token that the family lacks.

    On a device an index out of range is clipped, without a word.
    """
    vocab, tokens = vars(family).get("vocab"), batch.get("tokens")
    if vocab is None or not isinstance(tokens, np.ndarray) or not tokens.size:
        return
    low, high = tokens.min(), tokens.max()
    if low < 0 or high >= vocab:
        raise UsageError(
            f"the data have token {low if low < 0 else high}, and the vocabulary of "
            f"{type(family).__name__} ends at {vocab - 1}: encode them by the codec of "
            "the model, or set `vocab` by it."
        )


def plain(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns metrics without the name of their objective, if there is only one.

    With several objectives `objective/name` becomes `objective_name`.
    """
    if len({name.partition("/")[0] for name in metrics}) > 1:
        return {name.replace("/", "_"): value for name, value in metrics.items()}
    return {name.partition("/")[2]: value for name, value in metrics.items()}


def evaluator(
    family: Family,
    *,
    seed: int = 0,
    mesh: Mesh | None = None,
    context: Context = contextlib.nullcontext,
) -> Callable[[Params, Iterable[Batch]], dict[str, float]]:
    """Returns `(params, batches) -> metrics`, compiled once per batch shape.

    A metric is a mean over all events of all batches. The number of events is a sum.
    As in training, `batches` yields this process's rows.

    Args:
      family: the family.
      seed: seed of the losses that sample.
      mesh: the devices to split batches over.
      context: entered while a loss is traced, e.g. to set the precision.
    """

    @jax.jit
    def evaluate_batch(params: Params, batch: Batch, rng: Key) -> Metrics:
        with context():
            return evaluate(family, params, batch, rng)

    def evaluate_all(params: Params, batches: Iterable[Batch]) -> dict[str, float]:
        sums: dict[str, float] = collections.defaultdict(float)
        weights: dict[str, float] = collections.defaultdict(float)
        for index, batch in enumerate(batches):
            check_tokens(family, batch)
            rng = jax.random.fold_in(jax.random.key(seed), index)
            placed = sharding.shard_batch(mesh, batch) if mesh else batch
            metrics = jax.device_get(evaluate_batch(params, placed, rng))
            for name, value in metrics.items():
                objective, _, key = name.partition("/")
                if key == WEIGHT:
                    sums[name] += float(value)
                    continue
                events = float(metrics.get(f"{objective}/{WEIGHT}", 1))
                # without events the mean may not be a number
                sums[name] += float(value) * events if events else 0.0
                weights[name] += events
        return {
            name: total / (weights.get(name) or 1.0) for name, total in sums.items()
        }

    return evaluate_all
