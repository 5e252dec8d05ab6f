"""RNN-NADE: piano rolls, a frame at a time.

Boulanger-Lewandowski, Bengio & Vincent 2012, arXiv:1206.6392. An LSTM reads the frames
so far; its state predicts which of 88 keys sound in the next. Either the keys are
independent (Bernoulli), which ignores that some exclude each other, or they are sampled
one after another by a NADE whose biases are functions of the state (Larochelle & Murray
2011):

    p(x_i = 1 | x_<i) = sigmoid(b_i + V_i . sigmoid(c + sum_{j<i} x_j W_j)).

The likelihood is exact either way. A row is one piece, from its beginning; no token
ends it. Axes: b row, t step, n row sampled, or frame, k key, d hidden unit.

Deviations from the paper: an LSTM in place of the simple RNN; Adam in place of
Hessian-free initialisation and momentum; dropout between layers (Zaremba et al. 2014).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import (
    Array,
    Batch,
    Bool,
    Float,
    Int,
    Key,
    Metrics,
    Num,
    Objective,
    Params,
)
from zoo.errors import UsageError
from zoo.nn.rng import uniforms
from zoo.nn.sequence.likelihood import language_model_loss
from zoo.nn.sequence.lstm import Carry, LSTMLayer, stacked_step, zero_carry
from zoo.nn.sequence.sampling import Draw, primed_frames
from zoo.ranges import DropoutRate, Keys, Layers, Length, Width, checked

State = tuple[Carry, ...]  # one per layer
Biases = tuple[Array, ...]  # of the keys [n, k]; with a NADE also of its units [n, d]


def sounding_below(x: Num[Array, "n k"]) -> Int[Array, "n k"]:
    """Returns how many keys sound below each one, of 0/1 frames."""
    x = (x > 0).astype(jnp.int32)
    return jnp.cumsum(x, axis=-1) - x


def _hidden(w: Array, c: Array, keys: Array) -> Array:
    """Returns the hidden units [n, d] after reading the keys [n, k]."""
    keys = keys.astype(w.dtype)
    return jax.nn.sigmoid(c + jnp.dot(keys, w, preferred_element_type=jnp.float32))


def _output(v: Array, b: Array, hidden: Array) -> Array:
    """Returns the logits [n, k] of all keys by the same hidden units."""
    return b + jnp.dot(hidden.astype(v.dtype), v.T, preferred_element_type=jnp.float32)


@jax.custom_vjp
def nade_logits(
    w: Float[Array, "k d"],
    v: Float[Array, "k d"],
    b: Float[Array, "n k"],
    c: Float[Array, "n d"],
    x: Num[Array, "n k"],
) -> Float[Array, "n k"]:
    """Returns the logit of each key, conditioned on those below it.

    The hidden units change only at keys that sound, so all keys between two of them
    share
    theirs: a frame of m notes takes m + 1 matmuls instead of a step for each of 88
    keys, and the loop runs as often as the fullest frame of the batch needs. For 3,200
    frames of up to 8 notes and 128 hidden units, forward and backward on two CPU cores,
    this takes a sixth of the time of a scan over 88 keys.

    Args:
      w: weights from keys to hidden units, whose dtype is that of the matmuls.
      v: weights from hidden units to keys.
      b: biases of the keys, float32.
      c: biases of the hidden units, float32.
      x: the keys that sound, 0 or 1, integers.
    """
    count = sounding_below(x)

    def step(m: Array, logits: Array) -> Array:
        hidden = _hidden(w, c, (count < m) & (x > 0))
        return jnp.where(count == m, _output(v, b, hidden), logits)

    return jax.lax.fori_loop(0, count.max() + 1, step, jnp.zeros_like(b))


def _forward(*inputs: Array) -> tuple[Array, tuple[Array, ...]]:
    return nade_logits(*inputs), inputs


def _backward(inputs: tuple[Array, ...], dlogits: Array) -> tuple[Any, ...]:
    w, v, _, c, x = inputs
    count = sounding_below(x)

    def weight_gradient(rows: Array, columns: Array) -> Array:
        return jnp.dot(rows.T, columns, preferred_element_type=jnp.float32)

    def step(m: Array, sums: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        dw, dv, dc = sums
        keys = ((count < m) & (x > 0)).astype(w.dtype)
        hidden = _hidden(w, c, keys)
        dm = jnp.where(count == m, dlogits, 0.0).astype(v.dtype)
        dhidden = jnp.dot(dm, v, preferred_element_type=jnp.float32)
        da = dhidden * hidden * (1 - hidden)
        dw = dw + weight_gradient(keys, da.astype(w.dtype))
        return dw, dv + weight_gradient(dm, hidden.astype(v.dtype)), dc + da

    zeros = jax.tree.map(lambda like: jnp.zeros(like.shape, jnp.float32), (w, v, c))
    dw, dv, dc = jax.lax.fori_loop(0, count.max() + 1, step, zeros)
    return dw.astype(w.dtype), dv.astype(v.dtype), dlogits, dc, None


nade_logits.defvjp(_forward, _backward)


def sample_nade(
    choose: Callable[[Array], Array],
    w: Float[Array, "k d"],
    v: Float[Array, "k d"],
    *,
    b: Float[Array, "n k"],
    c: Float[Array, "n d"],
) -> Bool[Array, "n k"]:
    """Samples frames exactly, from the lowest key to the highest.

    Args:
      choose: logits [n, k] -> whether each key would sound, bool [n, k]. It must decide
        the same for equal logits each time it is called.
      w: weights from keys to hidden units.
      v: weights from hidden units to keys.
      b: biases of the keys.
      c: biases of the hidden units.
    """
    keys = jnp.arange(b.shape[-1])[None]

    def unfinished(state: tuple[Array, Array]) -> Array:
        return (state[1] < keys.shape[-1]).any()

    def next_key(state: tuple[Array, Array]) -> tuple[Array, Array]:
        x, start = state  # keys from `start` [n] on are undecided
        sounds = choose(_output(v, b, _hidden(w, c, x))) & (keys >= start[:, None])
        first = jnp.where(sounds.any(axis=-1), sounds.argmax(axis=-1), keys.shape[-1])
        return x | (keys == first[:, None]), (first + 1).astype(jnp.int32)

    silent = jnp.zeros(b.shape, bool), jnp.zeros(b.shape[:1], jnp.int32)
    return jax.lax.while_loop(unfinished, next_key, silent)[0]


class NADE(nn.Module):
    """A NADE over keys, with weights w and v [k, d].

    Attributes:
      keys: number of keys.
      hidden: number of hidden units.
      dtype: of the matmuls; all else is float32.
      matmul: marks the layer for mixed precision, which sets its `dtype`.
    """

    keys: int
    hidden: int
    dtype: jnp.dtype | None = None
    matmul = True

    @nn.compact
    def __call__(
        self, b: Float[Array, "n k"], c: Float[Array, "n d"], x: Num[Array, "n k"]
    ) -> Float[Array, "n k"]:
        """Returns the logits of the keys `x`; see `nade_logits`."""
        shape = (self.keys, self.hidden)
        w = self.param("w", nn.initializers.lecun_normal(), shape, jnp.float32)
        v = self.param("v", nn.initializers.lecun_normal(), shape, jnp.float32)
        dtype = self.dtype or w.dtype
        b, c = b.astype(jnp.float32), c.astype(jnp.float32)
        return nade_logits(w.astype(dtype), v.astype(dtype), b, c, x)


class Net(nn.Module):
    """LSTM layers, and independent keys, or a NADE if there are `hidden` units."""

    keys: int
    width: int
    layers: int
    hidden: int
    dropout: float

    def setup(self) -> None:
        self.lstm = [LSTMLayer(self.width) for _ in range(self.layers)]
        self.drop = nn.Dropout(self.dropout)
        self.key_bias = nn.Dense(self.keys)
        if self.hidden:
            self.hidden_bias = nn.Dense(self.hidden)
            self.nade = NADE(self.keys, self.hidden)

    def __call__(
        self, frames: Num[Array, "t b k"], deterministic: bool
    ) -> Float[Array, "t b k"]:
        """Returns the logits of the keys of each frame."""
        x = jnp.pad(frames[:-1], ((1, 0), (0, 0), (0, 0))).astype(jnp.float32)
        for layer in self.lstm:
            x = self.drop(layer(x)[1], deterministic=deterministic)
        bias = self.key_bias(x).astype(jnp.float32)
        if not self.hidden:
            return bias
        flat = [y.reshape(-1, y.shape[-1]) for y in (bias, self.hidden_bias(x), frames)]
        return self.nade(*flat).reshape(bias.shape)


@dataclasses.dataclass(frozen=True)
@checked
class PolyphonicRNN:
    """Configuration of the RNN-NADE.

    Raises:
      UsageError: no layers or hidden units, an unknown output, or a dropout outside
        [0, 1).
    """

    keys: Keys = 88
    """Number of keys of the piano roll."""
    width: Width = 256
    """Width of each layer's state."""
    layers: Layers = 1
    """Number of LSTM layers."""
    _: dataclasses.KW_ONLY
    output: Literal["bernoulli", "nade"] = "nade"
    """Distribution of the keys of a frame: bernoulli (independent) or nade."""
    hidden: Width = 128
    """Hidden units of the NADE."""
    dropout: DropoutRate = 0.0
    """Rate of dropout after each layer."""
    length: Length = 128
    """Frames in a sample."""

    def __post_init__(self) -> None:
        if self.output not in ("bernoulli", "nade"):
            raise UsageError(f"output is {self.output!r}: choose bernoulli or nade.")

    @property
    def net(self) -> Net:
        hidden = self.hidden if self.output == "nade" else 0
        sizes = self.keys, self.width, self.layers
        return Net(*sizes, hidden=hidden, dropout=self.dropout)

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` piano rolls."""
        shape = (n, self.length, self.keys)
        sounds = jnp.arange(n * self.length * self.keys).reshape(shape) % 7 == 0
        return {"tokens": sounds.astype(jnp.uint8), "mask": jnp.ones(shape[:2], bool)}

    def init(self, rng: Key, batch: Batch) -> Params:
        """Initialises the parameters."""
        frames = batch["tokens"][:, :1].swapaxes(0, 1)
        return {"net": self.net.init(rng, frames, True)["params"]}

    def objectives(self) -> Mapping[str, Objective]:
        """Returns the objective: maximum likelihood."""
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean negative log-likelihood of the masked frames, in nats."""
        return language_model_loss(self.token_log_probs, params, batch, rng, step=step)

    def log_prob(
        self, params: Params, tokens: Num[Array, "b t k"], mask: Bool[Array, "b t"]
    ) -> Float[Array, " b"]:
        """Returns the log-likelihood of each row's masked frames, in nats."""
        return (self.token_log_probs(params, tokens)[0] * mask).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Num[Array, "b t k"], rng: Key | None = None
    ) -> tuple[Float[Array, "b t"], Bool[Array, "b t"]]:
        """Returns each frame's log-likelihood, and whether all keys were predicted.

        Args:
          params: of the networks.
          tokens: piano rolls.
          rng: the key of dropout; None for no dropout.
        """
        net, rngs = {"params": params["net"]}, None if rng is None else {"dropout": rng}
        frames = tokens.swapaxes(0, 1)
        logits = self.net.apply(net, frames, rng is None, rngs=rngs)
        chosen = jnp.where(frames > 0, logits, -logits)
        log_p = jax.nn.log_sigmoid(chosen).sum(axis=-1)
        return log_p.T, (chosen > 0).all(axis=-1).T

    def start(self, n: int) -> State:
        """Returns the state of `n` rows before their first frame."""
        return tuple(zero_carry(n, self.width) for _ in range(self.layers))

    def step(
        self, params: Params, state: State, frame: Num[Array, "n k"]
    ) -> tuple[State, Biases]:
        """Reads a frame; returns the state and the biases of the next frame.

        Before the first frame, pass silence. `draw` samples a frame by the biases.
        """
        return self.stepper(params)(state, frame)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Biases]]:
        """Returns `step` with its weights prepared, for use in a loop."""
        net = params["net"]
        layers = [net[f"lstm_{i}"] for i in range(self.layers)]
        advance = stacked_step(layers)
        w, b = layers[0]["w"], layers[0]["b"]
        heads = [net[name] for name in ("key_bias", "hidden_bias") if name in net]

        def step(state: State, frame: Array) -> tuple[State, Biases]:
            state = advance(state, frame.astype(jnp.float32) @ w + b[None])
            h = state[-1].h
            return state, tuple(
                h @ head["kernel"] + head["bias"][None] for head in heads
            )

        return step

    def draw(
        self,
        params: Params,
        biases: Biases,
        u: Float[Array, "n k"],
        draw: Draw = Draw(),
    ) -> Num[Array, "n k"]:
        """Samples a frame uint8, by a uniform number for each key."""

        def choose(logits: Array) -> Array:
            return draw(jnp.stack([jnp.zeros_like(logits), logits], axis=-1), u) > 0

        b, *c = biases
        if not c:
            return choose(b).astype(jnp.uint8)
        nade = params["net"]["nade"]
        frame = sample_nade(choose, nade["w"], nade["v"], b=b, c=c[0])
        return frame.astype(jnp.uint8)

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        primer: Array | None = None,
    ) -> Num[Array, "n t k"]:
        """Samples piano rolls uint8.

        Args:
          params: of the networks.
          rng: row i is a function of `rng` and i, whatever `n` and `length`.
          n: number of rows.
          length: t, number of frames.
          draw: how each key's choice between silence and sound is sampled.
          primer: the first frames of the rows, [p, k] or [n, p, k].
        """
        step, length = self.stepper(params), length or self.length
        forced, primed = primed_frames(primer, n, length, self.keys)
        u = uniforms(rng, n, length * self.keys)
        u = u.reshape(length, self.keys, n).swapaxes(1, 2)

        def next_frame(loop: tuple[State, Array], inputs: tuple[Array, Array, Array]):
            t, u, forced = inputs
            state, biases = step(*loop)
            frame = self.draw(params, biases, u, draw)
            frame = jnp.where(t < primed, forced.astype(jnp.uint8), frame)
            return (state, frame), frame

        begin = self.start(n), jnp.zeros((n, self.keys), jnp.uint8)
        inputs = jnp.arange(length), u, forced
        _, frames = jax.lax.scan(next_frame, begin, inputs)
        return frames.swapaxes(0, 1)


TINY = PolyphonicRNN(keys=6, width=8, layers=2, hidden=4, length=5)
