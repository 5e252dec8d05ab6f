"""A Markov chain of any order, counted by gradient descent (Markov 1913; Shannon 1948).

For a log-linear model the gradient with respect to the natural parameters is the sufficient
statistic, so one pass of `sgd(1.0)` over the loss -<theta, counts(batch)> *is* counting. Estimates
of every order are interpolated: each is smoothed towards the one that remembers an event less, down
to the uniform (the hierarchical Dirichlet estimate of MacKay & Peto 1995). Axes: b row, t step, v
vocabulary, k order.
"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import optax

from zoo.core import BOUNDARY, Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.decode import Draw, generate

LARGEST = 2**28  # counts: one gibibyte of them


@dataclasses.dataclass(frozen=True)
class Markov:
    """`smoothing`: how many observed events the estimate of the next lower order is worth."""

    vocab: int = 130
    order: int = 1
    smoothing: float = 1.0
    length: int = 256

    def __post_init__(self) -> None:
        if self.order < 0 or self.smoothing <= 0:
            raise UsageError(
                f"order is {self.order} and smoothing {self.smoothing}: "
                "an order is 0 or more, a smoothing above 0."
            )
        if self.vocab ** (self.order + 1) > LARGEST:
            raise UsageError(
                f"a table of order {self.order} over {self.vocab} tokens does not fit in memory: "
                "lower the order."
            )

    def example(self, n: int) -> Batch:
        tokens = jnp.arange(n * self.length).reshape(n, self.length) % self.vocab
        return {"tokens": tokens.astype(jnp.int32), "mask": jnp.ones((n, self.length), bool)}

    def init(self, rng: Key, batch: Batch) -> Params:
        return {"net": {"counts": jnp.zeros((self.vocab,) * (self.order + 1))}}

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss, tx=optax.sgd(1.0))}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """-<theta, counts(batch)>, whose gradient is minus the counts; `nll` in nats per event."""
        tokens, mask = batch["tokens"], batch["mask"]
        counts, where = params["net"]["counts"], (*self.contexts(tokens), tokens)
        statistic = -(counts[where] * mask).sum()
        events = mask.sum()
        nll = -(jnp.log(self.probabilities(counts)[where]) * mask).sum() / jnp.maximum(events, 1)
        return statistic, {"nll": nll, "events": events}

    def log_prob(self, params: Params, tokens: Array, mask: Array) -> Array:
        """Log-likelihood in nats of each row of `tokens` [b, t], over the events in `mask`."""
        where = (*self.contexts(tokens), tokens)
        return (jnp.log(self.probabilities(params["net"]["counts"])[where]) * mask).sum(-1)

    def contexts(self, tokens: Array) -> tuple[Array, ...]:
        """The k events before each event [b, t], oldest first; none reaches beyond a BOUNDARY."""
        context, now, inside = [], tokens, jnp.ones(tokens.shape, bool)
        for _ in range(self.order):
            now = jnp.pad(now[:, :-1], ((0, 0), (1, 0)), constant_values=BOUNDARY)
            context.append(jnp.where(inside, now, BOUNDARY))
            inside &= now != BOUNDARY
        return tuple(reversed(context))

    def probabilities(self, counts: Array) -> Array:
        """p(x | context), [v] * k + [v]: P_k = (n + s P_{k-1}) / (sum n + s), P_{-1} uniform."""
        estimate = jnp.full((self.vocab,), 1 / self.vocab)
        for older in range(self.order, -1, -1):  # how many of the oldest events are summed out
            n = counts.sum(axis=tuple(range(older)))
            lower = jnp.broadcast_to(estimate, n.shape)
            estimate = (n + self.smoothing * lower) / (n.sum(-1, keepdims=True) + self.smoothing)
        return estimate

    def start(self, n: int) -> Array:
        """The state of `n` rows before their first event: the last k events, [n, k]."""
        return jnp.full((n, self.order), BOUNDARY, jnp.int32)

    def step(self, params: Params, state: Array, token: Array) -> tuple[Array, Array]:
        """One event: state [n, k], token [n] -> state, logits [n, v]."""
        return self.advance(jnp.log(self.probabilities(params["net"]["counts"])), state, token)

    def advance(self, table: Array, state: Array, token: Array) -> tuple[Array, Array]:
        moved = jnp.concatenate([state, token[:, None]], axis=1)[:, 1:]
        state = jnp.where(token[:, None] == BOUNDARY, BOUNDARY, moved)
        logits = (
            table[tuple(state.T)]
            if self.order
            else jnp.broadcast_to(table, (len(token), self.vocab))
        )
        return state, logits

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: Array | None = None,
        allow: Array | None = None,
    ) -> Array:
        """Draws int32 [n, length]: pieces that begin as `primer` does and end in BOUNDARY."""
        table = jnp.log(self.probabilities(params["net"]["counts"]))
        step = lambda state, token: self.advance(table, state, token)
        length = self.length if length is None else length
        return generate(step, self.start(n), rng, n, length, draw=draw, primer=primer, allow=allow)


TINY = Markov(vocab=8, order=2, length=6)
