"""Figures of a saved model on a few rows that are saved with it."""

from collections.abc import Mapping

import numpy as np

from zoo.core import Batch
from zoo.inference.model import Model
from zoo.train.evaluate import evaluator, plain

ROWS = 64
MAX_BYTES = 2**18  # of the rows
PREFIX = "check/"  # of their names among the extras of a model


def first_rows(model: Model, split: str = "test") -> dict[str, np.ndarray]:
    """Returns the first rows of a split, narrowed, by their names among the extras.

    They are 64, or as many as fit a quarter of a megabyte.
    """
    batch = next(iter(model.task.eval_batches(split, batch=ROWS)))
    narrow = {name: narrowed(np.asarray(values)) for name, values in batch.items()}
    size = sum(values.nbytes for values in narrow.values())
    rows = max(1, min(ROWS, ROWS * MAX_BYTES // size))
    return {f"{PREFIX}{name}": values[:rows] for name, values in narrow.items()}


def narrowed(values: np.ndarray) -> np.ndarray:
    """Returns an array of fewer bytes: of 16 bits if it has fractions."""
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float16)
    if values.dtype == bool or not values.size:
        return values
    return values.astype(np.result_type(*map(np.min_scalar_type, extremes(values))))


def extremes(values: np.ndarray) -> tuple[int, int]:
    """Returns the least and the greatest whole number of an array."""
    return int(values.min()), int(values.max())


def widened(values: np.ndarray) -> np.ndarray:
    """Returns an array with the dtype that batches have."""
    if values.dtype == bool:
        return values
    fractions = np.issubdtype(values.dtype, np.floating)
    return values.astype(np.float32 if fractions else np.int32)


def checked_metrics(model: Model) -> dict[str, float]:
    """Returns the metrics of a model on the rows that are saved with it; {} without."""
    batch: Batch = {
        name.removeprefix(PREFIX): widened(np.asarray(values))
        for name, values in model.extras.items()
        if name.startswith(PREFIX)
    }
    return plain(evaluator(model.family)(model.params, [batch])) if batch else {}


def agree(
    metrics: Mapping[str, float], others: Mapping[str, float], share: float
) -> bool:
    """Says whether two sets of metrics are the same up to a share of each."""
    return metrics.keys() == others.keys() and all(
        abs(metrics[name] - others[name]) <= share * max(abs(others[name]), 1e-2)
        for name in metrics
    )
