"""A Markov chain of any order by modified Kneser-Ney smoothing.

Kneser & Ney 1995; Chen & Goodman 1999. The estimate of each order subtracts a discount
from every count and gives that mass to the next lower order, which counts not how often
an event occurred but in how many different contexts. As a stream (Teh 2006): an event
that is new to its context is passed on, once, to the next shorter one. Counts are a
sufficient statistic, hence the gradient of a log-linear loss, so that `sgd(1.0)` *is*
counting. Axes: b row, t step, n row, v vocabulary, k order.

Deviations: the discounts are fields, chosen by validation. Chen & Goodman estimate them
from counts of counts, which fails on tunes that repeat their sections. Counts of all
orders share one hash table. A context has v consecutive slots, from an index that is a
hash of it, and they may overlap with another's. A slot belongs to the first context
that uses it, whose second hash is written beside the count. A pair of context and event
whose slot is taken is not counted, and its shorter context is used instead.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
import optax

from zoo.core import (
    BOUNDARY,
    Array,
    Batch,
    Bool,
    Float,
    Int,
    Key,
    Metrics,
    Objective,
    Params,
    Tree,
)
from zoo.errors import UsageError
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import mean_nll, previous_tokens
from zoo.nn.sequence.sampling import Draw, generate
from zoo.ranges import Length, Range, Vocab, checked

MAX_TABLE = 2**28  # numbers in a table: one gibibyte
Order = Annotated[int, Range(0, 64)]
Discount = Annotated[float, Range(0, 3, open_low=True, open_high=True)]
Discounts = tuple[Discount, Discount, Discount]
NONE = -1  # in a context: before the BOUNDARY that begins a piece
MIN_PROBABILITY = float(jnp.finfo(jnp.float32).tiny)


def mix_bits(x: Array) -> Array:
    """Mixes the bits of uint32, each depending on all others (MurmurHash3)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> shift)) * jnp.uint32(factor)
    return x ^ (x >> 16)


@dataclasses.dataclass(frozen=True)
@checked
class Markov:
    """Configuration of the Markov chain.

    Raises:
      UsageError: an order below 0, discounts outside their range, or a table too small
        or too large.
    """

    vocab: Vocab = 130
    """Number of tokens, BOUNDARY included."""
    order: Order = 8
    """Events in the longest context."""
    slots: Annotated[int, Range(1, MAX_TABLE // 2)] = 2**20
    """Slots for counts in the hash table."""
    _: dataclasses.KW_ONLY
    discounts: Discounts = (0.9, 1.4, 1.9)
    """Discounts of counts of 1, of 2, and of 3 or more."""
    length: Length = 256
    """Events in a training row, and in a sample."""

    def __post_init__(self) -> None:
        if not all(discount < n for n, discount in enumerate(self.discounts, 1)):
            raise UsageError(
                f"`discounts` are {self.discounts}: choose three, below 1, 2 and 3."
            )
        if self.vocab > self.slots:
            raise UsageError(
                f"slots is {self.slots} for {self.vocab} tokens: choose from "
                f"{self.vocab} to {MAX_TABLE // 2}."
            )

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` rows."""
        tokens = jnp.arange(n * self.length).reshape(n, self.length) % self.vocab
        mask = jnp.ones((n, self.length), bool)
        return {"tokens": tokens.astype(jnp.int32), "mask": mask}

    def init(self, rng: Key, batch: Batch) -> Params:
        """Returns an empty table."""
        zeros = jnp.zeros(self.slots, jnp.float32)
        return {"net": {"counts": zeros, "owner": zeros}}

    def objectives(self) -> Mapping[str, Objective]:
        """Returns the objective: counting."""
        return {"fit": Objective(self.loss, tx=optax.sgd(1.0))}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean nats per masked event; the gradient is minus the new counts.

        The value does not depend on the parameters. <params, new counts> is subtracted
        with its gradient, and added without it.
        """
        fixed = jax.lax.stop_gradient(params)
        log_p, correct = self.token_log_probs(fixed, batch["tokens"])
        nll, metrics = mean_nll(log_p, correct, batch["mask"])
        if step is None:
            return nll, metrics
        added = self.count(fixed["net"], batch["tokens"], batch["mask"])
        linear = sum(jnp.vdot(params["net"][name], added[name]) for name in added)
        return nll + (jax.lax.stop_gradient(linear) - linear), metrics

    def count(
        self, net: Tree, tokens: Int[Array, "b t"], mask: Bool[Array, "b t"]
    ) -> Tree:
        """Returns the additions of the masked events to the table, by `sgd(1.0)`."""

        def remember(state: Array, token: Array) -> tuple[Array, Array]:
            state = self.remember(state, token)
            return state, state

        before = previous_tokens(tokens)
        _, context = jax.lax.scan(remember, self.start(len(tokens)), before.T)
        index, name = self.find(context)
        slot = index + tokens.T[..., None]
        by_order = lambda x: x.reshape(-1, self.order + 1).T[::-1]
        events, rank = mask.T.reshape(-1), jnp.arange(mask.size)

        def one_order(state, inputs):
            (counts, owner, claims), longest, new = state
            slot, name = inputs
            # an event is counted in its longest context, and in shorter ones while it
            # is new to the longer
            counted = events & (name > 0) & (longest | new)
            free = counted & (owner[slot] == 0)
            claims = claims.at[jnp.where(free, slot, self.slots)].min(rank, mode="drop")
            first = free & (claims[slot] == rank)
            owner = owner.at[slot].add(jnp.where(first, name, 0.0))
            owned = counted & (owner[slot] == name)
            counts = counts.at[slot].add(owned.astype(counts.dtype))
            longest = longest & (name < 0)
            return ((counts, owner, claims), longest, counted & (first | ~owned)), None

        table = (
            jnp.zeros(self.slots, jnp.float32),
            net["owner"],
            jnp.full(self.slots, mask.size),
        )
        start = table, jnp.ones_like(events), jnp.zeros_like(events)
        orders = by_order(slot), by_order(name)
        ((counts, owner, _), _, _), _ = jax.lax.scan(one_order, start, orders)
        return {"counts": counts, "owner": owner - net["owner"]}

    def find(
        self, context: Int[Array, "*n k"]
    ) -> tuple[Int[Array, "*n k+1"], Float[Array, "*n k+1"]]:
        """Returns where the table has the events after the last 0, 1 .. k events.

        Returns:
          The first of the v slots; and the name of the context that is written there,
          an integer from 1 below 2**24, or -1 if the piece has fewer events.
        """
        k = self.order
        factors = mix_bits(jnp.arange(2 * k, dtype=jnp.uint32) + 1) | 1
        factors = (
            factors.reshape(2, 1, k) * jnp.tri(k + 1, k, -1, dtype=jnp.uint32)[None]
        )
        terms = (context - NONE).astype(jnp.uint32)
        hash_1, hash_2 = (
            mix_bits(jnp.einsum("...k,jk->...j", terms, factor)) for factor in factors
        )
        index = (hash_1 % jnp.uint32(self.slots - self.vocab + 1)).astype(jnp.int32)
        name = ((hash_2 >> 8) | 1).astype(jnp.float32)
        oldest = jnp.pad(context, [(0, 0)] * (context.ndim - 1) + [(1, 0)])
        return index, jnp.where(oldest == NONE, -1.0, name)

    def log_prob(
        self, params: Params, tokens: Int[Array, "b t"], mask: Bool[Array, "b t"]
    ) -> Float[Array, " b"]:
        """Returns the log-likelihood of each row's masked events, in nats."""
        return (self.token_log_probs(params, tokens)[0] * mask).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Int[Array, "b t"], rng: Key | None = None
    ) -> tuple[Float[Array, "b t"], Bool[Array, "b t"]]:
        """Returns each event's log-likelihood, and whether it was the most likely."""
        step = self.stepper(params)

        def event(state: Array, inputs: tuple[Array, Array]):
            token, target = inputs
            state, logits = step(state, token)
            chosen = jnp.take_along_axis(logits, target[:, None], axis=1)[:, 0]
            return state, (chosen, chosen >= logits.max(axis=1))

        inputs = previous_tokens(tokens).T, tokens.T
        _, (log_p, correct) = jax.lax.scan(event, self.start(len(tokens)), inputs)
        return log_p.T, correct.T

    def predict(self, net: Tree, context: Int[Array, "n k"]) -> Float[Array, "n v"]:
        """Returns P(x | context), interpolated from the lowest order up.

        P_j(x) = (n_j(x) - d(n_j(x))) / sum n_j + P_{j-1}(x) sum d(n_j) / sum n_j,
        or P_{j-1}(x) if the context was never seen (Chen & Goodman 1999, section 3).
        """
        index, name = self.find(context)

        def read(table: Array, i: Array) -> Array:
            return jax.lax.dynamic_slice(table, (i,), (self.vocab,))

        # slices of the table: four times as fast on a CPU as a gather of its elements
        read_all = jax.vmap(jax.vmap(read, (None, 0)), (None, 0))
        owned = read_all(net["owner"], index) == name[..., None]
        n = jnp.where(owned, read_all(net["counts"], index), 0.0)
        one, two, more = self.discounts
        d = jnp.select([n > 2, n > 1, n > 0], [more, two, one], 0.0)
        total = n.sum(axis=-1, keepdims=True)
        backoff = d.sum(axis=-1, keepdims=True) / jnp.maximum(total, 1)
        backoff = jnp.where(total > 0, backoff, 1.0)
        discounted = (n - d) / jnp.maximum(total, 1)
        p = jnp.full((context.shape[0], self.vocab), 1 / self.vocab)
        for j in range(self.order + 1):
            p = discounted[:, j] + backoff[:, j] * p
        return p

    def start(self, n: int) -> Int[Array, "n k"]:
        """Returns the state before the first event: the last k events, latest first."""
        return jnp.full((n, self.order), NONE, jnp.int32)

    def remember(
        self, state: Int[Array, "n k"], token: Int[Array, " n"]
    ) -> Int[Array, "n k"]:
        """Returns the last k events after `token`; BOUNDARY clears the others."""
        kept = jnp.where(token[:, None] == BOUNDARY, NONE, state)
        return jnp.concatenate([token[:, None], kept], axis=1)[:, : self.order]

    def step(
        self, params: Params, state: Int[Array, "n k"], token: Int[Array, " n"]
    ) -> tuple[Int[Array, "n k"], Float[Array, "n v"]]:
        """Reads an event of each row; returns the state and the next event's logits."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[Array, Array], tuple[Array, Array]]:
        """Returns `step` for use in a loop."""

        def step(state: Array, token: Array) -> tuple[Array, Array]:
            state = self.remember(state, token)
            p = self.predict(params["net"], state)
            return state, jnp.log(jnp.maximum(p, MIN_PROBABILITY))

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
        grammar: Grammar | None = None,
    ) -> Int[Array, "n t"]:
        """Samples events int32, each row padded with BOUNDARY; see `generate`."""
        return generate(
            self.stepper(params),
            self.start(n),
            rng,
            n,
            length=length or self.length,
            draw=draw,
            primer=primer,
            grammar=grammar,
        )


TINY = Markov(vocab=8, order=2, slots=512, length=6)
