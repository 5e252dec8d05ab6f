"""MuseGAN: bars of several tracks at once, by a GAN (Dong et al. 2018, arXiv:1709.06298).

Of what a bar of a track is made, some is shared by all tracks and some its own, some stays from bar
to bar and some goes on: four latents, of which a network for each track writes its bars (the hybrid
model, section 4.3). A critic reads all of them together. Told of a style y, the generator is
G(z, y) and the critic D(x, y) by a projection (Miyato & Koyama 2018). Tracks that are given are
heard by the generator, which writes the others (section 4.4). Rolls are on or off: the generator
may say how likely, drawn or held against a half when music is wanted, or decide itself, with a
gradient straight through the decision (Dong & Yang 2018, arXiv:1804.09399). A track may be a single
voice: then its neurons agree on one key or none.
Axes: n row, t step, k track, p pitch, z latent.

Deviations: LayerNorm in place of batch normalisation; the critic hears onsets and harmony besides,
and is shown real phrases called another style as well (Reed et al. 2016, arXiv:1605.05396, section
4.2); any pairing of losses, not Wasserstein's with a slope alone.
"""

import dataclasses
import math
from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import FOREVER, Array, Batch, Key, Metrics, Objective, Params
from zoo.errors import UsageError
from zoo.nn.adversarial.losses import GAMES, Critic, Game, collapse
from zoo.nn.adversarial.pianoroll_gan import Ear, Line, Reader, Writer
from zoo.nn.conditioning import random_styles, style_weights
from zoo.nn.rng import row_indices, row_keys
from zoo.nn.sequence.sampling import Draw

NAMES = Game(
    "relativistic"
)  # whatever the game: which of two names is likelier, in nats
NEURONS = ("none", "deterministic", "stochastic", "single")


class Generator(nn.Module):
    bars: int
    steps: int
    free: tuple[int, ...]
    given: tuple[int, ...]
    pitches: int
    width: int

    @nn.compact
    def __call__(self, z: Array, style: Array | None, rolls: Array | None) -> Array:
        """Latents [n, 2 + 2k, z], of which k are the tracks that are free; shares of styles [n, y];
        and rolls [n, t, k, p] of which those that are given are read -> logits [n, t, k, p]."""
        n, k = len(z), len(self.free)
        every = lambda x: jnp.broadcast_to(x, (n, self.bars, x.shape[-1]))
        shared = [z[:, :1], Line(self.bars, name="line")(z[:, 1])]
        if style is not None:  # no less to be heard than a latent
            born = nn.initializers.normal(1.0)
            told = nn.Dense(
                z.shape[-1], use_bias=False, kernel_init=born, name="style"
            )(style)
            shared += [told[:, None]]
        heard: tuple[Array, ...] = ()
        if self.given and rolls is not None:
            bars = jnp.asarray(rolls, jnp.float32)[
                :, :, jnp.array(self.given)
            ].swapaxes(2, 3)
            bars = bars.reshape(n * self.bars, self.steps, self.pitches, -1)
            heard = Ear(self.width // 4, name="ear")(bars)
        tracks = []
        for i, name in enumerate(self.free):
            own = [
                z[:, 2 + i, None],
                Line(self.bars, name=f"line_{name}")(z[:, 2 + k + i]),
            ]
            told = jnp.concatenate([every(x) for x in shared + own], axis=-1)
            writer = Writer(self.steps, self.pitches, self.width, name=f"writer_{name}")
            bars = writer(told.reshape(n * self.bars, -1), heard)
            tracks.append(bars.reshape(n, -1, self.pitches))
        return jnp.stack(tracks, axis=2)


@dataclasses.dataclass(frozen=True)
class MuseGAN:
    """Sizes, and how it is taught: the critic at every step, the generator at every `every`-th.

    `tracks` are their names, of which `given` ones are not written but gone by. `neurons`: how
    rolls are made binary in training, one of NEURONS; where they are "single", keys of `chords`
    sound together all the same. `game`: one of GAMES, by name; where it does not hold its critic
    back itself, that is charged `r1` for its gradient where phrases are real.

    Raises:
      UsageError: a size out of range, or a name that is unknown.
    """

    tracks: tuple[str, ...] = ("soprano", "alto", "tenor", "bass")
    given: tuple[str, ...] = ()
    bars: int = 2
    steps: int = 16
    pitches: int = 48
    styles: tuple[str, ...] = ()
    latent: int = 32
    width: int = 128
    reader: int = 64
    every: int = 1
    neurons: str = "deterministic"
    game: str = "relativistic"
    chords: tuple[str, ...] = ()
    r1: float = 1.0

    def __post_init__(self) -> None:
        names = ("bars", "pitches", "latent", "every")
        counts = {name: getattr(self, name) for name in names}
        if small := [
            f"{name} is {count}" for name, count in counts.items() if count < 1
        ]:
            raise UsageError(f"{small[0]}: choose 1 or more.")
        if self.steps % 4 or self.steps < 4 or self.width < 16 or self.reader < 2:
            raise UsageError(
                f"steps is {self.steps}, width {self.width} and reader {self.reader}: choose steps "
                "that make up quarters of a bar, a width of 16 or more and a reader of 2 or more."
            )
        chosen = {"game": (self.game, (*GAMES,)), "neurons": (self.neurons, NEURONS)}
        for what, (name, known) in chosen.items():
            if name not in known:
                raise UsageError(f"{what} is {name!r}: choose from {', '.join(known)}.")
        if strange := [x for x in (*self.given, *self.chords) if x not in self.tracks]:
            raise UsageError(
                f"no track is called {strange[0]!r}: there are {', '.join(self.tracks)}."
            )
        if not self.free:
            raise UsageError("every track is given: leave one to be written.")
        Game(r1=self.r1)  # which says what is wrong with it

    @property
    def free(self) -> tuple[int, ...]:
        """The tracks that are written, by place."""
        return tuple(i for i, name in enumerate(self.tracks) if name not in self.given)

    @property
    def alone(self) -> Array:
        """Of which of these one key sounds at a time, bool [1, 1, k, 1]."""
        single = self.neurons == "single"
        named = [single and self.tracks[i] not in self.chords for i in self.free]
        return jnp.array(named)[None, None, :, None]

    @property
    def length(self) -> int:
        """Steps of a phrase."""
        return self.bars * self.steps

    @property
    def writer(self) -> Generator:
        given = tuple(self.tracks.index(name) for name in self.given)
        return Generator(
            self.bars, self.steps, self.free, given, self.pitches, self.width
        )

    @property
    def critic(self) -> Reader:
        return Reader(self.steps, self.reader)

    @property
    def rules(self) -> Game:
        game = GAMES[self.game]
        return (
            game if game.charges or game.clip else dataclasses.replace(game, r1=self.r1)
        )

    def example(self, n: int) -> Batch:
        shape = (n, self.length, len(self.tracks), self.pitches)
        sounds = jnp.arange(math.prod(shape)).reshape(shape) % 7 == 0
        batch = {"tokens": sounds.astype(jnp.uint8), "mask": jnp.ones(shape[:2], bool)}
        return batch | (
            {"style": jnp.arange(n) % len(self.styles)} if self.styles else {}
        )

    def init(self, rng: Key, batch: Batch) -> Params:
        one, two = jax.random.split(rng)
        batch = jax.tree.map(lambda x: x[:1], dict(batch))
        x, style = batch["tokens"], style_weights(batch.get("style"), self.styles)
        z = jnp.zeros((1, 2 + 2 * len(self.free), self.latent))
        return {
            "generator": self.writer.init(one, z, style, x)["params"],
            "critic": self.critic.init(two, x, style)["params"],
        }

    def objectives(self) -> Mapping[str, Objective]:
        return {
            "judge": Objective(self.judge, ("critic",), post_update=self.rules.bounds),
            "write": Objective(
                self.write, ("generator",), range(0, FOREVER, self.every)
            ),
        }

    def judge(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """What the critic descends: to tell the batch from as many phrases of the generator, and,
        of styles, from itself under another name."""
        style, real = (
            style_weights(batch.get("style"), self.styles),
            batch["tokens"].astype(jnp.float32),
        )
        fake = self.neural(params, rng, real, style)
        asked = self.asked(params, style)
        value, metrics = self.rules.critic(
            asked, real, fake, jax.random.fold_in(rng, 1)
        )
        if style is not None:
            amiss = self.asked(params, jnp.roll(style, 1, axis=1))
            unlike, told = NAMES.contest(asked(real), amiss(real))
            value, metrics = value + unlike, {**metrics, "style_right": told["right"]}
        features = [self.read(params, x, style)[1] for x in (real, fake)]
        return value, {**metrics, **collapse(fake > 0.5, *features)}

    def write(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """What the generator descends: that the critic does not believe it."""
        style, real = (
            style_weights(batch.get("style"), self.styles),
            batch["tokens"].astype(jnp.float32),
        )
        fake = self.neural(params, rng, real, style)
        loss = self.rules.generator(self.asked(params, style), real, fake)
        return loss, {"sounding": fake.mean(), "really": real.mean()}

    def asked(self, params: Params, style: Array | None) -> Critic:
        """The critic as the game has it: rolls [n, t, k, p] -> verdicts [n]."""
        return lambda rolls: self.read(params, rolls, style)[0]

    def read(
        self, params: Params, rolls: Array, style: Array | None
    ) -> tuple[Array, Array]:
        """Verdicts [n] on rolls [n, t, k, p] and shares of styles [n, y], and the features that
        they rest on."""
        return self.critic.apply({"params": params["critic"]}, rolls, style)

    def verdict(
        self, params: Params, samples: Array, style: Array | None = None
    ) -> Array:
        """The critic's verdicts [n] on rolls [n, t, k, p]: the higher, the more real they look."""
        return self.read(params, samples, style_weights(style, self.styles))[0]

    def neural(
        self, params: Params, rng: Key, rolls: Array, style: Array | None
    ) -> Array:
        """Rolls [n, t, k, p] as the critic is shown them, from latents; `rolls` has those given."""
        logits, u = self.logits(params, rng, row_indices(rolls), rolls, style)
        p = jnp.where(self.alone, voiced(logits), jax.nn.sigmoid(logits))
        if self.neurons != "none":
            on = p > u if self.neurons == "stochastic" else self.likeliest(logits)
            p = p + jax.lax.stop_gradient(on - p)  # straight through the decision
        return self.filled(p, rolls)

    def likeliest(self, logits: Array) -> Array:
        """The keys that are down in [n, t, k, p]: those likelier than not, or of a voice the
        likeliest, unless silence is."""
        highest = jax.nn.one_hot(logits.argmax(axis=-1), self.pitches, dtype=bool)
        return (logits > 0) & (highest | ~self.alone)

    def logits(
        self,
        params: Params,
        rng: Key,
        numbers: Array,
        rolls: Array | None,
        style: Array | None,
    ) -> tuple[Array, Array]:
        """Logits [n, t, k, p] of the tracks that are written, and a uniform number for each: those
        of a row are a function of `rng` and its number."""
        keys = row_keys(rng, numbers)
        shape = 2 + 2 * len(self.free), self.latent
        z = jax.vmap(lambda key: jax.random.normal(key, shape))(keys)
        logits = self.writer.apply({"params": params["generator"]}, z, style, rolls)
        draw = lambda key: jax.random.uniform(
            jax.random.fold_in(key, 1), logits.shape[1:]
        )
        return logits, jax.vmap(draw)(keys)

    def filled(self, written: Array, rolls: Array | None) -> Array:
        """All tracks [n, t, k, p], of those that are written and of `rolls` that has the others."""
        if rolls is None or not self.given:
            return written
        return rolls.astype(written.dtype).at[:, :, jnp.array(self.free)].set(written)

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        style: Array | None = None,
        tracks: Array | None = None,
    ) -> Array:
        """Rolls uint8 [n, t, k, p], row i a function of `rng` and i.

        Args:
          draw: whether a key sounds; what is likelier, at temperature 0 or if deterministic.
          style: int [n]; of any style, unless told of which.
          tracks: rolls [t, k, p] or [n, t, k, p] that have the tracks that are given.

        Raises:
          UsageError: another length, or no tracks where some are given.
        """
        if length not in (None, self.length):
            raise UsageError(
                f"phrases have {self.length} steps, not {length}: leave length out."
            )
        if (tracks is None) == bool(self.given):
            names = ", ".join(self.given) or "none"
            raise UsageError(
                f"tracks that are given: {names}; give the rolls of those, no others."
            )
        if tracks is not None:
            tracks = jnp.broadcast_to(tracks, (n, *tracks.shape[-3:]))
        style = random_styles(rng, n, self.styles) if style is None else style
        logits, u = self.logits(
            params, rng, jnp.arange(n), tracks, style_weights(style, self.styles)
        )
        if self.neurons in ("deterministic", "single") or draw.greedy:
            sounds = self.likeliest(logits)
        else:
            sounds = draw(jnp.stack([jnp.zeros_like(logits), logits], axis=-1), u) > 0
        return self.filled(sounds.astype(jnp.uint8), tracks)


def voiced(logits: Array) -> Array:
    """How likely each key [.., p] is, of which one is down or none is."""
    return jax.nn.softmax(jnp.pad(logits, [(0, 0)] * (logits.ndim - 1) + [(0, 1)]))[
        ..., :-1
    ]


TINY = MuseGAN(
    tracks=("melody", "bass"),
    steps=4,
    pitches=14,
    styles=("jig", "reel"),
    latent=3,
    width=16,
    reader=4,
    every=2,
    neurons="none",
    game="non-saturating",
    r1=0.0,
)
