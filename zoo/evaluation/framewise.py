"""The likelihood of frames in random order (Huang et al. 2017, algorithm 1)."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Batch
from zoo.inference.model import Model


def framewise_likelihood(
    model: Model, batches: Iterable[Batch], *, orders: int, measured: int
) -> dict[str, float]:
    """Returns nats per frame of pieces, estimated by Algorithm 1.

    `test_framewise` is the mean over orders: a proper likelihood, and an upper bound on
    the negative log-likelihood under a piece's mixture of orders. `_error` is the
    standard error of its estimate. `test_ensembled` averages the probabilities of each
    frame over orders, as the code published with the paper does; no distribution over
    pieces has that likelihood.

    Args:
      model: a trained Coconet.
      batches: the pieces.
      orders: random orders of each piece.
      measured: frames of each piece.
    """
    likelihood = jax.jit(model.family.framewise, static_argnames=("orders", "steps"))
    rows: list[tuple[float, float, float, float]] = []
    for index, batch in enumerate(batches):
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
