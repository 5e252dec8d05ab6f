"""What can be done with a model that has latents: take music apart, put it together, go between.

Axes: n pieces, z latent, i step of a path.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Params, PhraseAutoencoder, supports
from zoo.data.codecs import Fit
from zoo.data.refusal import Refused
from zoo.errors import UsageError, require
from zoo.inference.model import Model
from zoo.metrics.attributes import ATTRIBUTES, table
from zoo.nn.latent.variational import Gaussian, slerp
from zoo.nn.sequence.sampling import Draw

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


Styles = (
    str | Mapping[str, float] | np.ndarray | None
)  # one, shares of several, [n, y], or any

ENCODED_AT_ONCE = 256  # phrases


def batched(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """`rows` by so many, the last of which are filled up with the first."""
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        yield np.concatenate([part, rows[: size - len(part)]]) if first else part


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What a codec refuses is what was asked for."""
    try:
        yield
    except Refused as refused:
        raise UsageError(
            f"the piece is no phrase of this model: {refused}"
        ) from refused


@dataclasses.dataclass(frozen=True, eq=False)
class LatentSpace:
    """The latents of a trained model, and the music at any point of them.

    Raises:
      UsageError: the model has none.
    """

    model: Model

    def __post_init__(self) -> None:
        name = type(self.model.family).__name__
        require(
            supports(self.model.family, PhraseAutoencoder),
            f"{name} has no latent space: load a model that has one, such as a MusicVAE.",
        )

    def fit(self, piece: "NoteSequence", adapt: bool = False) -> Fit:
        """The first phrase of a piece as tokens, and what was done to make it one.

        With `adapt` a piece that is too short is filled with rests, and one out of range moved.

        Raises:
          UsageError: it does not fit, in a sentence that says what would.
        """
        codec = self.model.codec
        with refusals():
            return codec.adapted(piece) if adapt else codec.fit(piece)

    def whole(self, piece: "NoteSequence") -> np.ndarray:
        """All of a melody as tokens int32 [n, t], phrase after phrase. Raises as `fit` does."""
        with refusals():
            return self.melody_codec.phrases(piece)

    def encode(
        self,
        pieces: "Sequence[NoteSequence]",
        adapt: bool = False,
        style: Styles = None,
    ) -> np.ndarray:
        """Where pieces are: the means of their posteriors, float32 [n, z].

        A model of styles is told that they are of `style`, or of the one that `guess` holds.
        """
        return self.means(
            np.stack([self.fit(piece, adapt).array for piece in pieces]), style
        )

    def means(self, phrases: np.ndarray, style: Styles = None) -> np.ndarray:
        """`encode` of tokens int32 [n, t]."""
        shares = (
            self.guess(phrases) if style is None else self.shares(style, len(phrases))
        )
        found = []
        for part in batched(np.arange(len(phrases)), ENCODED_AT_ONCE):
            given = () if shares is None else (shares[part],)
            found.append(
                np.asarray(self._encode(self.model.params, phrases[part], *given).mean)
            )
        return np.concatenate(found)[: len(phrases)]

    def decode(
        self,
        z: np.ndarray,
        seed: int = 0,
        draw: Draw = Draw(temperature=0.5),
        style: Styles = None,
        best_of: int = 1,
    ) -> "list[NoteSequence]":
        """The music at points [n, z]: piece i is a function of the seed, i and its point.

        Of `best_of` drawn at each point the one that the model holds likeliest is kept.
        """
        rows = self.phrases(z, seed, draw, style, best_of)
        return [self.model.codec.decode(row) for row in rows]

    def reconstruct(
        self,
        pieces: "Sequence[NoteSequence]",
        seed: int = 0,
        draw: Draw = Draw(temperature=0.5),
        adapt: bool = False,
    ) -> "list[NoteSequence]":
        """What comes back of the first phrases of pieces, from the means of their posteriors."""
        rows = np.stack([self.fit(piece, adapt).array for piece in pieces])
        style = self.guess(rows)
        return self.decode(self.means(rows, style), seed, draw, style)

    def phrases(
        self,
        z: np.ndarray,
        seed: int = 0,
        draw: Draw = Draw(temperature=0.5),
        style: Styles = None,
        best_of: int = 1,
    ) -> np.ndarray:
        """`decode` as tokens int32 [n, t]."""
        require(best_of >= 1, f"the best of {best_of} is asked for: ask for 1 or more.")
        grammar, shares, several = (
            self.model.sampler.grammar,
            self.shares(style, len(z)),
            z,
        )
        if best_of > 1:
            several = np.repeat(z, best_of, axis=0)
            shares = None if shares is None else np.repeat(shares, best_of, axis=0)
        options = {"draw": draw, "grammar": grammar, "style": shares}
        points = jnp.asarray(several)
        rows = np.asarray(
            self._decode(self.model.params, jax.random.key(seed), points, **options)
        )
        if best_of == 1:
            return rows
        best = self.bound(rows, shares).reshape(-1, best_of).argmax(axis=1)
        return rows.reshape(len(z), best_of, *rows.shape[1:])[np.arange(len(z)), best]

    def shares(self, style: Styles, n: int) -> np.ndarray | None:
        """float32 [n, y]: so much of each style; all alike without one, None where there are none.

        Raises:
          UsageError: a style the model does not know, or shares that are none.
        """
        known = self.styles
        if not known:
            require(
                style is None,
                "the model knows no styles: leave them out, or train one that does.",
            )
            return None
        if isinstance(style, np.ndarray):
            return style
        asked = (
            {style: 1.0}
            if isinstance(style, str)
            else style or dict.fromkeys(known, 1.0)
        )
        if unknown := [name for name in asked if name not in known]:
            raise UsageError(
                f"there is no style {unknown[0]}: the model knows {', '.join(known)}."
            )
        weights = np.array([asked.get(name, 0.0) for name in known], np.float32)
        require(
            bool((weights >= 0).all()) and 0 < weights.sum() < np.inf,
            f"the shares of styles are {dict(asked)}: none may be negative, nor all of them 0.",
        )
        return np.tile(weights / weights.sum(), (n, 1))

    @property
    def size(self) -> int:
        """Latents of a point."""
        return self.autoencoder.latent

    @property
    def melody_codec(self) -> Any:
        """The codec, if the space is one of melodies.

        Raises:
          UsageError: it is not.
        """
        codec = self.model.codec
        require(
            codec.monophonic,
            "this needs melodies: load a MusicVAE of the phrase codec.",
        )
        return codec

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that the model knows."""
        return self.autoencoder.styles

    def held(self, phrases: np.ndarray) -> np.ndarray:
        """log p(y|x), float32 [n, y]: how likely `phrases` [n, t] are to be of each style.

        By the bounds on log p(x|y), as if all styles were as frequent.
        """
        one = np.eye(len(self.styles), dtype=np.float32)
        each = [self.bound(phrases, np.tile(y, (len(phrases), 1))) for y in one]
        return np.asarray(jax.nn.log_softmax(np.stack(each, axis=1)))

    def bound(self, phrases: np.ndarray, style: Styles = None) -> np.ndarray:
        """A bound on log p(x|y) of phrases [n, t], nats [n], by four samples of each posterior."""
        shares = self.shares(style, len(phrases))
        few = 1 << (len(phrases) - 1).bit_length()
        found = []
        for part in batched(np.arange(len(phrases)), min(ENCODED_AT_ONCE, few)):
            given = () if shares is None else (shares[part],)
            found.append(
                np.asarray(self._score(self.model.params, phrases[part], *given))
            )
        return np.concatenate(found)[: len(phrases)]

    def guess(self, phrases: np.ndarray) -> np.ndarray | None:
        """float32 [n, y]: 1 for the style under which each of `phrases` [n, t] is likeliest."""
        if not self.styles:
            return None
        return np.eye(len(self.styles), dtype=np.float32)[
            self.held(phrases).argmax(axis=1)
        ]

    def interpolate(
        self,
        one: "NoteSequence",
        other: "NoteSequence",
        n: int = 7,
        adapt: bool = False,
    ) -> np.ndarray:
        """`n` points from one piece to the other, both included, [n, z], along the sphere."""
        require(
            n >= 2, f"{n} points were asked for: a path has at least two, its ends."
        )
        a, b = self.encode([one, other], adapt)
        return np.asarray(slerp(jnp.asarray(a), jnp.asarray(b), jnp.linspace(0, 1, n)))

    def mix(self, z: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        """The point [z] between points [n, z], of `weights` that are made to sum to 1.

        As far from 0 as they are on average: a plain mean would lie nearer, where no music is.

        Raises:
          UsageError: a weight for each point is missing, one is negative, or all are 0.
        """
        share = np.asarray(weights, np.float32)
        require(
            share.shape == (len(z),)
            and bool((share >= 0).all())
            and 0 < share.sum() < np.inf,
            f"the weights are {', '.join(map(str, weights))} for {len(z)} pieces: give one for "
            "each, none negative and not all of them 0.",
        )
        share /= share.sum()
        mean, radius = share @ z, share @ np.linalg.norm(z, axis=1)
        return mean * radius / max(float(np.linalg.norm(mean)), 1e-6)

    def vary(self, z: np.ndarray, n: int, amount: float, seed: int = 0) -> np.ndarray:
        """`n` points [n, z] about one [z]: `amount` of the way, 0 to 1, to points of the prior.

        Raises:
          UsageError: another amount.
        """
        require(
            0 <= amount <= 1,
            f"the amount is {amount}: choose from 0 (the same) to 1 (any).",
        )
        others = jax.random.normal(jax.random.key(seed), (n, len(z)))
        here = jnp.broadcast_to(jnp.asarray(z), others.shape)
        return np.asarray(slerp(here, others, jnp.array([amount]))[0])

    def attribute_vectors(self, phrases: np.ndarray) -> dict[str, np.ndarray]:
        """For each of `ATTRIBUTES` the way [z] to more of it, from phrases [n, t] that have it all.

        At strength 1 it is how far posterior means lie apart where phrases differ by a standard
        deviation in that attribute and in no other: by least squares, since attributes go together
        (what has more notes has smaller leaps), and a mere difference of means, as in Roberts et
        al. 2018, would move all of them.
        """
        values = table(phrases, self.melody_codec)
        known = np.isfinite(values).all(axis=1)
        values, means = values[known], self.means(phrases[known])
        spread = np.maximum(values.std(axis=0), 1e-9)
        standard = (values - values.mean(axis=0)) / spread
        ways, *_ = np.linalg.lstsq(standard, means - means.mean(axis=0), rcond=None)
        return dict(zip(ATTRIBUTES, ways.astype(np.float32), strict=True))

    @property
    def autoencoder(self) -> Any:
        """The family of the model."""
        return self.model.family

    @functools.cached_property
    def _score(self) -> Callable[..., jax.Array]:
        family = dataclasses.replace(self.autoencoder, particles=4)

        def score(params: Params, tokens: jax.Array, *style: jax.Array) -> jax.Array:
            return family.log_prob(
                params, tokens, jnp.ones(tokens.shape[:2], bool), *style
            )

        return jax.jit(score)

    @functools.cached_property
    def _encode(self) -> Callable[..., Gaussian]:
        return jax.jit(self.model.sampler.family.encode)

    @functools.cached_property
    def _decode(self) -> Callable[..., jax.Array]:
        return jax.jit(self.model.sampler.family.decode, static_argnames="draw")
