"""Lookback RNN and attention RNN (Waite 2016, Generating long-term structure in songs and stories).

An LSTM over events that is shown what came one and two bars ago, whether that is being repeated,
and where in the bar it is; besides the events it may predict "as one bar ago", "as two bars ago".
One layer attends over its own last outputs (`memory` of them, or 0). Several pieces share a row,
each ended by BOUNDARY, at which everything starts afresh. Axes: b row, t step, v vocabulary, d
input width, h width, j lookback, k slot of the attention's memory.

As in Magenta's code, it is the first layer that attends, asking by its output and memory cell
together, over outputs that the attention has already gone into.

Deviations: bars have the length that the piece says, not 16 steps; what is not there yet is masked,
not attended to as zeros; the linear layer that joins the summary with the next input is one with
the gates' weights, which differs in nothing but rank; and the likelihood of an event sums over the
ways to say it, where Waite trains on one of them, so that it is exact.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.sequence import attentive_lstm
from zoo.nn.sequence.attentive_lstm import Attending, AttendingLSTM, Weights
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import mean_nll
from zoo.nn.sequence.lookback import Features, Heard, Lookback
from zoo.nn.sequence.lstm import Carry, LSTMLayer, advance, keep, squash, zeros
from zoo.nn.sequence.sampling import Draw, generate


class State(NamedTuple):
    """What a stream remembers, rows first."""

    heard: Heard
    layers: tuple[Attending | Carry, ...]


class Net(nn.Module):
    vocab: int
    width: int
    layers: int
    memory: int
    copies: int
    dropout: float

    def setup(self) -> None:
        self.lstm = [
            AttendingLSTM(self.width, self.memory)
            if self.memory and i == 0
            else LSTMLayer(self.width)
            for i in range(self.layers)
        ]
        self.drop = nn.Dropout(self.dropout)
        self.head = nn.Dense(self.vocab + self.copies)

    def __call__(self, x: Array, reset: Array, still: bool) -> Array:
        """Inputs [t, b, d] -> logits float32 [t, b, v + j]; `still` turns dropout off."""
        for layer in self.lstm:
            found = layer(x, reset=reset)
            x = found[1] if isinstance(layer, LSTMLayer) else found
            x = self.drop(x, deterministic=still)
        return self.head(x).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
class AttentionRNN:
    """Sizes, and `length`: events in a row and in a sample.

    `memory`: how many of its last outputs the first layer attends over; 0: a lookback RNN.
    `lookback`: in bars; none: of the past only the last event is shown. `bars`: for each token, how
    many steps are in the bars that it announces, 0 for those that take a step; of what no token
    announces, `bar` steps are a bar. `counted`: binary digits of the number of the bar that are
    shown.

    Raises:
      UsageError: a size below its least, a dropout outside [0, 1), or `bars` not one per token.
    """

    vocab: int = 130
    width: int = 128
    layers: int = 2
    memory: int = 40
    lookback: tuple[int, ...] = (1, 2)
    bar: int = 16
    bars: tuple[int, ...] = ()
    counted: int = 1
    dropout: float = 0.0
    length: int = 256

    def __post_init__(self) -> None:
        least = min(
            self.layers, self.bar, 1 + self.memory, 1 + self.counted, *self.lookback
        )
        if least < 1 or not 0 <= self.dropout < 1:
            raise UsageError(
                f"layers is {self.layers}, memory {self.memory}, lookback {self.lookback}, bar "
                f"{self.bar}, counted {self.counted} and dropout {self.dropout}: choose at least 1 "
                "for layers, lookback and bar, 0 for the others, and a dropout below 1."
            )
        if self.bars and (len(self.bars) != self.vocab or min(self.bars) < 0):
            raise UsageError(
                f"bars has {len(self.bars)} numbers, and there are {self.vocab} tokens: give one "
                "for each, the steps in the bars that it announces, or 0."
            )

    @property
    def net(self) -> Net:
        sizes = self.vocab, self.width, self.layers, self.memory
        return Net(*sizes, len(self.lookback), self.dropout)

    @property
    def looking(self) -> Lookback:
        return Lookback(self.lookback, self.bar, self.bars)

    def example(self, n: int) -> Batch:
        tokens = jnp.arange(n * self.length).reshape(n, self.length) % self.vocab
        return {
            "tokens": tokens.astype(jnp.int32),
            "mask": jnp.ones((n, self.length), bool),
        }

    def init(self, rng: Key, batch: Batch) -> Params:
        inputs = batch["tokens"][:, :1].T
        x = self.encode(inputs, self.looking.row(inputs))
        return {"net": self.net.init(rng, x, inputs == BOUNDARY, True)["params"]}

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
        inputs, found = self.inputs(tokens)
        net, rngs = {"params": params["net"]}, None if rng is None else {"dropout": rng}
        x = self.encode(inputs, found)
        logits = self.net.apply(net, x, inputs == BOUNDARY, rng is None, rngs=rngs)
        logits = self.say(logits, found.events)
        chosen = (logits * jax.nn.one_hot(tokens.T, self.vocab)).sum(axis=-1)
        log_p = chosen - jax.nn.logsumexp(logits, axis=-1)
        return log_p.T, (chosen >= logits.max(axis=-1)).T

    def attention(self, params: Params, tokens: Array) -> Array:
        """How much each event [b, t] took from each output before it, the latest first: [b, t, k].

        The weights of an event sum to 1, and to 0 where it begins a piece.

        Raises:
          UsageError: the model has no `memory`.
        """
        if not self.memory:
            raise UsageError(
                "there is no attention to look at: memory is 0; train with some."
            )
        inputs, found = self.inputs(tokens)
        layer = params["net"]["lstm_0"]
        weights = Weights(*(layer[name] for name in Weights._fields))

        def one(
            state: Attending, now: tuple[Array, Array]
        ) -> tuple[Attending, tuple[Array, Array]]:
            state, _, share = attentive_lstm.step(weights, state, *now)
            return state, (share, state.age)

        gates = self.encode(inputs, found) @ layer["w"]
        start = attentive_lstm.start(len(tokens), self.memory, self.width)
        _, (share, age) = jax.lax.scan(one, start, (gates, inputs == BOUNDARY))
        # this step's own output, the age'th, is not among those it attended over
        latest = (
            age[..., None] - 2 - jnp.arange(self.memory)[None, None]
        ) % self.memory
        return jnp.take_along_axis(share, latest, axis=-1).swapaxes(0, 1)

    def inputs(self, tokens: Array) -> tuple[Array, Features]:
        """Time-major, what comes before each event [b, t] and what it says of it: [t, b, ..]."""
        inputs = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=BOUNDARY)
        return jax.tree.map(
            lambda x: x.swapaxes(0, 1), (inputs, self.looking.row(inputs))
        )

    def encode(self, token: Array, found: Features) -> Array:
        """The network's input [.., d]: events one-hot, then `signs`; without lookback one event."""
        if not self.lookback:
            return jax.nn.one_hot(token, self.vocab)
        events = jnp.concatenate([token[..., None], found.events], axis=-1)
        hot = jax.nn.one_hot(events, self.vocab).reshape(*token.shape, -1)
        return jnp.concatenate([hot, self.signs(found)], axis=-1)

    def signs(self, found: Features) -> Array:
        """Repeats as 0 and 1, and the binary digits of where the coming event is as -1 and 1."""
        digits = (self.looking.longest - 1).bit_length()
        counts = [found.step >> i & 1 for i in range(digits)]
        counts += [found.bar >> i & 1 for i in range(self.counted)]
        return jnp.concatenate(
            [found.repeats, 2.0 * jnp.stack(counts, axis=-1) - 1], axis=-1
        )

    def say(self, logits: Array, events: Array) -> Array:
        """Logits [.., v] from those of the events and of the repeats [.., v + j] of `events`."""
        logits, repeats = logits[..., : self.vocab], logits[..., self.vocab :]
        for i in range(len(self.lookback)):
            event = events[..., i, None]
            there = jax.nn.one_hot(event[..., 0], self.vocab, dtype=bool) & (
                event != BOUNDARY
            )
            logits = jnp.where(
                there, jnp.logaddexp(logits, repeats[..., i, None]), logits
            )
        return logits

    def start(self, n: int) -> State:
        """The state of `n` rows before their first event."""
        plain = tuple(zeros(n, self.width) for _ in range(self.layers))
        if not self.memory:
            return State(self.looking.start(n), plain)
        first = attentive_lstm.start(n, self.memory, self.width)
        return State(self.looking.start(n), (first, *plain[1:]))

    def step(self, params: Params, state: State, token: Array) -> tuple[State, Array]:
        """One streaming step: state, token int [n] -> state, logits of the next event [n, v]."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Array]]:
        """`step` with all that does not change from event to event worked out beforehand."""
        net = params["net"]
        layers = [net[f"lstm_{i}"] for i in range(self.layers)]
        hot = self.vocab * (1 + len(self.lookback))
        begins = jnp.arange(0, hot, self.vocab)[None]

        def step(state: State, token: Array) -> tuple[State, Array]:
            heard, found = self.looking.step(state.heard, token)
            rows = begins + jnp.concatenate([token[:, None], found.events], axis=1)
            entry = layers[0]["w"]
            gates = entry[rows].sum(axis=1)
            if self.lookback:
                gates += self.signs(found) @ entry[hot:]
            after, y, reset = [], None, token == BOUNDARY
            for layer, now in zip(layers, state.layers, strict=True):
                gates = gates if y is None else y @ layer["w"]
                if isinstance(now, Attending):
                    weights = Weights(*(layer[name] for name in Weights._fields))
                    now, y, _ = attentive_lstm.step(weights, now, gates, reset)
                else:
                    now = keep(now, reset)
                    now = advance(
                        now, squash(gates + now.h @ layer["u"] + layer["b"][None])
                    )
                    y = now.h
                after.append(now)
            logits = y @ net["head"]["kernel"] + net["head"]["bias"][None]
            return State(heard, tuple(after)), self.say(logits, found.events)

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


TINY = AttentionRNN(vocab=8, width=8, memory=3, bar=2, length=6)
