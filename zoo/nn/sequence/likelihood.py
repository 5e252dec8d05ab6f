"""What models of events are fitted by and measured in. Axes: b row, t step."""

import jax.numpy as jnp

from zoo.core import Array, Metrics


def mean_nll(log_p: Array, hit: Array, mask: Array) -> tuple[Array, Metrics]:
    """Mean negative log-likelihood of the events in the mask, in nats, and its metrics.

    Args:
      log_p: log-likelihood of each event, [b, t].
      hit: whether each was held likeliest, [b, t].
      mask: bool [b, t], the events that count.
    """
    events = mask.sum()
    share = mask / jnp.maximum(events, 1)
    nll = -(log_p * share).sum()
    return nll, {"nll": nll, "accuracy": (hit * share).sum(), "events": events}
