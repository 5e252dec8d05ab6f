"""Log-likelihoods of event sequences. Axes: b row, t step, v vocabulary."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Batch, Bool, Float, Int, Key, Metrics, Params
from zoo.nn.masked import at_least_one

TokenLogProbs = Callable[[Params, Array, Key | None], tuple[Array, Array]]


def previous_tokens(tokens: Int[Array, "b t"]) -> Int[Array, "b t"]:
    """Returns the token before each one, BOUNDARY before the first: teacher forcing."""
    return jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=BOUNDARY)


def pick_log_probs(
    logits: Float[Array, "*n v"], tokens: Int[Array, "*n"]
) -> tuple[Float[Array, "*n"], Bool[Array, "*n"]]:
    """Returns each token's log-likelihood, and whether it was the most likely one."""
    chosen = (logits * jax.nn.one_hot(tokens, logits.shape[-1], dtype=jnp.float32)).sum(
        axis=-1
    )
    log_p = chosen - jax.nn.logsumexp(logits, axis=-1)
    return log_p, chosen >= logits.max(axis=-1)


def language_model_loss(
    token_log_probs: TokenLogProbs,
    params: Params,
    batch: Batch,
    rng: Key,
    *,
    step: Array | None,
) -> tuple[Array, Metrics]:
    """Returns the mean negative log-likelihood of a batch, in nats, and its metrics.

    Args:
      token_log_probs: the family's method of that name; its third argument is the key
        of dropout, which is None at evaluation, that is, where `step` is None.
    """
    dropout = None if step is None else rng
    log_p, correct = token_log_probs(params, batch["tokens"], dropout)
    return mean_nll(log_p, correct, batch["mask"])


def mean_nll(
    log_p: Float[Array, "b t"], correct: Array, mask: Bool[Array, "b t"]
) -> tuple[Array, Metrics]:
    """Returns the mean negative log-likelihood of the masked events, and its metrics.

    Args:
      log_p: log-likelihood of each event, in nats.
      correct: whether each event was the most likely one, or the share of its values
        that were, [b, t].
      mask: True for the events that count.
    """
    events = mask.sum()
    share = mask.astype(jnp.float32) / at_least_one(events)
    nll = -(log_p * share).sum()
    accuracy = (correct.astype(jnp.float32) * share).sum()
    return nll, {"nll": nll, "accuracy": accuracy, "events": events}
