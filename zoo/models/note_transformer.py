"""A Transformer over the notes of music in frames: through time, and within a frame note by note.

After Music Transformer (Huang et al. 2019, arXiv:1809.04281) and RNN-NADE (Boulanger-Lewandowski et
al. 2012, arXiv:1206.6392). An encoder reads whole frames; a decoder asks, for each note of the next
one, given those above it, what the encoder left at every frame so far. Axes: b row, t frame, k slot
(note of a frame), i interval, v token (0 none, 1 + pitch), d width, m member.

A frame is k slots: four voices, or the notes of a piano roll from the top down, after which all
are 0. A roll's slot is drawn among the pitches below the slot before, and 0: so every roll of at
most k notes a frame is one sequence of draws, and the probabilities of all of them sum to one. A
frame of more than k notes has probability 0.

Relative time is rotary positions and a bias by distance. Relative pitch is the last layer's: beside
a logit for each pitch there is one for each interval from the slot's last note and from notes
already known (deviation: in Music Transformer attention is relative in time alone).

`members` networks are trained side by side on the same batches; a note's probability is the mean of
theirs. Each is a distribution over the same notes given the same past, and so is their mean.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from zoo.core import Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.sequence.frame_attention import Keys
from zoo.nn.sequence.note_transformer import SPAN, Net, State, rolls, slots
from zoo.nn.sequence.sampling import Draw, uniforms

CHUNK = 128  # frames scored at a time


@dataclasses.dataclass(frozen=True)
class NoteTransformer:
    """`keys`: pitches; `slots`: voices, or the most notes in a frame of a `roll`; `length`: frames.

    `layers` read frames and `depth` layers ask for notes. `bar` frames make the metre that frames
    are counted by from a row's first; `reach` is as far as distances in time are told apart beside
    rotary positions, and `interval` the widest, in semitones, that has a logit of its own.

    Raises:
      UsageError: a size below 1, a width that heads do not divide into pairs, or a dropout outside
        [0, 1).
    """

    keys: int = 88
    slots: int = 4
    roll: bool = True
    width: int = 128
    layers: int = 3
    depth: int = 2
    heads: int = 4
    dropout: float = 0.3
    members: int = 1
    bar: int = 16
    reach: int = 256
    interval: int = 12
    length: int = 64

    def __post_init__(self) -> None:
        sizes = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        whole = {
            name: size
            for name, size in sizes.items()
            if name not in ("roll", "dropout")
        }
        for name, size in whole.items():
            if size < 1:
                raise UsageError(f"{name} is {size}: choose 1 or more.")
        if self.width % (2 * self.heads) or not 0 <= self.dropout < 1:
            raise UsageError(
                f"width is {self.width}, heads {self.heads} and dropout {self.dropout}: choose a "
                "width that is a multiple of twice the heads, and a dropout from 0 to below 1."
            )

    @property
    def net(self) -> Net:
        sizes = (self.width, self.layers, self.depth, self.heads, self.dropout)
        return Net(self.keys, self.slots, *sizes, self.bar, self.reach, self.interval)

    def example(self, n: int) -> Batch:
        first = jnp.arange(n)[:, None, None] + jnp.arange(self.length)[None, :, None]
        notes = 1 + (first + 2 * jnp.arange(self.slots)[None, None]) % self.keys
        tokens = self.tokens(-jnp.sort(-notes, axis=-1))
        return {"tokens": tokens, "mask": jnp.ones((n, self.length), bool)}

    def init(self, rng: Key, batch: Batch) -> Params:
        notes = self.notes(batch["tokens"][:, :1])
        state = self.blank(len(notes), 1)

        def one(rng: Key):
            return self.net.init(rng, state, notes, notes, True)["params"]

        return {"net": jax.vmap(one)(jax.random.split(rng, self.members))}

    def objectives(self) -> Mapping[str, Objective]:
        return {"fit": Objective(self.loss)}

    def loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Mean negative log-likelihood in nats: of a roll's frames, or of the notes of voices.

        In training the mean of the members' own, at evaluation that of their mixture.
        """
        log_p, hit = self.token_log_probs(
            params, batch["tokens"], None if step is None else rng
        )
        mask = batch["mask"]
        events = mask.sum() * (1 if self.roll else self.slots)
        nll = -jnp.where(mask, log_p, 0.0).sum() / jnp.maximum(events, 1)
        accuracy = (hit * mask).sum() / jnp.maximum(mask.sum(), 1)
        return nll, {"nll": nll, "accuracy": accuracy, "events": events}

    def log_prob(self, params: Params, tokens: Array, mask: Array) -> Array:
        """Log-likelihood [b] in nats of each row's frames in the mask [b, t]."""
        return jnp.where(mask, self.token_log_probs(params, tokens)[0], 0.0).sum(axis=1)

    def token_log_probs(
        self, params: Params, tokens: Array, rng: Key | None = None
    ) -> tuple[Array, Array]:
        """For each frame [b, t]: its log-likelihood, and the share of its notes held likeliest.

        Dropout is on where `rng` is given, and log-likelihoods are means over the members.
        """
        log_p, hit = self.score_notes(params, tokens, rng)
        return log_p.sum(axis=-1), hit.mean(axis=-1)

    def score_notes(
        self, params: Params, tokens: Array, rng: Key | None = None
    ) -> tuple[Array, Array]:
        """As `score`, for each note of a frame given those before it, [b, t, k]."""
        notes = self.notes(tokens)
        n, t, k = notes.shape
        size = t if rng is not None else min(t, CHUNK)
        count = -(-t // size)
        notes = jnp.pad(notes, ((0, 0), (0, count * size - t), (0, 0)))
        frames = jnp.pad(notes[:, :-1], ((0, 0), (1, 0), (0, 0)))
        chunks = jnp.stack([frames, notes]).reshape(2, n, count, size, k)

        def member(one: tuple[Array, Params]) -> tuple[Array, Array]:
            index, net = one
            rngs = None if rng is None else {"dropout": jax.random.fold_in(rng, index)}

            def chunk(state: State, now: Array) -> tuple[State, tuple[Array, Array]]:
                state, logits = self.net.apply(
                    {"params": net}, state, *now, rng is None, rngs=rngs
                )
                return state, self.chosen(logits, now[1])

            start = self.blank(n, count * size)
            return jax.lax.scan(chunk, start, chunks.transpose(2, 0, 1, 3, 4))[1]

        members = jnp.arange(self.members), params["net"]
        log_p, hit = jax.lax.map(member, members)  # [m, count, n, size, k]
        log_p = log_p.mean(axis=0) if rng is not None else mixture(log_p)
        back = lambda x: x.swapaxes(0, 1).reshape(n, -1, k)[:, :t]
        log_p, hit = back(log_p), back(hit.mean(axis=0))
        if self.roll:
            overfull = (tokens > 0).sum(axis=-1, keepdims=True) > self.slots
            log_p = jnp.where(overfull, -jnp.inf, log_p)
        return log_p, hit

    def chosen(self, logits: Array, notes: Array) -> tuple[Array, Array]:
        """Log-likelihoods of notes [b, t, k], and whether they were the likeliest."""
        above = jnp.pad(
            notes[..., :-1], ((0, 0), (0, 0), (1, 0)), constant_values=self.keys + 1
        )
        log_p = self.normal(logits, above)
        chosen = jnp.take_along_axis(log_p, notes[..., None], axis=-1)[..., 0]
        return chosen, (chosen >= log_p.max(axis=-1)).astype(jnp.float32)

    def normal(self, logits: Array, above: Array) -> Array:
        """Log-probabilities [.., v], where in a roll a note lies below the one `above` it [..]."""
        if self.roll:
            notes = jnp.arange(self.keys + 1).reshape((1,) * above.ndim + (-1,))
            logits = jnp.where(
                (notes < above[..., None]) | (notes == 0), logits, -jnp.inf
            )
        return jax.nn.log_softmax(logits)

    def notes(self, tokens: Array) -> Array:
        """The slots int [.., k] of frames: of rolls [.., 88], their notes from the top down."""
        return slots(tokens, self.slots) if self.roll else tokens.astype(jnp.int32)

    def tokens(self, notes: Array) -> Array:
        """Frames as the codec reads them, from their slots: `notes` undone."""
        return rolls(notes, self.keys) if self.roll else notes.astype(jnp.int32)

    def blank(self, n: int, room: int) -> State:
        """One member's state before the first of `room` frames."""
        shape = (n, room, self.heads, self.width // self.heads)
        keys = Keys(jnp.zeros(shape), jnp.zeros(shape))
        recent = jnp.zeros((n, SPAN, self.slots), jnp.int32)
        memory = jnp.zeros((n, 1, self.width))
        return State(jnp.array(0), recent, (keys,) * (self.layers + self.depth), memory)

    def start(self, n: int, room: int | None = None) -> State:
        """The state of `n` rows before the first of `room` frames, `length` unless given."""
        one = self.blank(n, room or self.length)
        return jax.tree.map(
            lambda x: jnp.broadcast_to(x, (self.members, *x.shape)), one
        )

    def step(self, params: Params, state: State, notes: Array) -> State:
        """One streaming step: takes in a frame's notes int [n, k]; before the first, zeros."""

        def one(net: Params, state: State) -> State:
            method = self.net.listen
            return self.net.apply(
                {"params": net}, state, notes[:, None], True, method=method
            )[0]

        return jax.vmap(one)(params["net"], state)

    def ask(self, params: Params, state: State, notes: Array, slot: Array) -> Array:
        """Log-probabilities [n, v] of the note in `slot` of the frame to come, given those before.

        `notes` int [n, k] holds those; what it holds from `slot` on is not looked at.
        """

        def one(net: Params, state: State) -> Array:
            frame = state.recent[:, -1:], notes[:, None]
            asked = (state, state.memory, *frame, True, slot)
            logits = self.net.apply({"params": net}, *asked, method=self.net.ask)[
                :, 0, 0
            ]
            above = jnp.where(
                slot == 0, self.keys + 1, jnp.roll(notes, 1, axis=1)[:, slot]
            )
            return self.normal(logits, above)

        return mixture(jax.vmap(one)(params["net"], state))

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
        """Rolls uint8 [n, length, keys] or voices int32 [n, length, k], one note after the other.

        `primer` holds the frames that rows begin with, [p, ..] or [n, p, ..].
        """
        length = length or self.length
        forced = jnp.zeros((n, 0, self.slots), jnp.int32)
        if primer is not None:
            given = self.notes(jnp.asarray(primer))
            forced = jnp.broadcast_to(given, (n, *given.shape[-2:]))[:, :length]
        p = forced.shape[1]
        forced = jnp.pad(forced, ((0, 0), (0, length - p), (0, 0))).swapaxes(0, 1)
        u = uniforms(rng, n, length * self.slots).reshape(length, self.slots, n)

        def frame(now: tuple[State, Array], inputs: tuple[Array, Array, Array]):
            t, u, forced = inputs
            state = self.step(params, *now)

            def note(slot: Array, notes: Array) -> Array:
                drawn = draw(self.ask(params, state, notes, slot), u[slot])
                return notes.at[:, slot].set(drawn)

            notes = jax.lax.fori_loop(0, self.slots, note, jnp.zeros_like(forced))
            notes = jnp.where(t < p, forced, notes)
            return (state, notes), notes

        begin = self.start(n, length), jnp.zeros((n, self.slots), jnp.int32)
        _, rows = jax.lax.scan(frame, begin, (jnp.arange(length), u, forced))
        return self.tokens(rows.swapaxes(0, 1))


def mixture(log_p: Array) -> Array:
    """The log of the mean probability over the first axis."""
    return jax.nn.logsumexp(log_p, axis=0) - jnp.log(float(len(log_p)))


TINY = NoteTransformer(
    keys=4, slots=2, width=4, layers=1, depth=1, heads=1, dropout=0.0, bar=2, reach=3, length=4,
    interval=1,
)  # fmt: skip
