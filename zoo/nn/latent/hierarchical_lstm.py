"""LSTMs that read a phrase as a whole, and write one part by part from what they are told of it.

Axes: b and n rows, t step, k voice, v vocabulary, z latent, y style, u part of a phrase, d what a
part is told, h width.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Params
from zoo.nn.latent.variational import Gaussian
from zoo.nn.sequence.constraints import Constraints
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.lstm import Carry, LSTMLayer, stacked_step
from zoo.nn.sequence.sampling import Draw


def spell(tokens: Array, vocab: int) -> dict[str, Array]:
    """Tokens [t, b, k] one-hot, as an `LSTMLayer` reads them: a single voice as rows of a table."""
    if tokens.shape[-1] == 1:
        return {"x": jnp.eye(vocab), "rows": tokens[..., 0]}
    return {"x": jax.nn.one_hot(tokens, vocab).reshape(*tokens.shape[:2], -1)}


def apart(tokens: Array, parts: int) -> Array:
    """Phrases [t, b, k] in parts that are read side by side: [t / parts, parts b, k]."""
    t, b, k = tokens.shape
    tokens = tokens.reshape(parts, t // parts, b, k).swapaxes(0, 1)
    return tokens.reshape(t // parts, parts * b, k)


def both_ways(
    ways: tuple[dict, dict], widths: tuple[int, ...], style: Array | None, name: str
):
    """What bidirectional layers know of a whole when they have read it: [b, 2h]."""
    for i, width in enumerate(widths):
        on, ahead = LSTMLayer(width, name=f"{name}on_{i}")(
            **ways[0], conditioning=style
        )
        back, behind = LSTMLayer(width, name=f"{name}back_{i}")(
            **ways[1], conditioning=style
        )
        x = jnp.concatenate([ahead, behind[::-1]], axis=-1)
        ways = {"x": x}, {"x": x[::-1]}
    return jnp.concatenate([on.h, back.h], axis=-1)


class Encoder(nn.Module):
    vocab: int
    parts: int
    widths: tuple[int, ...]
    summary: int
    latent: int

    @nn.compact
    def __call__(self, tokens: Array, style: Array | None) -> Gaussian:
        """Phrases [t, b, k] and styles [b, y] -> q(z|x, y)."""
        (_, b, _), parts = tokens.shape, self.parts if self.summary else 1
        tokens = apart(tokens, parts)
        given = style if style is None else jnp.tile(style, (parts, 1))
        ways = spell(tokens, self.vocab), spell(tokens[::-1], self.vocab)
        last = both_ways(ways, self.widths, given, "")
        small = nn.initializers.normal(1e-3)
        say = lambda size, name, x: nn.Dense(size, kernel_init=small, name=name)(x)
        own = jnp.zeros((2, b, self.latent))
        if self.summary:
            x = last.reshape(parts, b, -1)
            own = say(2 * self.latent // parts, "own", x).reshape(parts, b, 2, -1)
            own = own.transpose(2, 1, 0, 3).reshape(2, b, self.latent)
            last = both_ways(({"x": x}, {"x": x[::-1]}), (self.summary,), style, "sum_")
        both = (say(self.latent, name, last) for name in ("mean", "log_std"))
        return Gaussian(
            *(x.astype(jnp.float32) + more for x, more in zip(both, own, strict=True))
        )


class Decoder(nn.Module):
    vocab: int
    voices: int
    parts: int
    widths: tuple[int, ...]
    conductor: int
    latent: int

    def setup(self) -> None:
        self.lstm = [LSTMLayer(width) for width in self.widths]
        self.enter = nn.Dense(2 * sum(self.widths))
        self.head = nn.Dense(self.voices * self.vocab)
        if self.conductor:
            self.lead, self.wake = (
                LSTMLayer(self.conductor),
                nn.Dense(2 * self.conductor),
            )

    def tell(self, z: Array) -> Array:
        """What each part is about, from z [b, z]: [u, b, d]."""
        if not self.conductor:
            return z[None]
        number = jnp.broadcast_to(
            jnp.eye(self.parts)[:, None], (self.parts, len(z), self.parts)
        )
        led = self.lead(
            number, carries(self.wake(z), (self.conductor,))[0], conditioning=z
        )[1]
        own = z[:, : self.latent].reshape(len(z), self.parts, -1).swapaxes(0, 1)
        return jnp.concatenate([led, own], axis=-1)

    def begin(self, told: Array) -> tuple[Carry, ...]:
        """The states of the layers before a part, [.., h] each."""
        return carries(self.enter(told), self.widths)

    def __call__(self, z: Array, before: Array) -> Array:
        """z [b, z], the steps before each [t, b, k] -> logits float32 [t, b, k, v]."""
        (t, b, k), told = before.shape, self.tell(z)
        told = told.reshape(-1, told.shape[-1])
        read = {**spell(apart(before, self.parts), self.vocab), "conditioning": told}
        for layer, carry in zip(self.lstm, self.begin(told), strict=True):
            read = {"x": layer(carry=carry, **read)[1]}
        logits = self.head(read["x"]).astype(jnp.float32)
        logits = logits.reshape(t // self.parts, self.parts, b, k, self.vocab)
        return logits.swapaxes(0, 1).reshape(t, b, k, self.vocab)


def carries(x: Array, widths: tuple[int, ...]) -> tuple[Carry, ...]:
    """LSTM states, float32, from what a dense layer says, [.., 2 sum(widths)]."""
    ends = [sum(widths[:i]) for i in range(1, len(widths))]
    halves = jnp.split(jnp.tanh(x.astype(jnp.float32)), 2, axis=-1)
    h, c = (jnp.split(half, ends, axis=-1) for half in halves)
    return tuple(map(Carry, h, c))


def recite(
    net: Params,
    told: Array,
    begin: tuple[Carry, ...],
    u: Array,
    draw: Draw,
    grammar: Grammar | None,
) -> Array:
    """Draws phrases from a `Decoder`, never BOUNDARY.

    Args:
      net: its parameters.
      told: what each part is about, [u, n, d].
      begin: the states of the layers before each part, [u, n, h] each.
      u: uniform numbers [u, t, n, k], of each part's steps.
      draw: how they become tokens.
      grammar: what one voice may write; None for several.

    Returns:
      int32 [n, u t, k].
    """
    layers = [net[f"lstm_{i}"] for i in range(len(begin))]
    first = layers[0]
    (parts, t, n, k), constraints = u.shape, Constraints(grammar, draw.no_repeat)
    table = first["w"].reshape(k, -1, first["w"].shape[-1])
    entry = told @ first["v"] + first["b"][None, None]
    advance = stacked_step(layers)
    never = jnp.arange(table.shape[1]) == BOUNDARY

    def step(now, u):
        carries, entry, token, course = now
        gates = table[jnp.arange(k)[None], token].sum(axis=1) + entry
        after = advance(carries, gates)
        logits = after[-1].h @ net["head"]["kernel"] + net["head"]["bias"][None]
        logits = jnp.where(never[None, None], -jnp.inf, logits.reshape(n, k, -1))
        if k == 1:
            logits = constraints.mask(course, logits[:, 0])[:, None]
        token = draw(logits, u)
        return (after, entry, token, constraints.advance(course, token[:, 0])), token

    def part(now, inputs):
        begin, entry, u = inputs
        (_, _, *now), tokens = jax.lax.scan(step, (begin, entry, *now), u)
        return tuple(now), tokens

    opening = jnp.full((n, k), BOUNDARY, jnp.int32), constraints.start(n, parts * t)
    _, tokens = jax.lax.scan(part, opening, (begin, entry, u))
    return tokens.reshape(parts * t, n, k).swapaxes(0, 1)
