"""Piano rolls a frame at a time (Boulanger-Lewandowski, Bengio & Vincent 2012, arXiv:1206.6392).

An LSTM hears the frames so far; its state says how likely each of 88 keys is to sound in the next.
Either every key is drawn on its own (Bernoulli), which makes chords of what may well exclude each
other, or one after another by a NADE whose biases are functions of the state: then a key is drawn
knowing those below it. The likelihood is exact either way. A row is one piece, from its beginning;
there is no token of an end. Axes: b row, t step, n rows sampled, k key, d width.

Deviations from the paper: an LSTM in place of the simple RNN, Adam in place of Hessian-free
initialisation and momentum, dropout between layers (Zaremba et al. 2014).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.sequence.likelihood import mean_nll
from zoo.nn.sequence.lstm import Carry, LSTMLayer, advance, squash, zeros
from zoo.nn.sequence.nade import NADE, draw_keys
from zoo.nn.sequence.sampling import Draw, uniforms

State = tuple[Carry, ...]  # one per layer
Biases = tuple[
    Array, ...
]  # of the keys [n, k], and with a NADE of its hidden units [n, d]


class Net(nn.Module):
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

    def __call__(self, frames: Array, still: bool) -> Array:
        """Logits float32 [t, b, k] of frames [t, b, k]; `still` turns dropout off."""
        x = jnp.pad(frames[:-1], ((1, 0), (0, 0), (0, 0))).astype(jnp.float32)
        for layer in self.lstm:
            x = self.drop(layer(x)[1], deterministic=still)
        bias = self.key_bias(x).astype(jnp.float32)
        if not self.hidden:
            return bias
        flat = [y.reshape(-1, y.shape[-1]) for y in (bias, self.hidden_bias(x), frames)]
        return self.nade(*flat).reshape(bias.shape)


@dataclasses.dataclass(frozen=True)
class PolyphonicRNN:
    """Sizes; `output`: how keys are drawn; `hidden`: units of the NADE; `length`: frames sampled.

    Raises:
      UsageError: no layers or hidden units, an unknown output, or a dropout outside [0, 1).
    """

    keys: int = 88
    width: int = 256
    layers: int = 1
    output: Literal["bernoulli", "nade"] = "nade"
    hidden: int = 128
    dropout: float = 0.0
    length: int = 128

    def __post_init__(self) -> None:
        if self.layers < 1 or self.hidden < 1 or not 0 <= self.dropout < 1:
            raise UsageError(
                f"layers is {self.layers}, hidden {self.hidden} and dropout {self.dropout}: choose "
                "1 or more layers, 1 or more hidden units, and a dropout from 0 to below 1."
            )
        if self.output not in ("bernoulli", "nade"):
            raise UsageError(f"output is {self.output!r}: choose bernoulli or nade.")

    @property
    def net(self) -> Net:
        hidden = self.hidden if self.output == "nade" else 0
        return Net(self.keys, self.width, self.layers, hidden, self.dropout)

    def example(self, n: int) -> Batch:
        shape = (n, self.length, self.keys)
        sounds = jnp.arange(n * self.length * self.keys).reshape(shape) % 7 == 0
        return {"tokens": sounds.astype(jnp.uint8), "mask": jnp.ones(shape[:2], bool)}

    def init(self, rng: Key, batch: Batch) -> Params:
        return {
            "net": self.net.init(rng, batch["tokens"][:, :1].swapaxes(0, 1), True)[
                "params"
            ]
        }

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Mean negative log-likelihood of the frames in the mask, in nats per frame."""
        log_p, hit = self.token_log_probs(
            params, batch["tokens"], None if step is None else rng
        )
        return mean_nll(log_p, hit, batch["mask"])

    def log_prob(self, params: Params, tokens: Array, mask: Array) -> Array:
        """Log-likelihood [b] in nats of the frames [b, t, k] in the mask [b, t]."""
        return (self.token_log_probs(params, tokens)[0] * mask).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Array, rng: Key | None = None
    ) -> tuple[Array, Array]:
        """For each frame of tokens [b, t, k]: its log-likelihood [b, t], and whether every key of
        it did what was likelier, given those below it.

        Dropout is on where `rng` is given.
        """
        rngs = None if rng is None else {"dropout": rng}
        frames = tokens.swapaxes(0, 1)
        logits = self.net.apply(
            {"params": params["net"]}, frames, rng is None, rngs=rngs
        )
        right = jnp.where(frames > 0, logits, -logits)
        found = jax.nn.log_sigmoid(right).sum(axis=-1), (right > 0).all(axis=-1)
        return found[0].T, found[1].T

    def start(self, n: int) -> State:
        """The state of `n` rows before their first frame."""
        return tuple(zeros(n, self.width) for _ in range(self.layers))

    def step(self, params: Params, state: State, frame: Array) -> tuple[State, Biases]:
        """One streaming step: state, frame [n, k] -> state, the biases of the next frame.

        Before the first frame, feed silence. `draw` makes a frame of the biases.
        """
        return self.stepper(params)(state, frame)

    def stepper(self, params: Params) -> Callable[[State, Array], tuple[State, Biases]]:
        """`step` with all that does not change from frame to frame worked out beforehand."""
        net = params["net"]
        layers = [net[f"lstm_{i}"] for i in range(self.layers)]
        stacks = [
            (jnp.concatenate([layer["w"], layer["u"]]), layer["b"]) for layer in layers
        ]
        heads = [net[name] for name in ("key_bias", "hidden_bias") if name in net]

        def step(state: State, frame: Array) -> tuple[State, Biases]:
            x, after = frame.astype(jnp.float32), []
            for carry, (stack, bias) in zip(state, stacks, strict=True):
                gates = jnp.concatenate([x, carry.h], axis=-1) @ stack + bias[None]
                after.append(advance(carry, squash(gates)))
                x = after[-1].h
            return tuple(after), tuple(
                x @ head["kernel"] + head["bias"][None] for head in heads
            )

        return step

    def draw(
        self, params: Params, biases: Biases, u: Array, draw: Draw = Draw()
    ) -> Array:
        """A frame uint8 [n, k] by uniform numbers [n, k], one for each key."""
        choose = lambda logits: (
            draw(jnp.stack([jnp.zeros_like(logits), logits], axis=-1), u) > 0
        )
        b, *c = biases
        if not c:
            return choose(b).astype(jnp.uint8)
        nade = params["net"]["nade"]
        return draw_keys(choose, nade["w"], nade["v"], b, *c).astype(jnp.uint8)

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
        """Frames uint8 [n, length, k], row i a function of `rng` and i, whatever `n` and `length`.

        `draw` applies to each key's choice between silence and sound. Rows begin with the frames
        `primer`, [p, k] or [n, p, k].
        """
        step, length = self.stepper(params), length or self.length
        forced = jnp.zeros((n, 0, self.keys), jnp.uint8)
        if primer is not None:
            given = jnp.asarray(primer, jnp.uint8)
            forced = jnp.broadcast_to(given, (n, *given.shape[-2:]))[:, :length]
        p = forced.shape[1]
        forced = jnp.pad(forced, ((0, 0), (0, length - p), (0, 0))).swapaxes(0, 1)
        u = (
            uniforms(rng, n, length * self.keys)
            .reshape(length, self.keys, n)
            .swapaxes(1, 2)
        )

        def one(now: tuple[State, Array], inputs: tuple[Array, Array, Array]):
            t, u, forced = inputs
            state, biases = step(*now)
            frame = jnp.where(t < p, forced, self.draw(params, biases, u, draw))
            return (state, frame), frame

        begin = self.start(n), jnp.zeros((n, self.keys), jnp.uint8)
        return jax.lax.scan(one, begin, (jnp.arange(length), u, forced))[1].swapaxes(
            0, 1
        )


TINY = PolyphonicRNN(keys=6, width=8, layers=2, hidden=4, length=5)
