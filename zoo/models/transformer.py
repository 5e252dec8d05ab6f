"""A decoder-only Transformer over events (Vaswani et al. 2017; for music, Huang et al. 2018).

Embed each event, let every one attend to those before it, predict the next. Only differences of
position matter, by rotation (Su et al. 2021, arXiv:2104.09864) or by an embedding of each distance
(Huang et al. 2018, arXiv:1809.04281), and an event sees the last `length` of its own piece, so that
generation goes on past the context, from a ring of keys and values. Axes: b row, t step, v
vocabulary, d width, h heads.

Deviations from Huang: normalisation comes before each sublayer, and there are no biases; positions
are relative alone; attention weights, which are never all in memory, are not dropped out.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.dense import Dense, gelu_product, normalise
from zoo.nn.sequence.attention import Clock, Position, Ring, SelfAttention, empty, tick
from zoo.nn.sequence.flash_attention import Reach, reach
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import mean_nll
from zoo.nn.sequence.sampling import Draw, generate


class State(NamedTuple):
    clock: Clock
    rings: tuple[Ring, ...]  # one per layer


class Block(nn.Module):
    """Attention, then two dense layers, each added to what it reads."""

    width: int
    heads: int
    length: int
    position: Position
    dropout: float
    scale: float

    def setup(self) -> None:
        small = nn.initializers.variance_scaling(
            self.scale**2, "fan_in", "truncated_normal"
        )
        sizes = self.width, self.heads, self.length
        self.attention = SelfAttention(*sizes, self.position, self.scale)
        self.up = Dense(4 * self.width, use_bias=False)
        down = {"dot_general": gelu_product, "kernel_init": small}
        self.down = Dense(self.width, use_bias=False, **down)
        self.drop = nn.Dropout(self.dropout)

    def feed(self, x: Array) -> Array:
        return self.down(self.up(normalise(x)))

    def __call__(self, x: Array, reach: Reach, rng: Key | None) -> Array:
        """x [b, t, d] to the same; dropout is on where `rng` is given."""
        one, two = (None, None) if rng is None else jax.random.split(rng)
        x += self.drop(self.attention(normalise(x), reach), rng is None, rng=one)
        return x + self.drop(self.feed(x), rng is None, rng=two)

    def step(self, x: Array, ring: Ring, clock: Clock) -> tuple[Ring, Array]:
        ring, new = self.attention.step(normalise(x), ring, clock)
        x += new
        return ring, x + self.feed(x)


class Net(nn.Module):
    vocab: int
    width: int
    layers: int
    heads: int
    dropout: float
    length: int
    position: Position
    remat: bool

    def setup(self) -> None:
        self.table = nn.Embed(self.vocab, self.width)
        # 2 layers' worth of sums end as large as one embedding (Radford et al. 2019)
        scale = (2 * self.layers) ** -0.5
        sizes = self.width, self.heads, self.length, self.position, self.dropout, scale
        self.blocks = [Block(*sizes) for _ in range(self.layers)]
        self.drop = nn.Dropout(self.dropout)
        self.head = Dense(self.vocab, use_bias=False)

    def __call__(self, inputs: Array, still: bool) -> Array:
        """Inputs [b, t] -> logits float32 [b, t, v]; `still` turns dropout off."""
        seen = reach(inputs == BOUNDARY, self.length)
        x = self.drop(self.table(inputs), deterministic=still)
        rngs = (
            None if still else jax.random.split(self.make_rng("dropout"), self.layers)
        )
        if self.remat and not self.is_initializing():
            x = self.twice(x, seen, rngs)
        else:
            for i, block in enumerate(self.blocks):
                x = block(x, seen, None if rngs is None else rngs[i])
        return self.head(normalise(x)).astype(jnp.float32)

    def twice(self, x: Array, seen: Reach, rngs: Array | None) -> Array:
        """The blocks, computed once more for the gradient, which keeps only what each reads.

        In a loop, since XLA's CPU compiler makes one of two equal computations that are not.
        """
        (block, *_), params = zip(
            *(block.unbind() for block in self.blocks), strict=True
        )

        def layer(x: Array, now: tuple[Params, Key | None]) -> tuple[Array, None]:
            params, rng = now
            return block.apply(params, x, seen, rng), None

        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
        return jax.lax.scan(
            jax.checkpoint(layer, prevent_cse=False), x, (stacked, rngs)
        )[0]

    def step(self, state: State, token: Array) -> tuple[State, Array]:
        clock = Clock(
            state.clock.slot, jnp.where(token == BOUNDARY, 0, state.clock.since)
        )
        x, rings = self.table(token), []
        for block, ring in zip(self.blocks, state.rings, strict=True):
            ring, x = block.step(x, ring, clock)
            rings.append(ring)
        return State(tick(clock, ring.keys.shape[-1]), tuple(rings)), self.head(
            normalise(x)
        )


@dataclasses.dataclass(frozen=True)
class Transformer:
    """Sizes; `length`: events in a row and in a sample, and how many an event sees, itself too.

    `remat` keeps only what each layer reads, and computes the rest once more for the gradient.

    Raises:
      UsageError: a size below 1, a dropout outside [0, 1), or a width that `heads` does not divide
        (into pairs, where positions are rotary).
    """

    vocab: int = 130
    width: int = 256
    layers: int = 4
    heads: int = 8
    dropout: float = 0.0
    length: int = 512
    position: Position = "rotary"
    remat: bool = False

    def __post_init__(self) -> None:
        if min(self.layers, self.heads, self.length) < 1 or not 0 <= self.dropout < 1:
            raise UsageError(
                f"layers is {self.layers}, heads {self.heads}, length {self.length} and dropout "
                f"{self.dropout}: choose 1 or more of each, and a dropout from 0 to below 1."
            )
        if self.position not in ("rotary", "relative"):
            raise UsageError(f"position is {self.position}: choose rotary or relative.")
        unit = self.heads * (2 if self.position == "rotary" else 1)
        if self.width < 1 or self.width % unit:
            raise UsageError(
                f"width is {self.width} for {self.heads} {self.position} heads: choose a multiple "
                f"of {unit}."
            )

    @property
    def net(self) -> Net:
        return Net(
            **{
                field.name: getattr(self, field.name)
                for field in dataclasses.fields(self)
            }
        )

    def example(self, n: int) -> Batch:
        """Rows of one piece each, which goes on to the end."""
        tokens = 1 + jnp.arange(n * self.length).reshape(n, self.length) % (
            self.vocab - 1
        )
        return {
            "tokens": tokens.astype(jnp.int32),
            "mask": jnp.ones((n, self.length), bool),
        }

    def init(self, rng: Key, batch: Batch) -> Params:
        return {"net": self.net.init(rng, batch["tokens"][:, :1], True)["params"]}

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Mean negative log-likelihood of the events in the mask, in nats."""
        log_p, hit = self.token_log_probs(
            params, batch["tokens"], None if step is None else rng
        )
        return mean_nll(log_p, hit, batch["mask"])

    def log_prob(self, params: Params, tokens: Array, mask: Array) -> Array:
        """Log-likelihood [b] in nats of each row's events in the mask, all [b, t]."""
        return (self.token_log_probs(params, tokens)[0] * mask).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Array, rng: Key | None = None
    ) -> tuple[Array, Array]:
        """For each event [b, t]: its log-likelihood, and whether it was the likeliest.

        Dropout is on where `rng` is given.
        """
        inputs = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=BOUNDARY)
        rngs = None if rng is None else {"dropout": rng}
        logits = self.net.apply(
            {"params": params["net"]}, inputs, rng is None, rngs=rngs
        )
        chosen = (logits * jax.nn.one_hot(tokens, self.vocab)).sum(axis=-1)
        return chosen - jax.nn.logsumexp(logits, axis=-1), chosen >= logits.max(axis=-1)

    def start(self, n: int, length: int | None = None) -> State:
        """The state of `n` rows before their first event; of `length`, where that is all they get.

        A row costs the room of its state for every event, whether or not that is filled.
        """
        size = min(length or self.length, self.length)
        none, ring = jnp.zeros(n, jnp.int32), empty(n, self.heads, self.width, size)
        return State(Clock(none, none), (ring,) * self.layers)

    def step(self, params: Params, state: State, token: Array) -> tuple[State, Array]:
        """One streaming step: state, token int [n] -> state, logits of the next event [n, v]."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Array]]:
        """`step` with its parameters given."""
        net = {"params": params["net"]}
        return lambda state, token: self.net.apply(net, state, token, method="step")

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
        length = length or self.length
        step, start = self.stepper(params), self.start(n, length)
        return generate(
            step, start, rng, n, length, draw=draw, primer=primer, grammar=grammar
        )


TINY = Transformer(vocab=8, width=8, layers=2, heads=2, length=6)
