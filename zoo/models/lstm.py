"""An LSTM language model of events.

Eck & Schmidhuber 2002; Graves 2013, arXiv:1308.0850.

Events are embedded and read by stacked LSTM layers, which predict the next event.
Several pieces share a row; each ends with BOUNDARY, at which the state is reset. Long
rows can be trained a `segment` at a time: the state is carried over and the gradient is
not (truncated back-propagation), so that memory is that of one segment. Axes: b row, t
step, v vocabulary, e embedding, h width.

Deviations from Graves: no peepholes and no skip connections; dropout between layers as
in Zaremba et al. 2014, and on the embedding table as in Gal & Ghahramani 2016 (the same
mask for an event wherever it occurs in a batch), so that the table is multiplied by the
first layer's input weights once for the vocabulary instead of once for each event.
"""

import dataclasses
from collections.abc import Callable, Mapping

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
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.likelihood import (
    language_model_loss,
    pick_log_probs,
    previous_tokens,
)
from zoo.nn.sequence.lstm import (
    Carry,
    LSTMLayer,
    reset_rows,
    stacked_step,
    zero_carry,
)
from zoo.nn.sequence.sampling import Draw, generate
from zoo.ranges import DropoutRate, Layers, Length, Vocab, Width, checked

State = tuple[Carry, ...]  # one per layer


class Net(nn.Module):
    """An embedding, LSTM layers, and a softmax."""

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

    def __call__(
        self, state: State, inputs: Int[Array, "t b"], deterministic: bool
    ) -> tuple[State, Float[Array, "t b v"]]:
        """Returns the final state, and the logits of the event after each input."""
        x = self.drop(self.table.embedding, deterministic=deterministic)
        rows, reset, after = inputs, inputs == BOUNDARY, []
        for i, (layer, carry) in enumerate(zip(self.lstm, state, strict=True)):
            carry, x = layer(x, carry, reset, rows=rows if i == 0 else None)
            x = self.drop(x, deterministic=deterministic)
            after.append(carry)
        return tuple(after), self.head(x).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
@checked
class LSTM:
    """Configuration of the LSTM.

    Raises:
      UsageError: no layers, a dropout outside [0, 1), an empty segment, or `tie`
        although `embed` and `width` differ.
    """

    vocab: Vocab = 130
    """Number of tokens, BOUNDARY included."""
    embed: Width = 128
    """Width of the embedding of an event."""
    width: Width = 256
    """Width of each layer's state."""
    _: dataclasses.KW_ONLY
    layers: Layers = 2
    """Number of LSTM layers."""
    dropout: DropoutRate = 0.0
    """Rate of dropout, on the embedding table and after each layer."""
    length: Length = 256
    """Events in a training row, and in a sample."""
    segment: Length | None = None
    """Events that the gradient is propagated through; None for a whole row."""
    tie: bool = False
    """Share the weights of the embedding and the output layer."""

    def __post_init__(self) -> None:
        if self.tie and self.embed != self.width:
            raise UsageError(
                "tie shares the embedding with the output layer, but embed is "
                f"{self.embed} and width {self.width}: make them equal."
            )

    @property
    def net(self) -> Net:
        sizes = (self.vocab, self.embed, self.width, self.layers)
        return Net(*sizes, dropout=self.dropout, tie=self.tie)

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` rows."""
        tokens = jnp.arange(n * self.length).reshape(n, self.length) % self.vocab
        mask = jnp.ones((n, self.length), bool)
        return {"tokens": tokens.astype(jnp.int32), "mask": mask}

    def init(self, rng: Key, batch: Batch) -> Params:
        """Initialises the parameters."""
        inputs = batch["tokens"][:, :1].T
        state = self.start(inputs.shape[1])
        return {"net": self.net.init(rng, state, inputs, True)["params"]}

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
        pairs = jnp.stack([previous_tokens(tokens).T, tokens.T])
        n, t = tokens.shape
        size = t if self.segment is None else self.segment
        count = -(-t // size)
        pad = ((0, 0), (0, count * size - t), (0, 0))
        pairs = jnp.pad(pairs, pad, constant_values=BOUNDARY)
        segments = pairs.reshape(2, count, size, n)
        net = {"params": params["net"]}

        def segment_log_probs(state: State, segment: tuple[Array, Array, Array]):
            index, inputs, targets = segment
            rngs = None if rng is None else {"dropout": jax.random.fold_in(rng, index)}
            state, logits = self.net.apply(net, state, inputs, rng is None, rngs=rngs)
            return jax.lax.stop_gradient(state), pick_log_probs(logits, targets)

        if count > 1:
            segment_log_probs = jax.checkpoint(segment_log_probs)
        indexed = jnp.arange(count), segments[0], segments[1]
        _, outputs = jax.lax.scan(segment_log_probs, self.start(n), indexed)
        log_p, correct = jax.tree.map(lambda x: x.reshape(-1, n)[:t].T, outputs)
        return log_p, correct

    def start(self, n: int) -> State:
        """Returns the state of `n` rows before their first event."""
        return tuple(zero_carry(n, self.width) for _ in range(self.layers))

    def step(
        self, params: Params, state: State, token: Int[Array, " n"]
    ) -> tuple[State, Float[Array, "n v"]]:
        """Reads an event of each row; returns the state and the next event's logits."""
        return self.stepper(params)(state, token)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Array]]:
        """Returns `step` with its weights prepared, for use in a loop."""
        net = params["net"]
        table = jnp.asarray(net["table"]["embedding"])
        layers = [net[f"lstm_{i}"] for i in range(self.layers)]
        input_gates = table @ layers[0]["w"] + layers[0]["b"][None]
        advance = stacked_step(layers)
        kernel = table.T if self.tie else net["head"]["kernel"]
        bias = jnp.zeros(self.vocab, jnp.float32) if self.tie else net["head"]["bias"]

        def step(state: State, token: Array) -> tuple[State, Array]:
            state = reset_rows(state, token == BOUNDARY)
            state = advance(state, input_gates[token])
            return state, state[-1].h @ kernel + bias[None]

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


TINY = LSTM(vocab=8, embed=4, width=8, layers=2, length=6)
