"""A Transformer over notes: through time, and within a frame note by note.

After Music Transformer (Huang et al. 2019, arXiv:1809.04281) and RNN-NADE (Boulanger-
Lewandowski et al. 2012, arXiv:1206.6392). An encoder reads whole frames. A decoder
predicts each note of the next frame, conditioned on the notes above it, and attends to
the encoder's output at every frame so far. Axes: b row, t frame, k slot (note of a
frame), p pitch, v token (0 for no note, 1 + pitch), d width, m member.

A frame is k slots: four voices, or the notes of a piano roll from the top down,
followed by zeros. A note of a roll is lower than the one in the slot before, or 0, so
that a roll of at most k notes per frame is exactly one sequence of notes, and the
probabilities of all rolls sum to one. A frame of more than k notes has probability 0.

Time is relative: rotary positions, and a bias by distance. Pitch is relative in the
last layer, which has a logit for each interval from the slot's last note and from notes
already known, besides one for each pitch (deviation: in Music Transformer, attention is
relative in time alone). `members` networks are trained side by side on the same
batches; a note's probability is the mean of theirs.
"""

import dataclasses
from collections.abc import Mapping

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
from zoo.nn.masked import at_least_one, masked_mean
from zoo.nn.rng import uniforms
from zoo.nn.sequence.frame_attention import KeyValues
from zoo.nn.sequence.note_transformer import (
    MAX_AGE,
    Net,
    State,
    notes_to_roll,
    roll_to_notes,
)
from zoo.nn.sequence.sampling import Draw, primed_frames
from zoo.ranges import Count, DropoutRate, Heads, Keys, Layers, Length, Width, checked

CHUNK = 128  # frames evaluated at a time


@dataclasses.dataclass(frozen=True)
@checked
class NoteTransformer:
    """Configuration of the Transformer over notes.

    Raises:
      UsageError: a size below 1, a width that is no multiple of twice the heads, or a
        dropout outside [0, 1).
    """

    keys: Keys = 88
    """Number of pitches."""
    slots: Keys = 4
    """Voices, or the most notes in a frame of a piano roll."""
    roll: bool = True
    """Read and write piano rolls; otherwise voices."""
    _: dataclasses.KW_ONLY
    width: Width = 128
    """Width of the residual stream."""
    layers: Layers = 3
    """Layers of the encoder, over frames."""
    depth: Layers = 2
    """Layers of the decoder, over the notes of a frame."""
    heads: Heads = 4
    """Attention heads of each layer."""
    dropout: DropoutRate = 0.3
    """Rate of dropout."""
    members: Count = 1
    """Networks in the ensemble."""
    bar: Length = 16
    """Frames in a bar; the place in the bar is an input."""
    distances: Count = 256
    """Distances in frames with an attention bias of their own."""
    interval: Keys = 12
    """Widest interval, in semitones, with a logit of its own."""
    length: Length = 64
    """Frames in a sample."""

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise UsageError(
                f"`width` is {self.width} for {self.heads} heads: choose a multiple of "
                f"{2 * self.heads}."
            )
        if self.roll and self.slots > self.keys:
            raise UsageError(
                f"`slots` is {self.slots} and `keys` is {self.keys}: choose as many "
                "slots as keys, or fewer."
            )

    @property
    def net(self) -> Net:
        return Net(
            keys=self.keys,
            slots=self.slots,
            width=self.width,
            layers=self.layers,
            depth=self.depth,
            heads=self.heads,
            dropout=self.dropout,
            bar=self.bar,
            distances=self.distances,
            interval=self.interval,
        )

    def example(self, n: int) -> Batch:
        """Returns a batch of `n` rows of frames."""
        first = jnp.arange(n)[:, None, None] + jnp.arange(self.length)[None, :, None]
        notes = 1 + (first + 2 * jnp.arange(self.slots)[None, None]) % self.keys
        tokens = self.tokens(-jnp.sort(-notes, axis=-1))
        return {"tokens": tokens, "mask": jnp.ones((n, self.length), bool)}

    def init(self, rng: Key, batch: Batch) -> Params:
        """Initialises the parameters of every member."""
        notes = self.notes(batch["tokens"][:, :1])
        state = self.member_start(len(notes), 1)

        def member(rng: Key) -> Params:
            return self.net.init(rng, state, notes, notes, deterministic=True)["params"]

        return {"net": jax.vmap(member)(jax.random.split(rng, self.members))}

    def objectives(self) -> Mapping[str, Objective]:
        """Returns the objective: maximum likelihood."""
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the mean negative log-likelihood, in nats.

        It is a mean over the frames of rolls, or over the notes of voices.

        In training it is the mean of the members' own, at evaluation the mixture's.
        """
        dropout, mask = None if step is None else rng, batch["mask"]
        log_p, correct = self.token_log_probs(params, batch["tokens"], dropout)
        events = mask.sum() * (1 if self.roll else self.slots)
        nll = -jnp.where(mask, log_p, 0.0).sum() / at_least_one(events)
        accuracy = masked_mean(correct, mask)
        return nll, {"nll": nll, "accuracy": accuracy, "events": events}

    def log_prob(
        self, params: Params, tokens: Num[Array, "b t k"], mask: Bool[Array, "b t"]
    ) -> Float[Array, " b"]:
        """Returns the log-likelihood of each row's masked frames, in nats."""
        return jnp.where(mask, self.token_log_probs(params, tokens)[0], 0.0).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Num[Array, "b t k"], rng: Key | None = None
    ) -> tuple[Float[Array, "b t"], Float[Array, "b t"]]:
        """Returns each frame's log-likelihood, and the share of its notes predicted.

        Args:
          params: of the networks.
          tokens: piano rolls or voices.
          rng: the key of dropout, with which the log-likelihoods are means over the
            members; None for no dropout, and those of the mixture.
        """
        log_p, correct = self.note_log_probs(params, tokens, rng)
        return log_p.sum(axis=-1), correct.mean(axis=-1)

    def note_log_probs(
        self, params: Params, tokens: Num[Array, "b t p"], rng: Key | None = None
    ) -> tuple[Float[Array, "b t k"], Float[Array, "b t k"]]:
        """Returns `token_log_probs` of each note, conditioned on those before it."""
        notes = self.notes(tokens)
        n, t, k = notes.shape
        size = t if rng is not None else min(t, CHUNK)
        count = -(-t // size)
        notes = jnp.pad(notes, ((0, 0), (0, count * size - t), (0, 0)))
        frames = jnp.pad(notes[:, :-1], ((0, 0), (1, 0), (0, 0)))
        chunks = jnp.stack([frames, notes]).reshape(2, n, count, size, k)

        def member(inputs: tuple[Array, Params]) -> tuple[Array, Array]:
            index, net = inputs
            rngs = None if rng is None else {"dropout": jax.random.fold_in(rng, index)}

            def chunk(state: State, pair: Array) -> tuple[State, tuple[Array, Array]]:
                state, logits = self.net.apply(
                    {"params": net}, state, *pair, deterministic=rng is None, rngs=rngs
                )
                return state, self.pick_notes(logits, pair[1])

            start = self.member_start(n, count * size)
            return jax.lax.scan(chunk, start, chunks.transpose(2, 0, 1, 3, 4))[1]

        members = jnp.arange(self.members), params["net"]
        log_p, correct = jax.lax.map(member, members)  # [m, count, n, size, k]
        log_p = log_p.mean(axis=0) if rng is not None else mixture_log_prob(log_p)
        merge_chunks = lambda x: x.swapaxes(0, 1).reshape(n, -1, k)[:, :t]
        log_p, correct = merge_chunks(log_p), merge_chunks(correct.mean(axis=0))
        if self.roll:
            overfull = (tokens > 0).sum(axis=-1, keepdims=True) > self.slots
            log_p = jnp.where(overfull, -jnp.inf, log_p)
        return log_p, correct

    def pick_notes(
        self, logits: Float[Array, "b t k v"], notes: Int[Array, "b t k"]
    ) -> tuple[Float[Array, "b t k"], Float[Array, "b t k"]]:
        """Returns the log-likelihoods of notes, and whether each was most likely."""
        pad, top = ((0, 0), (0, 0), (1, 0)), self.keys + 1
        above = jnp.pad(notes[..., :-1], pad, constant_values=top)
        log_p = self.normalise(logits, above)
        chosen = jnp.take_along_axis(log_p, notes[..., None], axis=-1)[..., 0]
        return chosen, (chosen >= log_p.max(axis=-1)).astype(jnp.float32)

    def normalise(
        self, logits: Float[Array, "*b v"], above: Int[Array, "*b"]
    ) -> Float[Array, "*b v"]:
        """Returns log-probabilities; in a roll, only of notes below the one `above`."""
        if self.roll:
            notes = jnp.arange(self.keys + 1).reshape((1,) * above.ndim + (-1,))
            legal = (notes < above[..., None]) | (notes == 0)
            logits = jnp.where(legal, logits, -jnp.inf)
        return jax.nn.log_softmax(logits)

    def notes(self, tokens: Num[Array, "*b p"]) -> Int[Array, "*b k"]:
        """Returns the slots of frames: notes of a roll from the top down, or voices."""
        if self.roll:
            return roll_to_notes(tokens, self.slots)
        return tokens.astype(jnp.int32)

    def tokens(self, notes: Int[Array, "*b k"]) -> Num[Array, "*b p"]:
        """Returns frames as the codec reads them: inverts `notes`."""
        return notes_to_roll(notes, self.keys) if self.roll else notes.astype(jnp.int32)

    def member_start(self, n: int, frames: int) -> State:
        """Returns the state of one member, with caches for that many frames."""
        shape = (n, frames, self.heads, self.width // self.heads)
        cache = KeyValues(jnp.zeros(shape, jnp.float32), jnp.zeros(shape, jnp.float32))
        caches = (cache,) * (self.layers + self.depth)
        recent = jnp.zeros((n, MAX_AGE, self.slots), jnp.int32)
        return State(
            jnp.array(0), recent, caches, jnp.zeros((n, 1, self.width), jnp.float32)
        )

    def start(self, n: int, frames: int | None = None) -> State:
        """Returns the state of `n` rows before their first frame.

        Args:
          n: number of rows.
          frames: the most frames that the rows will have; `length` if None.
        """
        state = self.member_start(n, frames or self.length)
        broadcast = lambda x: jnp.broadcast_to(x, (self.members, *x.shape))
        return jax.tree.map(broadcast, state)

    def step(self, params: Params, state: State, notes: Int[Array, "n k"]) -> State:
        """Reads a frame of each row; before the first frame, pass zeros."""

        def member(net: Params, state: State) -> State:
            inputs = state, notes[:, None], True
            return self.net.apply({"params": net}, *inputs, method="encode")[0]

        return jax.vmap(member)(params["net"], state)

    def note_step(
        self, params: Params, state: State, notes: Int[Array, "n k"], slot: Array
    ) -> Float[Array, "n v"]:
        """Returns the log-probabilities of one note of the coming frame.

        Args:
          params: of the networks.
          state: before the frame.
          notes: of the frame; those from `slot` on are ignored.
          slot: int, the index of the note.
        """
        roof = self.keys + 1
        above = jnp.where(slot == 0, roof, jnp.roll(notes, 1, axis=1)[:, slot])

        def member(net: Params, state: State) -> Array:
            frames = state.recent[:, -1:], notes[:, None]
            inputs = state, state.memory, *frames
            logits = self.net.apply(
                {"params": net},
                *inputs,
                deterministic=True,
                slot=slot,
                method="decode",
            )
            return self.normalise(logits[:, 0, 0], above)

        return mixture_log_prob(jax.vmap(member)(params["net"], state))

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
        """Samples rolls uint8 [n, t, p], or voices int32 [n, t, k], note by note.

        Args:
          params: of the networks.
          rng: row i is a function of `rng` and i, whatever `n` and `length`.
          n: number of rows.
          length: t, number of frames.
          draw: how notes are sampled.
          primer: the first frames of the rows, [p, ..] or [n, p, ..].
        """
        length = length or self.length
        primer = None if primer is None else self.notes(jnp.asarray(primer))
        forced, primed = primed_frames(primer, n, length, self.slots)
        u = uniforms(rng, n, length * self.slots).reshape(length, self.slots, n)

        def next_frame(loop: tuple[State, Array], inputs: tuple[Array, Array, Array]):
            t, u, forced = inputs
            state = self.step(params, *loop)

            def next_note(slot: Array, notes: Array) -> Array:
                log_p = self.note_step(params, state, notes, slot)
                return notes.at[:, slot].set(draw(log_p, u[slot]))

            blank = jnp.zeros_like(forced)
            notes = jax.lax.fori_loop(0, self.slots, next_note, blank)
            notes = jnp.where(t < primed, forced, notes)
            return (state, notes), notes

        begin = self.start(n, length), jnp.zeros((n, self.slots), jnp.int32)
        inputs = jnp.arange(length), u, forced
        _, rows = jax.lax.scan(next_frame, begin, inputs)
        return self.tokens(rows.swapaxes(0, 1))


def mixture_log_prob(log_p: Float[Array, "m ..."]) -> Float[Array, "..."]:
    """Returns the log of the mean probability over the members."""
    return jax.nn.logsumexp(log_p, axis=0) - jnp.log(float(len(log_p)))


TINY = NoteTransformer(
    keys=4,
    slots=2,
    width=4,
    layers=1,
    depth=1,
    heads=1,
    dropout=0.0,
    bar=2,
    distances=3,
    interval=1,
    length=4,
)
