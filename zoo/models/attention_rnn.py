"""Lookback RNN and attention RNN (Waite 2016).

E. Waite: Generating long-term structure in songs and stories. An LSTM over events whose
inputs also show the events one and two bars ago, whether they are being repeated, and
the place in the bar; its outputs also include "as one bar ago" and "as two bars ago".
The first layer of the attention RNN attends to its own last `memory` outputs. Several
pieces share a row; each ends with BOUNDARY, at which all state is reset. Axes: b row, t
step, v vocabulary, d input width, h width, j lookback, k slot of the attention's
memory.

As in Magenta's code, the first layer is the attentive one, its query is its output and
memory cell together, and the outputs that it attends to include earlier summaries.

Deviations: bars have the length of the time signature, not 16 steps; slots of the
memory that are still empty are masked, not attended to as zeros; the linear layer that
joins the summary with the next input is merged with the weights of the gates, which
differs in rank only; and the likelihood of an event sums over all outputs that stand
for it, where Waite trains on one of them, so that it is exact.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

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
from zoo.nn.sequence.attentive_lstm import (
    AttentiveLSTM,
    AttentiveState,
    Weights,
    attentive_step,
    initial_state,
)
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import (
    language_model_loss,
    pick_log_probs,
    previous_tokens,
)
from zoo.nn.sequence.lookback import Features, Lookback, LookbackState
from zoo.nn.sequence.lstm import (
    Carry,
    LSTMLayer,
    reset_rows,
    stacked_step,
    zero_carry,
)
from zoo.nn.sequence.sampling import Draw, generate
from zoo.ranges import (
    DropoutRate,
    Layers,
    Length,
    Number,
    Range,
    Size,
    Vocab,
    Width,
    checked,
)


class State(NamedTuple):
    """The state of a stream, rows first."""

    lookback: LookbackState
    attentive: AttentiveState | None  # of the first layer, if it attends
    carries: tuple[Carry, ...]  # of all other layers


class Net(nn.Module):
    """LSTM layers, the first of them attentive if there is `memory`, and a softmax."""

    vocab: int
    width: int
    layers: int
    memory: int
    copies: int
    dropout: float

    def setup(self) -> None:
        attentive = [AttentiveLSTM(self.width, self.memory)] if self.memory else []
        plain = [LSTMLayer(self.width) for _ in range(self.layers - len(attentive))]
        self.lstm = attentive + plain
        self.drop = nn.Dropout(self.dropout)
        self.head = nn.Dense(self.vocab + self.copies)

    def __call__(
        self, x: Float[Array, "t b d"], reset: Bool[Array, "t b"], deterministic: bool
    ) -> Float[Array, "t b outputs"]:
        """Returns the logits [t, b, v + j] of tokens and repeats."""
        for i, layer in enumerate(self.lstm):
            if self.memory and i == 0:
                x = layer(x, reset=reset)
            else:
                _, x = layer(x, reset=reset)
            x = self.drop(x, deterministic=deterministic)
        return self.head(x).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
@checked
class AttentionRNN:
    """Configuration of the lookback RNN and of the attention RNN.

    Raises:
      UsageError: a size below its minimum, a dropout outside [0, 1), or `bar_lengths`
        without one number per token.
    """

    vocab: Vocab = 130
    """Number of tokens, BOUNDARY included."""
    width: Width = 128
    """Width of each layer's state."""
    layers: Layers = 2
    """Number of LSTM layers."""
    _: dataclasses.KW_ONLY
    memory: Size = 40
    """Last outputs that the first layer attends to; 0 for a lookback RNN."""
    lookback: tuple[Length, ...] = (1, 2)
    """Distances in bars of the events shown; () for the last event only."""
    bar: Length = 16
    """Steps in a bar before any time signature."""
    bar_lengths: tuple[Number, ...] = ()
    """For each token, the steps in a bar that it sets, 0 if it is no time signature; ()
    for a vocabulary without time signatures."""
    bar_bits: Annotated[int, Range(0, 32)] = 1
    """Binary digits shown of the number of the bar."""
    dropout: DropoutRate = 0.0
    """Rate of dropout after each layer."""
    length: Length = 256
    """Events in a training row, and in a sample."""

    def __post_init__(self) -> None:
        if self.bar_lengths and len(self.bar_lengths) != self.vocab:
            raise UsageError(
                f"bar_lengths has {len(self.bar_lengths)} numbers for {self.vocab} "
                "tokens: pass one "
                "for each, the steps in a bar that it sets, or 0."
            )

    @property
    def net(self) -> Net:
        sizes = self.vocab, self.width, self.layers, self.memory
        return Net(*sizes, copies=len(self.lookback), dropout=self.dropout)

    @property
    def features(self) -> Lookback:
        """The lookback features of events."""
        return Lookback(self.lookback, self.bar, self.bar_lengths)

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` rows."""
        tokens = jnp.arange(n * self.length).reshape(n, self.length) % self.vocab
        mask = jnp.ones((n, self.length), bool)
        return {"tokens": tokens.astype(jnp.int32), "mask": mask}

    def init(self, rng: Key, batch: Batch) -> Params:
        """Initialises the parameters."""
        inputs = batch["tokens"][:, :1].T
        x = self.encode(inputs, self.features.row(inputs))
        return {"net": self.net.init(rng, x, inputs == BOUNDARY, True)["params"]}

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
        inputs, features = self.inputs(tokens)
        net, rngs = {"params": params["net"]}, None if rng is None else {"dropout": rng}
        x = self.encode(inputs, features)
        logits = self.net.apply(net, x, inputs == BOUNDARY, rng is None, rngs=rngs)
        logits = self.merge_repeats(logits, features.events)
        log_p, correct = pick_log_probs(logits, tokens.T)
        return log_p.T, correct.T

    def attention(
        self, params: Params, tokens: Int[Array, "b t"]
    ) -> Float[Array, "b t k"]:
        """Returns each event's attention weights to earlier outputs, latest first.

        The weights of an event sum to 1, and to 0 if it begins a piece.

        Raises:
          UsageError: the model has no `memory`.
        """
        if not self.memory:
            raise UsageError("the model has no attention, since memory is 0.")
        inputs, features = self.inputs(tokens)
        layer = params["net"]["lstm_0"]
        weights = attentive_weights(layer)

        def step(state: AttentiveState, inputs: tuple[Array, Array]):
            state, _, attention = attentive_step(weights, state, *inputs)
            return state, (attention, state.age)

        gates = self.encode(inputs, features) @ layer["w"]
        start = initial_state(len(tokens), self.memory, self.width)
        _, (attention, age) = jax.lax.scan(step, start, (gates, inputs == BOUNDARY))
        # output number `age` is this step's own, to which it does not attend
        distance = jnp.arange(self.memory)[None, None]
        latest_first = (age[..., None] - 2 - distance) % self.memory
        attention = jnp.take_along_axis(attention, latest_first, axis=-1)
        return attention.swapaxes(0, 1)

    def inputs(self, tokens: Int[Array, "b t"]) -> tuple[Int[Array, "t b"], Features]:
        """Returns the event before each one, and the features, both time-major."""
        before = previous_tokens(tokens)
        arrays = before, self.features.row(before)
        return jax.tree.map(lambda x: x.swapaxes(0, 1), arrays)

    def encode(
        self, token: Int[Array, "*b"], features: Features
    ) -> Float[Array, "*b d"]:
        """Returns the input of the network: one-hot events, and the `flags`."""
        if not self.lookback:
            return jax.nn.one_hot(token, self.vocab, dtype=jnp.float32)
        events = jnp.concatenate([token[..., None], features.events], axis=-1)
        one_hot = jax.nn.one_hot(events, self.vocab, dtype=jnp.float32).reshape(
            *token.shape, -1
        )
        return jnp.concatenate([one_hot, self.flags(features)], axis=-1)

    def flags(self, features: Features) -> Array:
        """Returns repeats as 0 and 1, and binary digits of the metre as -1 and 1."""
        digits = (self.features.longest - 1).bit_length()
        bits = [features.step >> i & 1 for i in range(digits)]
        bits += [features.bar >> i & 1 for i in range(self.bar_bits)]
        signs = 2.0 * jnp.stack(bits, axis=-1).astype(jnp.float32) - 1
        repeats = features.repeats.astype(jnp.float32)
        return jnp.concatenate([repeats, signs], axis=-1)

    def merge_repeats(self, logits: Array, events: Array) -> Array:
        """Adds the probability of each repeat to that of the event it stands for.

        Args:
          logits: of tokens and repeats, [.., v + j].
          events: the event at each distance, int [.., j].

        Returns:
          The logits of tokens, [.., v].
        """
        logits, repeats = logits[..., : self.vocab], logits[..., self.vocab :]
        for i in range(len(self.lookback)):
            event = events[..., i, None]
            named = jax.nn.one_hot(event[..., 0], self.vocab, dtype=bool)
            named &= event != BOUNDARY
            both = jnp.logaddexp(logits, repeats[..., i, None])
            logits = jnp.where(named, both, logits)
        return logits

    def start(self, n: int) -> State:
        """Returns the state of `n` rows before their first event."""
        attentive = initial_state(n, self.memory, self.width) if self.memory else None
        plain = self.layers - (1 if self.memory else 0)
        carries = tuple(zero_carry(n, self.width) for _ in range(plain))
        return State(self.features.start(n), attentive, carries)

    def step(
        self, params: Params, state: State, token: Int[Array, " n"]
    ) -> tuple[State, Float[Array, "n v"]]:
        """Reads an event of each row; returns the state and the next event's logits."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Array]]:
        """Returns `step` with its weights prepared, for use in a loop."""
        net = params["net"]
        layers = [net[f"lstm_{i}"] for i in range(self.layers)]
        plain = layers[1:] if self.memory else layers
        advance = stacked_step(plain) if plain else None
        w = jnp.asarray(layers[0]["w"])
        one_hot = self.vocab * (1 + len(self.lookback))
        offsets = jnp.arange(0, one_hot, self.vocab)[None]

        def step(state: State, token: Array) -> tuple[State, Array]:
            lookback, features = self.features.step(state.lookback, token)
            reset = token == BOUNDARY
            rows = offsets + jnp.concatenate([token[:, None], features.events], axis=1)
            gates = w[rows].sum(axis=1)
            if self.lookback:
                gates += self.flags(features) @ w[one_hot:]
            attentive, carries = state.attentive, state.carries
            if attentive is not None:
                weights = attentive_weights(layers[0])
                attentive, y, _ = attentive_step(weights, attentive, gates, reset)
                gates = y @ plain[0]["w"] if plain else gates
            if advance is not None:
                carries = reset_rows(carries, reset)
                carries = advance(carries, gates + plain[0]["b"][None])
                y = carries[-1].h
            logits = y @ net["head"]["kernel"] + net["head"]["bias"][None]
            state = State(lookback, attentive, carries)
            return state, self.merge_repeats(logits, features.events)

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


def attentive_weights(layer: Params) -> Weights:
    """Returns the `Weights` among the parameters of an attentive layer."""
    return Weights(*(layer[name] for name in Weights._fields))


TINY = AttentionRNN(vocab=8, width=8, memory=3, bar=2, length=6)
