"""The latent space of an autoencoder of phrases: encoding, decoding, interpolation.

Axes: n piece, t step, z latent, y style, i step of a path.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Params, PhraseAutoencoder, supports
from zoo.data.codecs.base import Fit, fit_line
from zoo.errors import UsageError, require
from zoo.inference.abilities import is_phrase_prior
from zoo.inference.model import Model
from zoo.inference.shipped import require_able
from zoo.metrics.attributes import ATTRIBUTES, attribute_table
from zoo.nn.latent.variational import Gaussian, slerp
from zoo.nn.sequence.sampling import Draw
from zoo.tasks.base import refusals

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

# a style, shares of several, shares for each piece [n, y], or None for any
Styles = str | Mapping[str, float] | np.ndarray | None

ENCODED_AT_ONCE = 256  # phrases
COOL = Draw(temperature=0.5)
ARC = jax.jit(slerp)


def batched(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yields `rows` in parts, the last filled up, so that few sizes are compiled.

    Their size is a power of two, at most `ENCODED_AT_ONCE`.
    """
    size = min(ENCODED_AT_ONCE, 1 << (len(rows) - 1).bit_length())
    for first in range(0, len(rows), size):
        yield rows.take(range(first, first + size), axis=0, mode="wrap")


@dataclasses.dataclass(frozen=True, eq=False)
class LatentSpace:
    """The latents of a trained autoencoder, and the music at any point of them.

    Attributes:
      model: the autoencoder.
      prior: a model of the latents of single phrases; by default they are taken for
        standard normal. Paths, means and variations are those of its noise.

    Raises:
      UsageError: the model is not an autoencoder of phrases.
    """

    model: Model
    prior: Model | None = None

    def __post_init__(self) -> None:
        require_able(
            supports(self.model.family, PhraseAutoencoder),
            f"{self.model.name} has no latent space of phrases",
            "interpolate",
        )

    @classmethod
    def of(cls, model: Model) -> "LatentSpace":
        """Returns the space of an autoencoder, or that of a prior on its latents.

        Raises:
          UsageError: the model is neither.
        """
        family = model.family
        if not is_phrase_prior(family):
            return cls(model)
        autoencoder = dataclasses.replace(
            model, family=family.vae, params=model.params["vae"]
        )
        return cls(autoencoder, model)

    @property
    def autoencoder(self) -> Any:
        """The family of the model."""
        return self.model.family

    @property
    def size(self) -> int:
        """The number of latents."""
        return self.autoencoder.latent

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that the model is conditioned on."""
        return self.autoencoder.styles

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

    def fit(self, piece: "NoteSequence", adapt: bool = False) -> Fit:
        """Encodes the first phrase of a piece as tokens, with remarks on what was lost.

        With `adapt` a piece that is too short is padded with rests, and one out of
        range is transposed.

        Raises:
          UsageError: the piece does not fit.
        """
        with refusals(self.model.codec):
            return fit_line(
                self.model.codec,
                lambda codec: codec.adapted(piece) if adapt else codec.fit(piece),
            )

    def phrases_of(self, piece: "NoteSequence") -> Fit:
        """Encodes all phrases of a melody as tokens int32 [n, t], with remarks.

        Raises:
          UsageError: the piece does not fit.
        """
        with refusals(self.model.codec):
            return fit_line(self.melody_codec, lambda codec: codec.fit_phrases(piece))

    def encode(
        self,
        pieces: "Sequence[NoteSequence]",
        adapt: bool = False,
        style: Styles = None,
    ) -> np.ndarray:
        """Returns the posterior means float32 [n, z] of the first phrases of pieces.

        A model of styles is conditioned on `style`, or on the likeliest.
        """
        return self.means(np.stack([self.fit(x, adapt).array for x in pieces]), style)

    def means(self, phrases: np.ndarray, style: Styles = None) -> np.ndarray:
        """Returns the posterior means float32 [n, z] of phrases int32 [n, t]."""
        if style is None:
            shares = self.likeliest_style(phrases)
        else:
            shares = self.shares(style, len(phrases))
        means = []
        for part in batched(np.arange(len(phrases))):
            conditions = () if shares is None else (shares[part],)
            posterior = self._encode(self.model.params, phrases[part], *conditions)
            means.append(np.asarray(posterior.mean))
        return np.concatenate(means)[: len(phrases)]

    def decode(
        self,
        z: np.ndarray,
        seed: int = 0,
        draw: Draw = COOL,
        style: Styles = None,
        *,
        best_of: int = 1,
    ) -> "list[NoteSequence]":
        """Decodes points [n, z] as music; piece i depends on the seed, i and its point.

        Of `best_of` pieces drawn at each point the likeliest is kept.
        """
        rows = self.phrases(z, seed, draw, style, best_of=best_of)
        return [self.model.codec.decode(row) for row in rows]

    def reconstruct(
        self,
        pieces: "Sequence[NoteSequence]",
        seed: int = 0,
        draw: Draw = COOL,
        adapt: bool = False,
    ) -> "list[NoteSequence]":
        """Encodes and decodes the first phrases of pieces, by their posterior means."""
        rows = np.stack([self.fit(piece, adapt).array for piece in pieces])
        style = self.likeliest_style(rows)
        return self.decode(self.means(rows, style), seed, draw, style)

    def phrases(
        self,
        z: np.ndarray,
        seed: int = 0,
        draw: Draw = COOL,
        style: Styles = None,
        *,
        best_of: int = 1,
    ) -> np.ndarray:
        """Decodes points [n, z] as tokens int32 [n, t]; see `decode`."""
        require(best_of >= 1, f"best_of is {best_of}: choose 1 or more.")
        shares, points = self.shares(style, len(z)), z
        if best_of > 1:
            points = np.repeat(z, best_of, axis=0)
            shares = None if shares is None else np.repeat(shares, best_of, axis=0)
        rows = np.asarray(
            self._decode(
                self.model.params,
                jax.random.key(seed),
                jnp.asarray(points),
                draw=draw,
                grammar=self.model.sampler.grammar,
                style=shares,
            )
        )
        if best_of == 1:
            return rows
        best = self.bound(rows, shares).reshape(-1, best_of).argmax(axis=1)
        grouped = rows.reshape(len(z), best_of, *rows.shape[1:])
        return grouped[np.arange(len(z)), best]

    def shares(self, style: Styles, n: int) -> np.ndarray | None:
        """Returns the share of each style, float32 [n, y]; equal shares by default.

        None if the model has no styles.

        Raises:
          UsageError: the model has no such style, or shares are negative or all 0.
        """
        if not self.styles:
            require(
                style is None,
                "the model has no styles: leave them out, or load one that has.",
            )
            return None
        if isinstance(style, np.ndarray):
            return style
        if isinstance(style, str):
            shares = {style: 1.0}
        else:
            shares = dict(style or dict.fromkeys(self.styles, 1.0))
        if unknown := [name for name in shares if name not in self.styles]:
            raise UsageError(
                f"there is no style {unknown[0]}: the model has "
                f"{', '.join(self.styles)}."
            )
        weights = np.array([shares.get(x, 0.0) for x in self.styles], np.float32)
        require(
            bool((weights >= 0).all()) and 0 < weights.sum() < np.inf,
            f"the shares of styles are {shares}: none may be negative, nor all 0.",
        )
        return np.tile(weights / weights.sum(), (n, 1))

    def style_log_probs(self, phrases: np.ndarray) -> np.ndarray:
        """Returns log p(y|x), float32 [n, y], of phrases [n, t] under equal priors.

        It follows from the bounds on log p(x|y).
        """
        one_hot = np.eye(len(self.styles), dtype=np.float32)
        bounds = [self.bound(phrases, np.tile(y, (len(phrases), 1))) for y in one_hot]
        return np.asarray(jax.nn.log_softmax(np.stack(bounds, axis=1)))

    def bound(self, phrases: np.ndarray, style: Styles = None) -> np.ndarray:
        """Returns a bound on log p(x|y) of phrases [n, t], nats [n].

        It is the importance-weighted bound of four samples of each posterior.
        """
        shares = self.shares(style, len(phrases))
        bounds = []
        for part in batched(np.arange(len(phrases))):
            conditions = () if shares is None else (shares[part],)
            bound = self._log_prob(self.model.params, phrases[part], *conditions)
            bounds.append(np.asarray(bound))
        return np.concatenate(bounds)[: len(phrases)]

    def likeliest_style(self, phrases: np.ndarray) -> np.ndarray | None:
        """Returns float32 [n, y], 1 for the style in which a phrase is likeliest."""
        if not self.styles:
            return None
        best = self.style_log_probs(phrases).argmax(axis=1)
        return np.eye(len(self.styles), dtype=np.float32)[best]

    def interpolate(
        self,
        one: "NoteSequence",
        other: "NoteSequence",
        n: int = 7,
        adapt: bool = False,
    ) -> np.ndarray:
        """Returns `n` points [n, z] from one piece to another, on a great circle.

        Both ends are included.
        """
        require(
            n >= 2, f"{n} points were requested: a path has at least two, its ends."
        )
        a, b = self.encode([one, other], adapt)
        return self.path(a[None], b[None], np.linspace(0, 1, n))[:, 0]

    def path(self, a: np.ndarray, b: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Returns points [i, n, z] from points `a` [n, z] to `b`, on great circles.

        Args:
          a: the points of share 0.
          b: the points of share 1.
          shares: of the way, [i].
        """
        first, last = self.to_normal(a), self.to_normal(b)
        arc = np.asarray(ARC(first, last, np.asarray(shares, np.float32)))
        points = self.from_normal(arc.reshape(-1, arc.shape[-1]))
        points = points.reshape(len(shares), *a.shape)
        for share, end in ((0, a), (1, b)):  # the flow is inverted but for an error
            points[shares == share] = end
        return points

    def mix(self, z: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        """Returns the weighted mean [z] of points [n, z], at their mean distance from
        0.

        Nearer to 0, where a plain mean lies, there is no music.

        Raises:
          UsageError: there is not one weight for each point, or one is negative, or all
            are 0.
        """
        shares = np.asarray(weights, np.float32)
        require(
            shares.shape == (len(z),)
            and bool((shares >= 0).all())
            and 0 < shares.sum() < np.inf,
            f"the weights are {', '.join(map(str, weights))} for {len(z)} pieces: give "
            "one for each, none negative and not all of them 0.",
        )
        shares /= shares.sum()
        normal = self.to_normal(z)
        mean, radius = shares @ normal, shares @ np.linalg.norm(normal, axis=1)
        mean *= radius / max(float(np.linalg.norm(mean)), 1e-6)
        return self.from_normal(mean[None])[0]

    def vary(self, z: np.ndarray, n: int, amount: float, seed: int = 0) -> np.ndarray:
        """Returns `n` points [n, z] around one [z].

        They lie at the share `amount` of the way to samples of the prior.

        Raises:
          UsageError: `amount` is not within 0 to 1.
        """
        require(
            0 <= amount <= 1,
            f"amount is {amount}: choose from 0 (the same) to 1 (any).",
        )
        others, center = self.drawn(n, seed), z[None].repeat(n, axis=0)
        return self.path(center, others, np.array([amount]))[0]

    def drawn(self, n: int, seed: int = 0) -> np.ndarray:
        """Returns `n` points [n, z] drawn from the prior."""
        size = self.size if self.prior is None else self.prior.family.axes
        normal = jax.random.normal(jax.random.key(seed), (n, size))
        return self.from_normal(np.asarray(normal))

    def to_normal(self, z: np.ndarray) -> np.ndarray:
        """Maps points [n, z] to coordinates [n, c] in which the prior is normal."""
        return self._mapped("to_noise", z)

    def from_normal(self, normal: np.ndarray) -> np.ndarray:
        """Maps coordinates [n, c] in which the prior is normal to points [n, z]."""
        return self._mapped("from_noise", normal)

    def attribute_vectors(self, phrases: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the direction [z] of each of `ATTRIBUTES`, from phrases [n, t].

        At strength 1 it is the difference of posterior means between phrases that
        differ by a standard deviation in that attribute and in no other, by least
        squares. Attributes are correlated (more notes have smaller leaps), so that a
        difference of means, as in Roberts et al. 2018, would move all of them.
        """
        values = attribute_table(phrases, self.melody_codec)
        finite = np.isfinite(values).all(axis=1)
        values, means = values[finite], self.means(phrases[finite])
        std = np.maximum(values.std(axis=0), 1e-9)
        standard = (values - values.mean(axis=0)) / std
        vectors, *_ = np.linalg.lstsq(standard, means - means.mean(axis=0), rcond=None)
        return dict(zip(ATTRIBUTES, vectors.astype(np.float32), strict=True))

    @functools.cached_property
    def _log_prob(self) -> Callable[..., jax.Array]:
        family = dataclasses.replace(self.autoencoder, particles=4)

        def log_prob(params: Params, tokens: jax.Array, *style: jax.Array) -> jax.Array:
            mask = jnp.ones(tokens.shape[:2], bool)
            return family.log_prob(params, tokens, mask, *style)

        return jax.jit(log_prob)

    def _mapped(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Applies a map of the prior to rows [n, ..], a few at once."""
        if name not in self._maps:  # the normal prior needs none
            return np.array(rows, np.float32)
        parts = batched(rows[:, None])
        done = [np.asarray(self._maps[name](part))[:, 0] for part in parts]
        return np.concatenate(done)[: len(rows)]

    @functools.cached_property
    def _maps(self) -> dict[str, Callable[[np.ndarray], jax.Array]]:
        if self.prior is None:
            return {}
        family, params = self.prior.family, self.prior.params
        maps = {"to_noise": family.to_noise, "from_noise": family.from_noise}
        return {name: functools.partial(jax.jit(x), params) for name, x in maps.items()}

    @functools.cached_property
    def _encode(self) -> Callable[..., Gaussian]:
        return jax.jit(self.autoencoder.encode)

    @functools.cached_property
    def _decode(self) -> Callable[..., jax.Array]:
        return jax.jit(self.autoencoder.decode, static_argnames="draw")
