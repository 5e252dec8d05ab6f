"""Every objective, undescended, over a whole dataset."""

import contextlib
from collections.abc import Iterable

import jax
import numpy as np

from zoo.core import WEIGHT, Batch, Family, Key, Metrics, Params
from zoo.train.step import Context


def evaluate(family: Family, params: Params, batch: Batch, rng: Key) -> Metrics:
    """The objectives of one batch as they stand at the end of training (`step` is None)."""
    metrics = {}
    for name, objective in family.objectives().items():
        value, logs = objective.loss(params, batch, rng, None)
        metrics |= {f"{name}/{k}": v for k, v in {"loss": value, **logs}.items()}
    return metrics


def over(
    family: Family,
    params: Params,
    batches: Iterable[Batch],
    *,
    seed: int = 0,
    context: Context = contextlib.nullcontext,
) -> dict[str, float]:
    """Means over all of `batches`, each pooled by the events it is a mean over."""

    @jax.jit
    def one(params, batch, rng):
        with context():
            return evaluate(family, params, batch, rng)

    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    for index, batch in enumerate(batches):
        metrics = jax.device_get(
            one(params, batch, jax.random.fold_in(jax.random.key(seed), index))
        )
        for name, value in metrics.items():
            objective, _, key = name.partition("/")
            count = float(metrics.get(f"{objective}/{WEIGHT}", 1.0))
            weights[name] = weights.get(name, 0.0) + (1.0 if key == WEIGHT else count)
            part = value if key == WEIGHT else value * count if count else 0.0
            sums[name] = sums.get(name, 0.0) + float(part)
    totals = {n for n in sums if n.endswith(f"/{WEIGHT}")}
    return {
        n: s if n in totals else float(np.divide(s, max(weights[n], 1e-9))) for n, s in sums.items()
    }
