"""MuseGAN: a GAN of multitrack piano rolls (Dong et al. 2018, arXiv:1709.06298).

The generator maps four latents to each bar of each track: shared by all tracks or
private to one, and constant over the bars or one for each bar (the hybrid model,
section 4.3). One critic reads all tracks. Tracks may be conditioning instead of
generated (section 4.4), and both networks may be conditioned on a style: the critic by
a projection (Miyato & Koyama 2018, arXiv:1802.05637). Rolls are binary: by sampling or
a threshold after training, or by binary neurons in training, with a straight-through
gradient (Dong & Yang 2018, arXiv:1804.09399). A monophonic track chooses one pitch or
none.

Axes: n row, t step, k track, p pitch, z latent, y style, d feature.

Deviations: layer normalisation replaces batch normalisation. The critic also reads
onsets and harmony, and also sees real phrases with a wrong style as fakes (Reed et al.
2016, arXiv:1605.05396, section 4.2). Any pairing of losses may be chosen; the paper has
Wasserstein's with a gradient penalty. The networks are in
`zoo.nn.adversarial.pianoroll_gan`.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp

from zoo.core import (
    FOREVER,
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
from zoo.nn.adversarial.losses import GAMES, Critic, Game, collapse_metrics
from zoo.nn.adversarial.pianoroll_gan import Critic as CriticNet
from zoo.nn.adversarial.pianoroll_gan import Generator
from zoo.nn.conditioning import random_styles, style_weights
from zoo.nn.rng import normals, row_indices, row_keys
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Bars, Count, Keys, Length, Range, Weight, Width, checked

STYLE_LOSS = Game("relativistic")
"""The loss of a verdict under the right style against the one under a wrong style."""
NEURONS = ("none", "deterministic", "stochastic", "single")
MIN_WIDTH = 16  # the bar generator divides its width by four, the encoder too


@dataclasses.dataclass(frozen=True)
@checked
class MuseGAN:
    """A GAN of phrases of several tracks.

    Raises:
      UsageError: a size out of range, or an unknown name.
    """

    tracks: tuple[str, ...] = ("soprano", "alto", "tenor", "bass")
    """Names of the tracks."""
    conditioning: tuple[str, ...] = ()
    """Names of the tracks used as conditioning instead of generated."""
    bars: Bars = 2
    """Bars in a phrase."""
    _: dataclasses.KW_ONLY
    steps: Length = 16
    """Steps in a bar, a multiple of 4."""
    pitches: Keys = 48
    """Pitches in a roll, in semitones."""
    styles: tuple[str, ...] = ()
    """Names of the styles; empty to train without."""
    latent: Width = 32
    """Size of each latent."""
    width: Annotated[int, Range(MIN_WIDTH, 2**14)] = 128
    """Channels of the generator at a quarter of the steps, 16 or more."""
    critic_width: Annotated[int, Range(2, 2**14)] = 64
    """Channels of the critic's first layer, 2 or more."""
    critic_steps: Count = 1
    """Steps of the critic for each step of the generator."""
    neurons: str = "deterministic"
    """Binarisation of rolls in training: "none", "deterministic" (a threshold),
    "stochastic" (sampling) or "single" (the likeliest pitch or none)."""
    game: str = "relativistic"
    """Losses of critic and generator, one of `GAMES`."""
    polyphonic: tuple[str, ...] = ()
    """Names of the tracks that may sound several notes at once when `neurons` is
    "single"."""
    r1: Weight = 1.0
    """Weight of the critic's squared gradient at real phrases, for a game without a
    gradient penalty or weight clipping."""

    def __post_init__(self) -> None:
        if self.steps % 4:
            raise UsageError(f"steps is {self.steps}: choose a multiple of 4.")
        if self.game not in GAMES:
            raise UsageError(f"game is {self.game!r}: choose from {', '.join(GAMES)}.")
        if self.neurons not in NEURONS:
            raise UsageError(
                f"neurons is {self.neurons!r}: choose from {', '.join(NEURONS)}."
            )
        for name in (*self.conditioning, *self.polyphonic):
            if name not in self.tracks:
                raise UsageError(
                    f"there is no track {name!r}: choose from {', '.join(self.tracks)}."
                )
        if not self.generated:
            raise UsageError(
                "conditioning has every track: leave one out, to generate."
            )

    @property
    def generated(self) -> tuple[int, ...]:
        """The indices of the generated tracks."""
        names = enumerate(self.tracks)
        return tuple(i for i, name in names if name not in self.conditioning)

    @property
    def monophonic(self) -> Bool[Array, "1 1 k 1"]:
        """True for the generated tracks that sound one pitch at a time."""
        single = self.neurons == "single"
        names = [self.tracks[i] for i in self.generated]
        flags = jnp.array([single and name not in self.polyphonic for name in names])
        return flags[None, None, :, None]

    @property
    def length(self) -> int:
        """The steps of a phrase."""
        return self.bars * self.steps

    @property
    def generator(self) -> Generator:
        """The generator network."""
        return Generator(
            self.bars,
            self.steps,
            self.pitches,
            generated=self.generated,
            conditioning=tuple(self.tracks.index(name) for name in self.conditioning),
            width=self.width,
        )

    @property
    def critic(self) -> CriticNet:
        """The critic network."""
        return CriticNet(self.steps, self.critic_width)

    @property
    def losses(self) -> Game:
        """The losses of both networks, with the critic's regularisation."""
        game = GAMES[self.game]
        if game.penalises_gradient or game.clip:
            return game
        return dataclasses.replace(game, r1=self.r1)

    def example(self, n: int) -> Batch:
        shape = (n, self.length, len(self.tracks), self.pitches)
        on = jnp.arange(math.prod(shape)).reshape(shape) % 7 == 0
        batch = {"tokens": on.astype(jnp.uint8), "mask": jnp.ones(shape[:2], bool)}
        if self.styles:
            batch["style"] = jnp.arange(n) % len(self.styles)
        return batch

    def init(self, rng: Key, batch: Batch) -> Params:
        generator_rng, critic_rng = jax.random.split(rng)
        batch = jax.tree.map(lambda x: x[:1], dict(batch))
        x, style = batch["tokens"], style_weights(batch.get("style"), self.styles)
        z = jnp.zeros((1, *self.latent_shape), jnp.float32)
        return {
            "generator": self.generator.init(generator_rng, z, style, x)["params"],
            "critic": self.critic.init(critic_rng, x, style)["params"],
        }

    def objectives(self) -> Mapping[str, Objective]:
        critic = Objective(
            self.critic_loss, ("critic",), post_update=self.losses.weight_clipping
        )
        when = range(0, FOREVER, self.critic_steps)
        generator = Objective(self.generator_loss, ("generator",), when)
        return {"critic": critic, "generator": generator}

    def critic_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the critic's loss, on generated phrases and on wrong styles."""
        style = style_weights(batch.get("style"), self.styles)
        x = batch["tokens"].astype(jnp.float32)
        x_fake = self.generate(params, rng, x, style)
        critic = self.conditional_critic(params, style)

        # 1. ADVERSARIAL LOSS: D(x) against D(G(z)), with a penalty on D's gradient
        # (Gulrajani et al. 2017, eq. 3, is Wasserstein's)
        penalty_rng = jax.random.fold_in(rng, 1)
        loss, metrics = self.losses.critic_loss(critic, x, x_fake, penalty_rng)

        # 2. STYLE LOSS (Reed et al. 2016, section 4.2): D(x | y) against D(x | wrong y)
        if style is not None:
            wrong = self.conditional_critic(params, jnp.roll(style, 1, axis=1))
            style_loss, by_style = STYLE_LOSS.verdict_loss(critic(x), wrong(x))
            loss += style_loss
            metrics = {**metrics, "style_right": by_style["right"]}

        _, features = self.criticise(params, x, style)
        _, fake_features = self.criticise(params, x_fake, style)
        collapse = collapse_metrics(x_fake > 0.5, features, fake_features)
        return loss, {**metrics, **collapse}

    def generator_loss(
        self, params: Params, batch: Batch, rng: Key, step: Array | None
    ) -> tuple[Array, Metrics]:
        """Returns the generator's loss, and the shares of sounding cells as metrics."""
        style = style_weights(batch.get("style"), self.styles)
        x = batch["tokens"].astype(jnp.float32)
        x_fake = self.generate(params, rng, x, style)
        critic = self.conditional_critic(params, style)
        loss = self.losses.generator_loss(critic, x, x_fake)
        return loss, {"density": x_fake.mean(), "real_density": x.mean()}

    def conditional_critic(
        self, params: Params, style: Float[Array, "n y"] | None
    ) -> Critic:
        """Returns the critic under these styles: rolls [n, t, k, p] -> verdicts [n]."""
        return lambda rolls: self.criticise(params, rolls, style)[0]

    def criticise(
        self,
        params: Params,
        rolls: Num[Array, "n t k p"],
        style: Float[Array, "n y"] | None,
    ) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
        """Returns the critic's verdicts and features."""
        return self.critic.apply({"params": params["critic"]}, rolls, style)

    def verdict(
        self,
        params: Params,
        samples: Num[Array, "n t k p"],
        style: Num[Array, "n ..."] | None = None,
    ) -> Float[Array, " n"]:
        """Returns the critic's verdicts: the higher, the more real a roll looks.

        Args:
          style: the index of each row's style, or the weights of all.
        """
        return self.criticise(params, samples, style_weights(style, self.styles))[0]

    def generate(
        self,
        params: Params,
        rng: Key,
        rolls: Num[Array, "n t all_tracks p"],
        style: Float[Array, "n y"] | None,
    ) -> Num[Array, "n t all_tracks p"]:
        """Returns rolls from random latents, as the critic reads them in training.

        Args:
          rolls: all tracks, of which the conditioning tracks are kept.
        """
        indices = row_indices(rolls)
        logits, u = self.logits(params, rng, indices, rolls=rolls, style=style)
        p = jnp.where(
            self.monophonic, pitch_probabilities(logits), jax.nn.sigmoid(logits)
        )
        if self.neurons != "none":
            on = p > u if self.neurons == "stochastic" else self.likeliest(logits)
            p = p + jax.lax.stop_gradient(on - p)  # the straight-through estimator
        return self.with_conditioning(p, rolls)

    def likeliest(self, logits: Float[Array, "n t k p"]) -> Bool[Array, "n t k p"]:
        """Returns the pitches that are on: likelier than not, in polyphonic tracks.

        In a monophonic track only the likeliest pitch is on, and none if silence is
        likelier.
        """
        best = jax.nn.one_hot(logits.argmax(axis=-1), self.pitches, dtype=bool)
        return (logits > 0) & (best | ~self.monophonic)

    def logits(
        self,
        params: Params,
        rng: Key,
        indices: Int[Array, " n"],
        *,
        rolls: Num[Array, "n t all_tracks p"] | None,
        style: Float[Array, "n y"] | None,
    ) -> tuple[Float[Array, "n t k p"], Float[Array, "n t k p"]]:
        """Returns the logits of generated tracks, and a uniform number for each.

        Both are functions of `rng` and of the row's index.
        """
        keys = row_keys(rng, indices)
        shape = self.latent_shape
        z = normals(keys, shape)
        logits = self.generator.apply({"params": params["generator"]}, z, style, rolls)

        def uniform(key: Key) -> Array:
            return jax.random.uniform(
                jax.random.fold_in(key, 1), logits.shape[1:], jnp.float32
            )

        return logits, jax.vmap(uniform)(keys)

    @property
    def latent_shape(self) -> tuple[int, int]:
        """The number of latents of a phrase, and their size."""
        return 2 + 2 * len(self.generated), self.latent

    def with_conditioning(
        self,
        generated: Num[Array, "n t k p"],
        rolls: Num[Array, "n t all_tracks p"] | None,
    ) -> Num[Array, "n t all_tracks p"]:
        """Returns all tracks: the generated ones, and the others from `rolls`."""
        if rolls is None or not self.conditioning:
            return generated
        tracks = jnp.array(self.generated)
        return rolls.astype(generated.dtype).at[:, :, tracks].set(generated)

    def sample(
        self,
        params: Params,
        rng: Key,
        n: int,
        *,
        length: int | None = None,
        draw: Draw = Draw(),
        style: Num[Array, "n ..."] | None = None,
        tracks: Num[Array, "*n t all_tracks p"] | None = None,
    ) -> Num[Array, "rows t all_tracks p"]:
        """Draws binary rolls, uint8; row i is a function of `rng` and i.

        Args:
          length: steps, which must be those of a phrase.
          draw: how pitches are sampled; at temperature 0 those likelier than not are
          on.
          style: the index of each row's style; by default drawn at random.
          tracks: rolls with the conditioning tracks, of one phrase or one for each row.

        Raises:
          UsageError: another length, or `tracks` without conditioning or vice versa.
        """
        if length not in (None, self.length):
            raise UsageError(
                f"length is {length}, and a phrase has {self.length}: leave it out."
            )
        if self.conditioning and tracks is None:
            names = ", ".join(self.conditioning)
            raise UsageError(f"tracks is missing: pass rolls with {names}.")
        if tracks is not None and not self.conditioning:
            raise UsageError("the model has no conditioning tracks: leave tracks out.")
        if tracks is not None:
            tracks = jnp.broadcast_to(tracks, (n, *tracks.shape[-3:]))
        style = random_styles(rng, n, self.styles) if style is None else style
        weights = style_weights(style, self.styles)
        logits, u = self.logits(params, rng, jnp.arange(n), rolls=tracks, style=weights)
        if self.neurons in ("deterministic", "single") or draw.greedy:
            on = self.likeliest(logits)
        else:
            on = draw(jnp.stack([jnp.zeros_like(logits), logits], axis=-1), u) > 0
        return self.with_conditioning(on.astype(jnp.uint8), tracks)


def pitch_probabilities(logits: Float[Array, "*n p"]) -> Float[Array, "*n p"]:
    """Returns the probability of each pitch of a monophonic track, or of silence."""
    with_silence = jnp.pad(logits, [(0, 0)] * (logits.ndim - 1) + [(0, 1)])
    return jax.nn.softmax(with_silence)[..., :-1]


TINY = MuseGAN(
    tracks=("melody", "bass"),
    steps=4,
    pitches=14,
    styles=("jig", "reel"),
    latent=3,
    width=16,
    critic_width=4,
    critic_steps=2,
    neurons="none",
    game="non-saturating",
    r1=0.0,
)
