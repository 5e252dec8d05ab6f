"""A Markov chain of any order by modified Kneser-Ney (Kneser & Ney 1995; Chen & Goodman 1999).

The estimate of each order takes a little off every count it has seen and gives that to the order
below it, which counts not how often an event followed but in how many different contexts it did.
Read as a stream (Teh 2006), an event that is new to its context is passed on to the next shorter
one, once. Counts are a sufficient statistic, hence the gradient of a log-linear loss, so that
`sgd(1.0)` *is* counting. Axes: b row, t step, n rows, v vocabulary, k order.

Deviations: the discounts are fields, chosen by validation, where Chen & Goodman estimate them from
counts of counts, which tunes that repeat their parts mislead. Counts of all orders share one table,
in which a context's v places begin where a hash of it says and may overlap with another's. A place
belongs to the context that comes first, whose second hash is written beside the count; a pair of
context and event that finds its place taken is not remembered, and its shorter context answers.
"""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from zoo.core import BOUNDARY, Array, Batch, Key, Metrics, Objective, Params, Tree
from zoo.errors import UsageError
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import mean_nll
from zoo.nn.sequence.sampling import Draw, generate

LARGEST = 2**28  # numbers in a table: one gibibyte of them
NOTHING = -1  # in a context: what lies before the BOUNDARY that begins a piece
TINIEST = float(jnp.finfo(jnp.float32).tiny)


def mix(x: Array) -> Array:
    """Scrambles uint32 so that every bit depends on all others (MurmurHash3's finaliser)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> shift)) * jnp.uint32(factor)
    return x ^ (x >> 16)


@dataclasses.dataclass(frozen=True)
class Markov:
    """`slots`: places for counts; `discounts`: what counts of 1, of 2, and of 3 or more give up.

    Raises:
      UsageError: an order below 0, discounts outside their range, or a table too small or large.
    """

    vocab: int = 130
    order: int = 8
    slots: int = 2**20
    discounts: tuple[float, float, float] = (0.9, 1.4, 1.9)
    length: int = 256

    def __post_init__(self) -> None:
        fair = all(0 < taken < n for n, taken in enumerate(self.discounts, 1))
        if self.order < 0 or len(self.discounts) != 3 or not fair:
            raise UsageError(
                f"order is {self.order} and discounts are {self.discounts}: choose an order of 0 "
                "or more, and three discounts above 0 and below 1, 2 and 3."
            )
        if not self.vocab <= self.slots <= LARGEST // 2:
            raise UsageError(
                f"a table of {self.slots} slots for {self.vocab} tokens is too small or does not "
                f"fit in memory: choose from {self.vocab} to {LARGEST // 2}."
            )

    def example(self, n: int) -> Batch:
        tokens = jnp.arange(n * self.length).reshape(n, self.length) % self.vocab
        return {
            "tokens": tokens.astype(jnp.int32),
            "mask": jnp.ones((n, self.length), bool),
        }

    def init(self, rng: Key, batch: Batch) -> Params:
        return {
            "net": {"counts": jnp.zeros(self.slots), "owner": jnp.zeros(self.slots)}
        }

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss, tx=optax.sgd(1.0))}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Mean nats per event in the mask; its gradient is minus what the batch adds to the table.

        So <theta, what is added> is subtracted, and added again where no gradient sees it.
        """
        held = jax.lax.stop_gradient(params)
        log_p, hit = self.token_log_probs(held, batch["tokens"])
        nll, metrics = mean_nll(log_p, hit, batch["mask"])
        if step is None:
            return nll, metrics
        added = self.tally(held["net"], batch["tokens"], batch["mask"])
        linear = sum(jnp.vdot(params["net"][name], added[name]) for name in added)
        return nll + (jax.lax.stop_gradient(linear) - linear), metrics

    def tally(self, net: Tree, tokens: Array, mask: Array) -> Tree:
        """What the events in the mask add to the table `net`, from the highest order down."""
        before = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=BOUNDARY)
        walk = lambda state, token: (self.remember(state, token),) * 2
        _, context = jax.lax.scan(walk, self.start(len(tokens)), before.T)
        place, name = self.find(context)
        slot = place + tokens.T[..., None]
        orders = jax.tree.map(
            lambda x: x.reshape(-1, self.order + 1).T[::-1], (slot, name)
        )
        asked, rank = mask.T.reshape(-1), jnp.arange(mask.size)

        def count(now, inputs):
            (counts, owner, claims), longest, new = now
            slot, name = inputs
            # an event is counted after the longest context it has, and below that where it is new
            counted = asked & (name > 0) & (longest | new)
            free = counted & (owner[slot] == 0)
            claims = claims.at[jnp.where(free, slot, self.slots)].min(rank, mode="drop")
            first = free & (claims[slot] == rank)
            owner = owner.at[slot].add(jnp.where(first, name, 0.0))
            held = counted & (owner[slot] == name)
            counts = counts.at[slot].add(held.astype(counts.dtype))
            return (
                (counts, owner, claims),
                longest & (name < 0),
                counted & (first | ~held),
            ), None

        table = jnp.zeros(self.slots), net["owner"], jnp.full(self.slots, mask.size)
        start = table, jnp.ones_like(asked), jnp.zeros_like(asked)
        ((counts, owner, _), _, _), _ = jax.lax.scan(count, start, orders)
        return {"counts": counts, "owner": owner - net["owner"]}

    def find(self, context: Array) -> tuple[Array, Array]:
        """Where the table holds what followed the last 0, 1 .. k events of a context [.., k].

        Returns:
          The first of v places, int32 [.., k + 1]; and the name that is written there, float32
          [.., k + 1], a whole number from 1 below 2**24, or -1 where that many are not in a piece.
        """
        k = self.order
        factors = (mix(jnp.arange(2 * k, dtype=jnp.uint32) + 1) | 1).reshape(2, 1, k)
        factors = factors * jnp.tri(k + 1, k, -1, dtype=jnp.uint32)[None]
        terms = (context - NOTHING).astype(jnp.uint32)
        one, other = (
            mix(jnp.einsum("...k,jk->...j", terms, factor)) for factor in factors
        )
        place = (one % jnp.uint32(self.slots - self.vocab + 1)).astype(jnp.int32)
        name = ((other >> 8) | 1).astype(jnp.float32)
        reached = jnp.pad(context, [(0, 0)] * (context.ndim - 1) + [(1, 0)])
        return place, jnp.where(reached == NOTHING, -1.0, name)

    def log_prob(self, params: Params, tokens: Array, mask: Array) -> Array:
        """Log-likelihood [b] in nats of each row's events in the mask, all [b, t]."""
        return (self.token_log_probs(params, tokens)[0] * mask).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Array, rng: Key | None = None
    ) -> tuple[Array, Array]:
        """For each event [b, t]: its log-likelihood, and whether it was the likeliest."""
        step = self.stepper(params)

        def one(
            state: Array, now: tuple[Array, Array]
        ) -> tuple[Array, tuple[Array, Array]]:
            token, target = now
            state, logits = step(state, token)
            chosen = jnp.take_along_axis(logits, target[:, None], axis=1)[:, 0]
            return state, (chosen, chosen >= logits.max(axis=1))

        inputs = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=BOUNDARY)
        _, found = jax.lax.scan(one, self.start(len(tokens)), (inputs.T, tokens.T))
        return found[0].T, found[1].T

    def predict(self, net: Tree, context: Array) -> Array:
        """P(x | context) [n, v] after contexts [n, k], from the uniform up to the longest:

        P_j(x) = (n_j(x) - d(n_j(x))) / sum n_j + P_{j-1}(x) sum d(n_j) / sum n_j,
        or P_{j-1}(x) where nothing has been counted (Chen & Goodman 1999, section 3).
        """
        place, name = self.find(context)
        # slices of the table: four times as fast on a CPU as a gather of their elements
        cut = lambda table, at: jax.lax.dynamic_slice(table, (at,), (self.vocab,))
        cut = jax.vmap(jax.vmap(cut, (None, 0)), (None, 0))
        n = jnp.where(
            cut(net["owner"], place) == name[..., None], cut(net["counts"], place), 0.0
        )
        one, two, more = self.discounts
        d = jnp.select([n > 2, n > 1, n > 0], [more, two, one], 0.0)
        total = n.sum(axis=-1, keepdims=True)
        passed = jnp.where(
            total > 0, d.sum(axis=-1, keepdims=True) / jnp.maximum(total, 1), 1.0
        )
        seen = (n - d) / jnp.maximum(total, 1)
        chances = jnp.full((context.shape[0], self.vocab), 1 / self.vocab)
        for j in range(self.order + 1):
            chances = seen[:, j] + passed[:, j] * chances
        return chances

    def start(self, n: int) -> Array:
        """The state of `n` rows before their first event: the last k events, latest first."""
        return jnp.full((n, self.order), NOTHING, jnp.int32)

    def remember(self, state: Array, token: Array) -> Array:
        """The last k events [n, k] once `token` [n] has come; BOUNDARY ends all memory."""
        kept = jnp.where(token[:, None] == BOUNDARY, NOTHING, state)
        return jnp.concatenate([token[:, None], kept], axis=1)[:, : self.order]

    def step(self, params: Params, state: Array, token: Array) -> tuple[Array, Array]:
        """One event: state [n, k], token [n] -> state, logits of the next event [n, v]."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[Array, Array], tuple[Array, Array]]:
        """`step` as a function of what changes from event to event."""

        def step(state: Array, token: Array) -> tuple[Array, Array]:
            state = self.remember(state, token)
            return state, jnp.log(
                jnp.maximum(self.predict(params["net"], state), TINIEST)
            )

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
    ) -> Array:
        """Events int32 [n, length], each row ended and padded by BOUNDARY; see `generate`."""
        step, start, length = self.stepper(params), self.start(n), length or self.length
        return generate(
            step, start, rng, n, length, draw=draw, primer=primer, grammar=grammar
        )


TINY = Markov(vocab=8, order=2, slots=512, length=6)
