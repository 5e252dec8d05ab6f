"""A decoder-only Transformer over events (Vaswani et al. 2017; Huang et al. 2018).

Each event attends to those before it, and the next one is predicted. Positions are
relative: rotary (Su et al. 2021, arXiv:2104.09864), or a learnt embedding of each
distance (Huang et al. 2018, arXiv:1809.04281, for music). An event attends to the last
`length` events of its own piece, so that sampling can go on beyond the context, from a
ring buffer of keys and values. Where events are time steps with time signatures, the
place of the next step in its bar and the number of the bar are added to the embedding,
as bars and positions are given in Huang & Yang 2020, arXiv:2002.00212. Axes: b row, t
step, v vocabulary, d width, h heads.

Deviations from Huang et al.: normalisation comes before each sublayer, and there are no
biases; there are no absolute positions; attention weights, which are never all in
memory, have no dropout. From Huang & Yang: the metre is no event of its own.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

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
)
from zoo.errors import UsageError
from zoo.nn.dense import Dense, normalise
from zoo.nn.sequence.attention import (
    Block,
    Cache,
    Cursor,
    Position,
    empty_cache,
    first_cursor,
    next_cursor,
)
from zoo.nn.sequence.flash_attention import CausalMask, causal_mask
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import (
    language_model_loss,
    pick_log_probs,
    previous_tokens,
)
from zoo.nn.sequence.lookback import Features, Lookback, LookbackState
from zoo.nn.sequence.sampling import Draw, generate
from zoo.ranges import (
    DropoutRate,
    Heads,
    Layers,
    Length,
    Number,
    Size,
    Vocab,
    Width,
    checked,
)


class State(NamedTuple):
    """The state of a stream."""

    cursor: Cursor
    caches: tuple[Cache, ...]  # one per layer
    metre: LookbackState | None  # where the place in the bar is known


class Net(nn.Module):
    """An embedding, Transformer blocks, and a softmax."""

    vocab: int
    width: int
    layers: int
    heads: int
    dropout: float
    length: int
    position: Position
    remat: bool
    metre: Lookback | None
    bars_counted: int

    def setup(self) -> None:
        self.table = nn.Embed(self.vocab, self.width)
        if self.metre is not None:
            self.steps = nn.Embed(self.metre.longest, self.width)
            self.bars = nn.Embed(self.bars_counted, self.width)
        # so that the sum of all 2 layers' outputs is as large as one embedding (Radford
        # et al. 2019)
        scale = (2 * self.layers) ** -0.5
        sizes = self.width, self.heads, self.length, self.position
        self.blocks = [
            Block(*sizes, dropout=self.dropout, scale=scale) for _ in range(self.layers)
        ]
        self.drop = nn.Dropout(self.dropout)
        self.head = Dense(self.vocab, use_bias=False)

    def __call__(
        self, inputs: Int[Array, "b t"], deterministic: bool
    ) -> Float[Array, "b t v"]:
        """Returns the logits of the event after each input."""
        mask = causal_mask(inputs == BOUNDARY, self.length)
        features = None if self.metre is None else self.metre.row(inputs)
        x = self.drop(self.embed(inputs, features), deterministic=deterministic)
        rngs = None
        if not deterministic:
            rngs = jax.random.split(self.make_rng("dropout"), self.layers)
        if self.remat and not self.is_initializing():
            x = self.rematerialised(x, mask, rngs)
        else:
            for i, block in enumerate(self.blocks):
                x = block(x, mask, None if rngs is None else rngs[i])
        return self.head(normalise(x)).astype(jnp.float32)

    def embed(self, token: Array, features: Features | None) -> Array:
        """Returns the sum of the embeddings of an event and of the next one's place."""
        x = self.table(token)
        if features is None:
            return x
        return (
            x + self.steps(features.step) + self.bars(features.bar % self.bars_counted)
        )

    def rematerialised(self, x: Array, mask: CausalMask, rngs: Array | None) -> Array:
        """Applies the blocks, keeping only their inputs for the gradient.

        They are a loop: outside loops, XLA's CPU compiler merges the computation and
        its repetition in the backward pass, which undoes the saving.
        """
        unbound = [block.unbind() for block in self.blocks]
        block, stacked = (
            unbound[0][0],
            jax.tree.map(
                lambda *leaves: jnp.stack(leaves),
                *(variables for _, variables in unbound),
            ),
        )

        def layer(x: Array, inputs: tuple[Params, Key | None]) -> tuple[Array, None]:
            variables, rng = inputs
            return block.apply(variables, x, mask, rng), None

        layer = jax.checkpoint(layer, prevent_cse=False)
        return jax.lax.scan(layer, x, (stacked, rngs))[0]

    def step(
        self, state: State, token: Int[Array, " n"]
    ) -> tuple[State, Float[Array, "n v"]]:
        """Reads an event of each row; returns the state and the next event's logits."""
        age = jnp.where(token == BOUNDARY, 0, state.cursor.age)
        cursor = Cursor(state.cursor.slot, age)
        metre, features = state.metre, None
        if self.metre is not None and metre is not None:
            metre, features = self.metre.step(metre, token)
        x, caches = self.embed(token, features), []
        for block, cache in zip(self.blocks, state.caches, strict=True):
            cache, x = block.step(x, cache, cursor)
            caches.append(cache)
        length = caches[0].keys.shape[-1]
        state = State(next_cursor(cursor, length), tuple(caches), metre)
        return state, self.head(normalise(x))


@dataclasses.dataclass(frozen=True)
@checked
class Transformer:
    """Configuration of the Transformer.

    Raises:
      UsageError: a size below 1, a dropout outside [0, 1), or a width that `heads` does
        not divide (into pairs, if positions are rotary).
    """

    vocab: Vocab = 130
    """Number of tokens, BOUNDARY included."""
    width: Width = 256
    """Width of the residual stream."""
    layers: Layers = 4
    """Number of Transformer blocks."""
    _: dataclasses.KW_ONLY
    heads: Heads = 8
    """Attention heads of each block."""
    dropout: DropoutRate = 0.0
    """Rate of dropout, on embeddings and on what each sublayer adds."""
    length: Length = 512
    """Events in a training row and in a sample; also the most an event attends to."""
    position: Position = "rotary"
    """Encoding of relative positions: rotary, or relative (learnt by distance)."""
    remat: bool = False
    """Keep only the inputs of each block, and recompute the rest for the gradient."""
    bar_lengths: tuple[Number, ...] = ()
    """For each token, the steps in a bar that it sets, 0 if it is no time signature; ()
    for a vocabulary without time signatures."""
    bars_counted: Size = 16
    """Bars after which their count begins again, in the embedding of the bar; 0 for no
    embedding of the place in the bar, and no `bar_lengths`."""

    def __post_init__(self) -> None:
        if not self.bars_counted:
            object.__setattr__(self, "bar_lengths", ())
        if self.bar_lengths and len(self.bar_lengths) != self.vocab:
            raise UsageError(
                f"bar_lengths has {len(self.bar_lengths)} numbers for {self.vocab} "
                "tokens: pass one for each, the steps in a bar that it sets, or 0."
            )
        if self.position not in ("rotary", "relative"):
            raise UsageError(f"position is {self.position}: choose rotary or relative.")
        unit = self.heads * (2 if self.position == "rotary" else 1)
        if self.width % unit:
            raise UsageError(
                f"width is {self.width} for {self.heads} {self.position} heads: choose "
                f"a multiple of {unit}."
            )

    @property
    def net(self) -> Net:
        return Net(
            vocab=self.vocab,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            dropout=self.dropout,
            length=self.length,
            position=self.position,
            remat=self.remat,
            metre=self.metre,
            bars_counted=self.bars_counted,
        )

    @property
    def metre(self) -> Lookback | None:
        """The metre of events; None if it is not known."""
        lengths = self.bar_lengths
        return Lookback((), max(*lengths, 1), lengths) if any(lengths) else None

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` rows, each of one piece that does not end."""
        tokens = jnp.arange(n * self.length).reshape(n, self.length)
        tokens = 1 + tokens % (self.vocab - 1)
        mask = jnp.ones((n, self.length), bool)
        return {"tokens": tokens.astype(jnp.int32), "mask": mask}

    def init(self, rng: Key, batch: Batch) -> Params:
        """Initialises the parameters."""
        return {"net": self.net.init(rng, batch["tokens"][:, :1], True)["params"]}

    def objectives(self) -> Mapping[str, Objective]:
        """Returns the objective: maximum likelihood."""
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean negative log-likelihood of the masked events, in nats."""
        return language_model_loss(self.token_log_probs, params, batch, rng, step=step)

    def log_prob(
        self, params: Params, tokens: Int[Array, "b t"], mask: Bool[Array, "b t"]
    ) -> Float[Array, " b"]:
        """Returns the log-likelihood of each row's masked events, in nats."""
        return (self.token_log_probs(params, tokens)[0] * mask).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Int[Array, "b t"], rng: Key | None = None
    ) -> tuple[Float[Array, "b t"], Bool[Array, "b t"]]:
        """Returns each event's log-likelihood, and whether it was the most likely one.

        Args:
          params: of the networks.
          tokens: rows of events.
          rng: the key of dropout; None for no dropout.
        """
        rngs = None if rng is None else {"dropout": rng}
        net, inputs = {"params": params["net"]}, previous_tokens(tokens)
        return pick_log_probs(
            self.net.apply(net, inputs, rng is None, rngs=rngs), tokens
        )

    def start(self, n: int, length: int | None = None) -> State:
        """Returns the state of `n` rows before their first event.

        Every step takes time in proportion to the size of the caches, filled or not.

        Args:
          n: number of rows.
          length: the most events that the rows will have, for smaller caches.
        """
        size = min(length or self.length, self.length)
        cache = empty_cache(n, self.heads, self.width, size)
        metre = None if self.metre is None else self.metre.start(n)
        return State(first_cursor(n), (cache,) * self.layers, metre)

    def step(
        self, params: Params, state: State, token: Int[Array, " n"]
    ) -> tuple[State, Float[Array, "n v"]]:
        """Reads an event of each row; returns the state and the next event's logits."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Array]]:
        """Returns `step` for use in a loop."""
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
    ) -> Int[Array, "n t"]:
        """Samples events int32, each row padded with BOUNDARY; see `generate`."""
        length = length or self.length
        return generate(
            self.stepper(params),
            self.start(n, length),
            rng,
            n,
            length=length,
            draw=draw,
            primer=primer,
            grammar=grammar,
        )


TINY = Transformer(vocab=8, width=8, layers=2, heads=2, length=6)
