"""An LSTM language model of events (Eck & Schmidhuber 2002; Graves 2013, arXiv:1308.0850).

Embed each event, run stacked LSTM layers over them, predict the next event. Several pieces share a
row, each ended by BOUNDARY, at which the state starts afresh. Long rows can be trained a `segment`
at a time: the state is carried across, the gradient stops there (truncated back-propagation), and
memory is one segment's. Axes: b row, t step, v vocabulary, e embedding, h width.

Deviations from Graves: no peepholes and no skip connections; dropout as in Zaremba et al. 2014
between layers, and on the embedding table as in Gal & Ghahramani 2016 (the same for an event
wherever it occurs in a batch), so that the table and the first layer's input weights multiply once
for the vocabulary instead of once for each event.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import mean_nll
from zoo.nn.sequence.lstm import Carry, LSTMLayer, advance, keep, squash, zeros
from zoo.nn.sequence.sampling import Draw, generate

State = tuple[Carry, ...]  # one per layer


class Net(nn.Module):
    vocab: int
    embed: int
    width: int
    layers: int
    dropout: float
    tie: bool

    def setup(self) -> None:
        self.table = nn.Embed(self.vocab, self.embed)
        self.lstm = [LSTMLayer(self.width) for _ in range(self.layers)]
        self.drop = nn.Dropout(self.dropout)
        self.head = self.table.attend if self.tie else nn.Dense(self.vocab)

    def __call__(self, state: State, inputs: Array, still: bool) -> tuple[State, Array]:
        """State, inputs [t, b] -> state, logits float32 [t, b, v]; `still` turns dropout off."""
        x, after = self.drop(self.table.embedding, deterministic=still), []
        for i, (layer, carry) in enumerate(zip(self.lstm, state, strict=True)):
            carry, x = layer(x, carry, inputs == BOUNDARY, rows=None if i else inputs)
            x = self.drop(x, deterministic=still)
            after.append(carry)
        return tuple(after), self.head(x).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
class LSTM:
    """Sizes, and `length`: events in a row and in a sample; `segment`: how far a gradient reaches.

    Raises:
      UsageError: no layers, a dropout outside [0, 1), an empty segment, or `tie` where `embed` and
        `width` differ.
    """

    vocab: int = 130
    embed: int = 128
    width: int = 256
    layers: int = 2
    dropout: float = 0.0
    length: int = 256
    segment: int | None = None
    tie: bool = False

    def __post_init__(self) -> None:
        size = 1 if self.segment is None else self.segment
        if self.layers < 1 or not 0 <= self.dropout < 1 or size < 1:
            raise UsageError(
                f"layers is {self.layers}, dropout {self.dropout} and segment {self.segment}: "
                "choose 1 or more layers, a dropout from 0 to below 1, and a segment of 1 or more."
            )
        if self.tie and self.embed != self.width:
            raise UsageError(
                f"tie shares the embedding with the output layer, but embed is {self.embed} and "
                f"width {self.width}: make them equal."
            )

    @property
    def net(self) -> Net:
        return Net(
            self.vocab, self.embed, self.width, self.layers, self.dropout, self.tie
        )

    def example(self, n: int) -> Batch:
        tokens = jnp.arange(n * self.length).reshape(n, self.length) % self.vocab
        return {
            "tokens": tokens.astype(jnp.int32),
            "mask": jnp.ones((n, self.length), bool),
        }

    def init(self, rng: Key, batch: Batch) -> Params:
        inputs = batch["tokens"][:, :1].T
        return {
            "net": self.net.init(rng, self.start(inputs.shape[1]), inputs, True)[
                "params"
            ]
        }

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
        net = {"params": params["net"]}
        pairs = jnp.stack([inputs.T, tokens.T])
        n, t = tokens.shape
        size = t if self.segment is None else self.segment
        count = -(-t // size)
        pairs = jnp.pad(
            pairs, ((0, 0), (0, count * size - t), (0, 0)), constant_values=BOUNDARY
        )
        segments = pairs.reshape(2, count, size, n).swapaxes(0, 1)

        def segment(
            state: State, now: tuple[Array, Any]
        ) -> tuple[State, tuple[Array, Array]]:
            index, (inputs, targets) = now
            rngs = None if rng is None else {"dropout": jax.random.fold_in(rng, index)}
            state, logits = self.net.apply(net, state, inputs, rng is None, rngs=rngs)
            chosen = (logits * jax.nn.one_hot(targets, self.vocab)).sum(axis=-1)
            found = (
                chosen - jax.nn.logsumexp(logits, axis=-1),
                chosen >= logits.max(axis=-1),
            )
            return jax.lax.stop_gradient(state), found

        segment = segment if count == 1 else jax.checkpoint(segment)
        indexed = (jnp.arange(count), (segments[:, 0], segments[:, 1]))
        _, found = jax.lax.scan(segment, self.start(n), indexed)
        return jax.tree.map(lambda x: x.reshape(-1, n)[:t].T, found)

    def start(self, n: int) -> State:
        """The state of `n` rows before their first event."""
        return tuple(zeros(n, self.width) for _ in range(self.layers))

    def step(self, params: Params, state: State, token: Array) -> tuple[State, Array]:
        """One streaming step: state, token int [n] -> state, logits of the next event [n, v]."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Array]]:
        """`step` with all that does not change from event to event worked out beforehand."""
        net = params["net"]
        table = net["table"]["embedding"]
        first, *rest = [net[f"lstm_{i}"] for i in range(self.layers)]
        entry = table @ first["w"] + first["b"][None]
        stacks = [jnp.concatenate([layer["w"], layer["u"]]) for layer in rest]
        out = table.T if self.tie else net["head"]["kernel"]
        bias = jnp.zeros(self.vocab) if self.tie else net["head"]["bias"]

        def step(state: State, token: Array) -> tuple[State, Array]:
            lowest, *higher = [keep(carry, token == BOUNDARY) for carry in state]
            after = [advance(lowest, squash(entry[token] + lowest.h @ first["u"]))]
            for carry, layer, stack in zip(higher, rest, stacks, strict=True):
                x = jnp.concatenate([after[-1].h, carry.h], axis=-1)
                after.append(advance(carry, squash(x @ stack + layer["b"][None])))
            return tuple(after), after[-1].h @ out + bias[None]

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


TINY = LSTM(vocab=8, embed=4, width=8, layers=2, length=6)
