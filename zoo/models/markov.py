"""A Markov chain of any order, counted by gradient descent (Markov 1913; Shannon 1948).

For a log-linear model the gradient with respect to the natural parameters is the sufficient
statistic, so one pass of `sgd(1.0)` over the loss -<theta, counts(batch)> *is* counting. Estimates
of every order are interpolated: each is smoothed towards the one that remembers an event less, down
to the uniform (the hierarchical Dirichlet estimate of MacKay & Peto 1995). Axes: b row, t step, v
vocabulary, k order.
"""

import dataclasses
from collections.abc import Callable, Mapping

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
        statistic = params["net"]["counts"][(*self.contexts(tokens), tokens)] * mask
        events = mask.sum()
        nll = -self.log_prob(params, tokens, mask).sum() / jnp.maximum(events, 1)
        return -statistic.sum(), {"nll": nll, "events": events}

    def log_prob(self, params: Params, tokens: Array, mask: Array) -> Array:
        """Log-likelihood in nats of each row of `tokens` [b, t], over the events in `mask`."""
        chances = self.predict(self.marginals(params), self.contexts(tokens))
        chances = jnp.broadcast_to(chances, (*tokens.shape, self.vocab))
        chosen = jnp.take_along_axis(chances, tokens[..., None], axis=-1)[..., 0]
        return (jnp.log(chosen) * mask).sum(-1)

    def contexts(self, tokens: Array) -> tuple[Array, ...]:
        """The k events before each event [b, t], oldest first; none reaches beyond a BOUNDARY."""
        context, now, inside = [], tokens, jnp.ones(tokens.shape, bool)
        for _ in range(self.order):
            now = jnp.pad(now[:, :-1], ((0, 0), (1, 0)), constant_values=BOUNDARY)
            context.append(jnp.where(inside, now, BOUNDARY))
            inside &= now != BOUNDARY
        return tuple(reversed(context))

    def marginals(self, params: Params) -> tuple[Array, ...]:
        """Counts for 0, 1 .. k remembered events, [v] to [v] * k + [v]: the oldest summed out."""
        counts = params["net"]["counts"]
        return tuple(counts.sum(axis=tuple(range(old))) for old in range(self.order, -1, -1))

    def predict(self, marginals: tuple[Array, ...], context: tuple[Array, ...]) -> Array:
        """P_k(x | context) [.., v]: P_k = (n + s P_{k-1}) / (sum n + s), and P_{-1} is uniform."""
        chances = jnp.full((self.vocab,), 1 / self.vocab)
        for order, counts in enumerate(marginals):
            n = counts[context[self.order - order :]]
            prior = self.smoothing * jnp.broadcast_to(chances, n.shape)
            chances = (n + prior) / (n.sum(-1, keepdims=True) + self.smoothing)
        return chances

    def start(self, n: int) -> Array:
        """The state of `n` rows before their first event: the last k events, [n, k]."""
        return jnp.full((n, self.order), BOUNDARY, jnp.int32)

    def step(self, params: Params, state: Array, token: Array) -> tuple[Array, Array]:
        """One event: state [n, k], token [n] -> state, logits of the next event [n, v]."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[Array, Array], tuple[Array, Array]]:
        """`step` with the marginal counts summed beforehand."""
        marginals = self.marginals(params)

        def step(state: Array, token: Array) -> tuple[Array, Array]:
            moved = jnp.concatenate([state, token[:, None]], axis=1)[:, 1:]
            state = jnp.where(token[:, None] == BOUNDARY, BOUNDARY, moved)
            logits = jnp.log(self.predict(marginals, tuple(state.T)))
            return state, jnp.broadcast_to(logits, (len(token), self.vocab))

        return step

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: Array | None = None,
    ) -> Array:
        """Events int32 [n, length], each row ended and padded by BOUNDARY; see `generate`."""
        step, length = self.stepper(params), length or self.length
        return generate(step, self.start(n), rng, n, length, draw=draw, primer=primer)


TINY = Markov(vocab=8, order=2, length=6)
