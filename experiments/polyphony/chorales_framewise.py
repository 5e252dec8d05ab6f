"""Four-part chorales in 16ths, in random order: Coconet (Huang et al. 2017).

python experiments/polyphony/chorales_framewise.py --corpus Jsb16thSeparated.json
"""

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.inference.model import Model
from zoo.models import Coconet
from zoo.ranges import Count, Examples, Pieces, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Frames, Task
from zoo.train.optim import Adam
from zoo.train.options import Options

TASK = Frames(corpus="Jsb16thSeparated.json", codec="voices", batch=8, transpose=6)


def chorales_framewise(
    workdir: Path = Path("runs/chorales_framewise"),
    steps: TrainingSteps = 24000,
    model: Coconet = Coconet(),
    task: Frames = TASK,
    orders: Count = 5,
    measured: Pieces = 32,
    optimizer: Adam = Adam(3e-3, warmup=200),
    options: Options = Options(ema=0.998, save_every=500),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains Coconet, and estimates its framewise likelihood (Algorithm 1).

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        orders: random orders in which every piece of the test split is evaluated.
        measured: randomly chosen frames of each piece that are evaluated.
        optimizer: the update rule.
        options: how the run is executed.
        samples: pieces to write at the end.
    """
    return train(
        model,
        task,
        name="chorales_framewise",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=functools.partial(
            framewise_likelihood, orders=orders, measured=measured
        ),
    )


def framewise_likelihood(
    model: Model, task: Task, *, orders: int, measured: int
) -> dict[str, float]:
    """Returns nats per frame of the test split, estimated by Algorithm 1.

    `test_framewise` is the mean over orders: a proper likelihood, and an upper bound on
    the negative log-likelihood under a piece's mixture of orders. `_error` is the
    standard error of its estimate. `test_ensembled` averages the probabilities of each
    frame over orders, as the code published with the paper does; no distribution over
    pieces has that likelihood.

    Args:
      model: a trained Coconet.
      task: the chorales.
      orders: random orders of each piece.
      measured: frames of each piece.
    """
    likelihood = jax.jit(model.family.framewise, static_argnames=("orders", "steps"))
    rows: list[tuple[float, float, float, float]] = []
    for index, batch in enumerate(task.eval_batches("test")):
        rng = jax.random.fold_in(jax.random.key(0), index)
        log_p, valid = likelihood(
            model.params,
            batch["tokens"],
            batch["mask"],
            rng,
            orders=orders,
            steps=measured,
        )
        ensembled = jax.nn.logsumexp(log_p, axis=0) - jnp.log(orders)
        lengths = np.asarray(batch["mask"]).sum(axis=1)
        columns = jax.device_get((log_p.mean(axis=0), ensembled, valid))
        for length, *values in zip(lengths, *columns, strict=True):
            if length:
                rows.append(piece_sums(length, *values))
    length, mean, ensemble, error = np.array(rows).T
    return {
        "test_framewise": float(-mean.sum() / length.sum()),
        "test_framewise_error": float(np.sqrt((error**2).sum()) / length.sum()),
        "test_ensembled": float(-ensemble.sum() / length.sum()),
    }


def piece_sums(
    length: int, mean: np.ndarray, ensembled: np.ndarray, valid: np.ndarray
) -> tuple[float, float, float, float]:
    """Extrapolates the log-likelihood of the evaluated frames of a piece to all of it.

    Args:
      length: frames of the piece.
      mean: log-likelihood of each evaluated frame, averaged over orders.
      ensembled: logarithm of its probability averaged over orders.
      valid: which of them are frames of the piece, and not padding.

    Returns:
      The length, the two log-likelihoods, and the standard error of the first.
    """
    error = length * mean[valid].std() / np.sqrt(valid.sum())
    return length, length * mean[valid].mean(), length * ensembled[valid].mean(), error


if __name__ == "__main__":
    launch(chorales_framewise)
