"""A network for music in frames of several notes, and what it is made of.

Axes: b row, t frame, k slot (note of a frame), p pitch, v token (0 none, 1 + p), d width.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.sequence.frame_attention import Dropout, Keys, Layer, write

SPAN = 16  # frames over which a note's age is counted
SMALL = nn.initializers.normal(0.05)


class Notes(nn.Module):
    """Embeds the notes of a frame, [.., k] -> [.., k, d]: by slot, by pitch and by pitch class."""

    keys: int
    slots: int
    width: int

    @nn.compact
    def __call__(self, notes: Array) -> Array:
        table = self.param("slot", SMALL, (self.slots, self.keys + 1, self.width))
        pitch = self.param("pitch", SMALL, (self.keys, self.width))
        chroma = self.param("class", SMALL, (12, self.width))
        shared = pitch + jnp.tile(chroma, (-(-self.keys // 12), 1))[: self.keys]
        table += jnp.pad(shared, ((1, 0), (0, 0)))[None]
        return jnp.einsum("btkv,kvd->btkd", jax.nn.one_hot(notes, self.keys + 1), table)


def ages(recent: Array, frames: int, most: int) -> Array:
    """For how many frames, below `most`, each note of the last `frames` of [b, t, k] has stayed."""
    now = recent[:, -frames:]
    stayed, age = jnp.ones(now.shape, bool), jnp.zeros(now.shape, jnp.int32)
    for ago in range(1, most):
        stayed &= recent[:, -frames - ago : -ago] == now
        age += stayed
    return age


def spread(kernels: Array, references: Array, keys: int) -> Array:
    """Logits [.., 1 + keys] from those of intervals -n .. n, [.., r, 2n + 1], from notes [.., r].

    A reference of 0, no note, adds nothing; neither does an interval beyond n.
    """
    size = kernels.shape[-1]
    pitches = jnp.arange(1, keys + 1).reshape((1,) * references.ndim + (keys,))
    interval = pitches - references[..., None] + size // 2
    usable = (interval >= 0) & (interval < size) & (references[..., None] > 0)
    kernels = jnp.pad(kernels, [(0, 0)] * (kernels.ndim - 1) + [(0, 1)])
    found = jnp.take_along_axis(
        kernels, jnp.where(usable, interval, size), axis=-1
    ).sum(axis=-2)
    return jnp.pad(found, [(0, 0)] * (found.ndim - 1) + [(1, 0)])


def slots(rolls: Array, most: int) -> Array:
    """Rolls [.., p] -> the `most` highest notes of each frame int [.., k], from the top down."""
    pitches = jnp.arange(1, rolls.shape[-1] + 1, dtype=jnp.float32)
    sounding = jnp.where(rolls > 0, jnp.broadcast_to(pitches, rolls.shape), 0.0)
    return jax.lax.top_k(sounding, most)[0].astype(jnp.int32)


def rolls(notes: Array, keys: int) -> Array:
    """Notes [.., k] -> rolls uint8 [.., p]."""
    return jax.nn.one_hot(notes - 1, keys, dtype=jnp.uint8).max(axis=-2)


class State(NamedTuple):
    """What is known of `n` rows before a frame; every leaf has the members' axis first."""

    at: Array  # int, frames so far
    recent: Array  # int [n, SPAN, k], the last of them, oldest first
    keys: tuple[Keys, ...]  # of every layer, the encoder's first
    memory: Array  # [n, 1, d], what the encoder says of the frame to come


class Net(nn.Module):
    keys: int
    slots: int
    width: int
    layers: int
    depth: int
    heads: int
    dropout: float
    bar: int
    reach: int
    interval: int

    def setup(self) -> None:
        layer = lambda hidden: Layer(
            self.width, self.heads, hidden, self.reach, self.dropout
        )
        self.encoder = [layer(4 * self.width) for _ in range(self.layers)]
        self.decoder = [layer(2 * self.width) for _ in range(self.depth)]
        notes = lambda: Notes(self.keys, self.slots, self.width)
        self.last, self.second, self.now, self.above = (notes() for _ in range(4))
        table = lambda name, *shape: self.param(name, SMALL, (*shape, self.width))
        self.age, self.asked = (
            table("age", self.slots, SPAN),
            table("asked", self.slots),
        )
        self.metre, self.opening = table("metre", self.bar), table("opening")
        self.drop, self.enter = Dropout(self.dropout), nn.Dense(self.width)
        self.norms = [nn.RMSNorm() for _ in range(2)]
        self.pitch = nn.Dense(self.keys + 1)
        kernels = 3 * (2 * self.interval + 1)
        self.intervals = nn.Dense(kernels, kernel_init=nn.initializers.zeros)

    def __call__(
        self, state: State, frames: Array, notes: Array, still: bool
    ) -> tuple[State, Array]:
        """The frames before each one, and their notes [b, t, k] -> state, logits [b, t, k, v]."""
        state, memory = self.listen(state, frames, still)
        return state, self.ask(state, memory, frames, notes, still)

    def listen(self, state: State, frames: Array, still: bool) -> tuple[State, Array]:
        """Takes in frames [b, t, k]; says of the frame after each what it expects, [b, t, d]."""
        t = frames.shape[1]
        at = state.at + jnp.arange(t)
        recent = jnp.concatenate([state.recent, frames], axis=1)
        x = (self.last(frames) + self.second(recent[:, -t - 1 : -1])).sum(axis=2)
        age = jax.nn.one_hot(ages(recent, t, SPAN), SPAN)
        x += jnp.einsum("btka,kad->btd", age, self.age)
        x += self.metre[at % self.bar][None]
        x += jnp.where(at[:, None] == 0, self.opening[None], 0.0)[None]
        x = self.drop(x, still)[:, :, None]
        keys = list(state.keys)
        for i, layer in enumerate(self.encoder):
            keys[i] = write(keys[i], layer.keys(x[:, :, 0], at), state.at)
            x = layer(x, keys[i], at, still)
        memory = self.norms[0](x[:, :, 0])
        for i, layer in enumerate(self.decoder, self.layers):
            keys[i] = write(keys[i], layer.keys(memory, at), state.at)
        recent = recent[:, -SPAN:]
        return State(
            state.at + t, recent, tuple(keys), memory[:, -1:].astype(jnp.float32)
        ), memory

    def ask(
        self,
        state: State,
        memory: Array,
        frames: Array,
        notes: Array,
        still: bool,
        slot: Array | None = None,
    ) -> Array:
        """Logits [b, t, k, v] of each frame's notes, given those before: of one `slot`, or all."""
        at = state.at - memory.shape[1] + jnp.arange(memory.shape[1])
        before = lambda x: jnp.pad(
            x[:, :, :-1], ((0, 0), (0, 0), (1, 0)) + ((0, 0),) * (x.ndim - 3)
        )
        only = lambda x: (
            x if slot is None else jax.lax.dynamic_slice_in_dim(x, slot, 1, 2)
        )
        above = before(notes)
        known = before(jnp.cumsum(self.now(notes), axis=2)) + self.above(above)
        x = (
            self.drop(known, still)
            + self.asked[None, None]
            + self.enter(memory)[:, :, None]
        )
        x = only(x)
        for layer, keys in zip(self.decoder, state.keys[self.layers :], strict=True):
            x = layer(x, keys, at, still)
        x = self.drop(self.norms[1](x), still)
        top = before(jnp.broadcast_to(notes[:, :, :1], notes.shape))
        references = only(jnp.stack([frames, above, top], axis=-1))
        kernels = self.intervals(x).reshape(*references.shape, -1)
        return (self.pitch(x) + spread(kernels, references, self.keys)).astype(
            jnp.float32
        )
