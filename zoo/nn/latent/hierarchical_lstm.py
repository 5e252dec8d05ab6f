"""The encoder and the hierarchical decoder of MusicVAE (Roberts et al. 2018).

A part is a segment of a phrase that is decoded from its own context, such as a bar.
Arrays of tokens are time-major.

Axes: b and n row, t step, s step of a part, k voice, v vocabulary, z latent, y style, u
part of a phrase, d context of a part, h width.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Float, Int, Params
from zoo.nn.latent.variational import Gaussian
from zoo.nn.sequence.constraints import Constraints
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.lstm import Carry, LSTMLayer, stacked_step
from zoo.nn.sequence.sampling import Draw

SMALL = 1e-3  # standard deviation of initial weights to the posterior's parameters


def one_hot_inputs(tokens: Int[Array, "t b k"], vocab: int) -> dict[str, Array]:
    """Returns the keyword arguments by which an `LSTMLayer` reads tokens one-hot.

    A single voice is read as rows of the identity matrix.
    """
    if tokens.shape[-1] == 1:
        return {"x": jnp.eye(vocab, dtype=jnp.float32), "rows": tokens[..., 0]}
    return {
        "x": jax.nn.one_hot(tokens, vocab, dtype=jnp.float32).reshape(
            *tokens.shape[:2], -1
        )
    }


def split_parts(tokens: Int[Array, "t b k"], parts: int) -> Int[Array, "s ub k"]:
    """Splits phrases into parts, which become rows."""
    t, b, k = tokens.shape
    tokens = tokens.reshape(parts, t // parts, b, k).swapaxes(0, 1)
    return tokens.reshape(t // parts, parts * b, k)


def bidirectional(
    forward: dict[str, Array],
    backward: dict[str, Array],
    widths: tuple[int, ...],
    *,
    style: Float[Array, "b y"] | None = None,
    prefix: str = "",
) -> Float[Array, "b h"]:
    """Runs a stack of bidirectional LSTM layers inside a compact module.

    Args:
      forward: the inputs of an `LSTMLayer`.
      backward: the same, reversed in time.
      widths: of the layers.
      style: conditioning of every layer.
      prefix: of the layers' names.

    Returns:
      The last outputs of both directions, 2 h wide.
    """
    for i, width in enumerate(widths):
        on_layer = LSTMLayer(width, name=f"{prefix}on_{i}")
        back_layer = LSTMLayer(width, name=f"{prefix}back_{i}")
        on, ahead = on_layer(**forward, conditioning=style)
        back, behind = back_layer(**backward, conditioning=style)
        x = jnp.concatenate([ahead, behind[::-1]], axis=-1)
        forward, backward = {"x": x}, {"x": x[::-1]}
    return jnp.concatenate([on.h, back.h], axis=-1)


class Encoder(nn.Module):
    """A bidirectional encoder of phrases, or of their parts and then of the phrase.

    Attributes:
      vocab: tokens of a voice.
      parts: of a phrase.
      widths: of the layers.
      summary: width of a second bidirectional layer, which reads the encoded parts.
        Each part is then encoded on its own, and also feeds its share of the latents. 0
        to encode a phrase as a whole.
      latent: the number of latents.
    """

    vocab: int
    parts: int
    widths: tuple[int, ...]
    _: dataclasses.KW_ONLY
    summary: int
    latent: int

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "t b k"], style: Float[Array, "b y"] | None
    ) -> Gaussian:
        """Returns the posterior q(z|x, y) of phrases under styles."""
        b, parts = tokens.shape[1], self.parts if self.summary else 1
        init = nn.initializers.normal(SMALL)

        def dense(size: int, name: str) -> nn.Dense:
            return nn.Dense(size, kernel_init=init, name=name)

        tokens = split_parts(tokens, parts)
        last = bidirectional(
            one_hot_inputs(tokens, self.vocab),
            one_hot_inputs(tokens[::-1], self.vocab),
            self.widths,
            style=None if style is None else jnp.tile(style, (parts, 1)),
        )
        of_parts = jnp.zeros((2, b, self.latent), jnp.float32)
        if self.summary:
            x = last.reshape(parts, b, -1)
            of_parts = dense(2 * self.latent // parts, "own")(x)
            of_parts = of_parts.reshape(parts, b, 2, -1).transpose(2, 1, 0, 3)
            of_parts = of_parts.reshape(2, b, self.latent)
            last = bidirectional(
                {"x": x}, {"x": x[::-1]}, (self.summary,), style=style, prefix="sum_"
            )
        mean = dense(self.latent, "mean")(last).astype(jnp.float32)
        log_std = dense(self.latent, "log_std")(last).astype(jnp.float32)
        return Gaussian(mean + of_parts[0], log_std + of_parts[1])


class Decoder(nn.Module):
    """An autoregressive decoder of phrases, or of their parts under a conductor.

    Attributes:
      vocab: tokens of a voice.
      voices: of a step.
      parts: of a phrase; 1 for a flat decoder.
      widths: of the layers.
      conductor: width of the LSTM whose outputs are the contexts of parts; 0 for a flat
        decoder.
      latent: the number of latents, without the style.
    """

    vocab: int
    voices: int
    parts: int
    _: dataclasses.KW_ONLY
    widths: tuple[int, ...]
    conductor: int
    latent: int

    def setup(self) -> None:
        self.lstm = [LSTMLayer(width) for width in self.widths]
        self.enter = nn.Dense(2 * sum(self.widths))
        self.head = nn.Dense(self.voices * self.vocab)
        if self.conductor:
            self.lead = LSTMLayer(self.conductor)
            self.wake = nn.Dense(2 * self.conductor)

    def contexts(self, z: Float[Array, "b z"]) -> Float[Array, "u b d"]:
        """Returns the context of each part: the conductor's output and its share of z.

        The conductor reads z and the number of the part. A flat decoder's context is z.
        """
        if not self.conductor:
            return z[None]
        shape = self.parts, len(z), self.parts
        number = jnp.broadcast_to(
            jnp.eye(self.parts, dtype=jnp.float32)[:, None], shape
        )
        (start,) = to_carries(self.wake(z), (self.conductor,))
        _, outputs = self.lead(number, start, conditioning=z)
        own = z[:, : self.latent].reshape(len(z), self.parts, -1).swapaxes(0, 1)
        return jnp.concatenate([outputs, own], axis=-1)

    def start(self, contexts: Float[Array, "*u d"]) -> tuple[Carry, ...]:
        """Returns the layers' states before each part, [.., h] each."""
        return to_carries(self.enter(contexts), self.widths)

    def __call__(
        self, z: Float[Array, "b z"], before: Int[Array, "t b k"]
    ) -> Float[Array, "t b k v"]:
        """Returns the logits of every step, float32, under teacher forcing.

        Args:
          z: the latents and the style.
          before: the tokens one step earlier.
        """
        t, b, k = before.shape
        contexts = self.contexts(z)
        contexts = contexts.reshape(-1, contexts.shape[-1])
        inputs = one_hot_inputs(split_parts(before, self.parts), self.vocab)
        inputs["conditioning"] = contexts
        for layer, carry in zip(self.lstm, self.start(contexts), strict=True):
            _, outputs = layer(carry=carry, **inputs)
            inputs = {"x": outputs}
        logits = self.head(outputs).astype(jnp.float32)
        logits = logits.reshape(t // self.parts, self.parts, b, k, self.vocab)
        return logits.swapaxes(0, 1).reshape(t, b, k, self.vocab)


def to_carries(x: Float[Array, "... d"], widths: tuple[int, ...]) -> tuple[Carry, ...]:
    """Returns LSTM states, float32, from a dense layer's 2 sum(widths) outputs."""
    ends = [sum(widths[:i]) for i in range(1, len(widths))]
    h, c = jnp.split(jnp.tanh(x.astype(jnp.float32)), 2, axis=-1)
    return tuple(map(Carry, jnp.split(h, ends, axis=-1), jnp.split(c, ends, axis=-1)))


def decode(
    net: Params,
    contexts: Float[Array, "u n d"],
    start: tuple[Carry, ...],
    *,
    u: Float[Array, "u s n k"],
    draw: Draw,
    grammar: Grammar | None,
) -> Int[Array, "n t k"]:
    """Draws phrases from a `Decoder`; BOUNDARY is masked.

    Args:
      net: the decoder's parameters.
      contexts: of each part.
      start: the layers' states before each part, [u, n, h] each.
      u: uniform numbers, one for each token.
      draw: how tokens are sampled.
      grammar: of a single voice; None for several.
    """
    layers = [net[f"lstm_{i}"] for i in range(len(start))]
    first = layers[0]
    parts, steps, n, k = u.shape
    constraints = Constraints(grammar, draw.no_repeat)
    table = jnp.asarray(first["w"]).reshape(k, -1, first["w"].shape[-1])
    entry = contexts @ first["v"] + first["b"][None, None]
    advance = stacked_step(layers)
    forbidden = jnp.arange(table.shape[1]) == BOUNDARY

    def step(state: Any, u: Array) -> tuple[Any, Array]:
        carries, entry, token, course = state
        gates = table[jnp.arange(k)[None], token].sum(axis=1) + entry
        after = advance(carries, gates)
        logits = after[-1].h @ net["head"]["kernel"] + net["head"]["bias"][None]
        logits = jnp.where(forbidden[None, None], -jnp.inf, logits.reshape(n, k, -1))
        if k == 1:
            logits = constraints.mask(course, logits[:, 0])[:, None]
        token = draw(logits, u)
        course = constraints.advance(course, token[:, 0])
        return (after, entry, token, course), token

    def part(state: Any, inputs: Any) -> tuple[Any, Array]:
        carries, entry, u = inputs
        (_, _, *state), tokens = jax.lax.scan(step, (carries, entry, *state), u)
        return tuple(state), tokens

    opening = jnp.full((n, k), BOUNDARY, jnp.int32), constraints.start(n, parts * steps)
    _, tokens = jax.lax.scan(part, opening, (start, entry, u))
    return tokens.reshape(parts * steps, n, k).swapaxes(0, 1)
