"""The networks of `NoteTransformer`, for music in frames of several notes.

Axes: b row, t frame, k slot (note of a frame), p pitch, v token (0 for no note, 1 + p),
d width, i interval, r reference note.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Float, Int, Num
from zoo.nn.rng import Dropout
from zoo.nn.sequence.frame_attention import FrameLayer, KeyValues, update_cache

MAX_AGE = 16  # frames over which the age of a note is counted
INIT = nn.initializers.normal(0.05)


def note_ages(
    recent: Int[Array, "b s k"], frames: int, limit: int
) -> Int[Array, "b t k"]:
    """Returns for how many frames, below `limit`, each note has stayed in its slot.

    Args:
      recent: frames, of which the ages of the last t = `frames` are returned.
    """
    notes = recent[:, -frames:]
    stayed, age = jnp.ones(notes.shape, bool), jnp.zeros(notes.shape, jnp.int32)
    for ago in range(1, limit):
        stayed &= recent[:, -frames - ago : -ago] == notes
        age += stayed.astype(jnp.int32)
    return age


def interval_logits(
    kernels: Float[Array, "*b r i"], references: Int[Array, "*b r"], keys: int
) -> Float[Array, "*b v"]:
    """Returns logits of tokens, from those of intervals -n .. n from references.

    A reference of 0, no note, adds nothing; neither does an interval beyond n.
    """
    size = kernels.shape[-1]
    pitches = jnp.arange(1, keys + 1).reshape((1,) * references.ndim + (keys,))
    interval = pitches - references[..., None] + size // 2
    usable = (interval >= 0) & (interval < size) & (references[..., None] > 0)
    kernels = jnp.pad(kernels, [(0, 0)] * (kernels.ndim - 1) + [(0, 1)])
    index = jnp.where(usable, interval, size)
    logits = jnp.take_along_axis(kernels, index, axis=-1).sum(axis=-2)
    return jnp.pad(logits, [(0, 0)] * (logits.ndim - 1) + [(1, 0)])


def roll_to_notes(rolls: Num[Array, "*b p"], slots: int) -> Int[Array, "*b k"]:
    """Returns the highest notes of each frame of piano rolls, from the top down."""
    pitches = jnp.arange(1, rolls.shape[-1] + 1, dtype=jnp.float32)
    sounding = jnp.where(rolls > 0, jnp.broadcast_to(pitches, rolls.shape), 0.0)
    return jax.lax.top_k(sounding, slots)[0].astype(jnp.int32)


def notes_to_roll(notes: Int[Array, "*b k"], keys: int) -> Num[Array, "*b p"]:
    """Returns the piano rolls, uint8, of notes."""
    return jax.nn.one_hot(notes - 1, keys, dtype=jnp.uint8).max(axis=-2)


class NoteEmbedding(nn.Module):
    """An embedding of notes by slot, by pitch and by pitch class."""

    keys: int
    slots: int
    width: int

    @nn.compact
    def __call__(self, notes: Int[Array, "b t k"]) -> Float[Array, "b t k d"]:
        table = self.param(
            "slot", INIT, (self.slots, self.keys + 1, self.width), jnp.float32
        )
        pitch = self.param("pitch", INIT, (self.keys, self.width), jnp.float32)
        chroma = self.param("class", INIT, (12, self.width), jnp.float32)
        shared = pitch + jnp.tile(chroma, (-(-self.keys // 12), 1))[: self.keys]
        table += jnp.pad(shared, ((1, 0), (0, 0)))[None]
        return jnp.einsum(
            "btkv,kvd->btkd",
            jax.nn.one_hot(notes, self.keys + 1, dtype=jnp.float32),
            table,
        )


class State(NamedTuple):
    """The state of `n` rows before a frame; the first axis of a leaf is the member."""

    at: Array  # int, frames so far
    recent: Array  # int [n, MAX_AGE, k], the last frames, oldest first
    caches: tuple[KeyValues, ...]  # of every layer, the encoder's first
    memory: Array  # [n, 1, d], the encoder's output for the coming frame


class Net(nn.Module):
    """The encoder of frames and the decoder of notes."""

    keys: int
    slots: int
    width: int
    layers: int
    depth: int
    heads: int
    dropout: float
    bar: int
    distances: int
    interval: int

    def setup(self) -> None:
        def layers(count: int, hidden: int) -> list[FrameLayer]:
            sizes = self.width, self.heads, hidden, self.distances
            return [FrameLayer(*sizes, dropout=self.dropout) for _ in range(count)]

        def table(name: str, *shape: int) -> Array:
            return self.param(name, INIT, (*shape, self.width), jnp.float32)

        embedding = lambda: NoteEmbedding(self.keys, self.slots, self.width)
        # the names of parameters are those of earlier checkpoints
        self.encoder = layers(self.layers, 4 * self.width)
        self.decoder = layers(self.depth, 2 * self.width)
        self.last, self.second, self.now, self.above = (embedding() for _ in range(4))
        self.age = table("age", self.slots, MAX_AGE)
        self.slot_query = table("asked", self.slots)
        self.metre, self.opening = table("metre", self.bar), table("opening")
        self.drop, self.enter = Dropout(self.dropout), nn.Dense(self.width)
        self.norms = [nn.RMSNorm() for _ in range(2)]
        self.pitch = nn.Dense(self.keys + 1)
        kernels = 3 * (2 * self.interval + 1)
        self.intervals = nn.Dense(kernels, kernel_init=nn.initializers.zeros)

    def __call__(
        self,
        state: State,
        frames: Int[Array, "b t k"],
        notes: Int[Array, "b t k"],
        *,
        deterministic: bool,
    ) -> tuple[State, Float[Array, "b t k v"]]:
        """Returns the state, and the logits of the notes of each frame.

        Args:
          state: before the first frame.
          frames: the frame before each one.
          notes: the frames themselves.
          deterministic: without dropout.
        """
        state, memory = self.encode(state, frames, deterministic)
        logits = self.decode(state, memory, frames, notes, deterministic=deterministic)
        return state, logits

    def encode(
        self, state: State, frames: Int[Array, "b t k"], deterministic: bool
    ) -> tuple[State, Float[Array, "b t d"]]:
        """Reads frames; returns the state and the encoding for the frame after each."""
        t = frames.shape[1]
        at = state.at + jnp.arange(t)
        recent = jnp.concatenate([state.recent, frames], axis=1)
        x = (self.last(frames) + self.second(recent[:, -t - 1 : -1])).sum(axis=2)
        age = jax.nn.one_hot(note_ages(recent, t, MAX_AGE), MAX_AGE, dtype=jnp.float32)
        x += jnp.einsum("btka,kad->btd", age, self.age)
        x += self.metre[at % self.bar][None]
        x += jnp.where(at[:, None] == 0, self.opening[None], 0.0)[None]
        x = self.drop(x, deterministic)[:, :, None]
        caches = list(state.caches)
        for i, layer in enumerate(self.encoder):
            new = layer.key_values(x[:, :, 0], at)
            caches[i] = update_cache(caches[i], new, state.at)
            x = layer(x, caches[i], at, deterministic)
        memory = self.norms[0](x[:, :, 0])
        for i, layer in enumerate(self.decoder, self.layers):
            caches[i] = update_cache(caches[i], layer.key_values(memory, at), state.at)
        last = memory[:, -1:].astype(jnp.float32)
        return State(state.at + t, recent[:, -MAX_AGE:], tuple(caches), last), memory

    def decode(
        self,
        state: State,
        memory: Float[Array, "b t d"],
        frames: Int[Array, "b t k"],
        notes: Int[Array, "b t k"],
        *,
        deterministic: bool,
        slot: Array | None = None,
    ) -> Float[Array, "b t slots v"]:
        """Returns the logits of notes, conditioned on those before in the frame.

        Args:
          state: after the frames before.
          memory: the encodings for the frames.
          frames: the frame before each one.
          notes: the frames themselves.
          deterministic: without dropout.
          slot: the index of a single note; None for all notes.
        """
        at = state.at - memory.shape[1] + jnp.arange(memory.shape[1])

        def shift(x: Array) -> Array:
            pad = ((0, 0), (0, 0), (1, 0)) + ((0, 0),) * (x.ndim - 3)
            return jnp.pad(x[:, :, :-1], pad)

        def select(x: Array) -> Array:
            return x if slot is None else jax.lax.dynamic_slice_in_dim(x, slot, 1, 2)

        above = shift(notes)
        x = shift(jnp.cumsum(self.now(notes), axis=2)) + self.above(above)
        x = self.drop(x, deterministic) + self.slot_query[None, None]
        x = select(x + self.enter(memory)[:, :, None])
        for layer, cache in zip(self.decoder, state.caches[self.layers :], strict=True):
            x = layer(x, cache, at, deterministic)
        x = self.drop(self.norms[1](x), deterministic)
        top = shift(jnp.broadcast_to(notes[:, :, :1], notes.shape))
        references = select(jnp.stack([frames, above, top], axis=-1))
        kernels = self.intervals(x).reshape(*references.shape, -1)
        logits = self.pitch(x) + interval_logits(kernels, references, self.keys)
        return logits.astype(jnp.float32)
