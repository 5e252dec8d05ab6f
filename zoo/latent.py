"""What can be done with a model that has latents: take music apart, put it together, go between.

Axes: n pieces, z latent, i step of a path.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Batch, Key, Params
from zoo.data.codecs import Fit, Phrase
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.measure.attributes import ATTRIBUTES
from zoo.models import MusicVAE
from zoo.nn.decode import Draw
from zoo.nn.variational import Gaussian, active, divergence, marginal, slerp
from zoo.sampling import demand
from zoo.trained import Trained

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


MANY = 256  # phrases that are encoded at a time


def batched(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """`rows` by so many, the last of which are filled up with the first."""
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        yield np.concatenate([part, rows[: size - len(part)]]) if first else part


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """The latents of a trained model, and the music at any point of them.

    Raises:
      UsageError: the model has none.
    """

    model: Trained

    def __post_init__(self) -> None:
        name = type(self.model.family).__name__
        demand(
            isinstance(self.model.family, MusicVAE),
            f"{name} has no latent space: load a model that has one, such as a MusicVAE.",
        )

    def fit(self, piece: "NoteSequence", adapt: bool = False) -> Fit:
        """The first phrase of a piece as tokens, and what was done to make it one.

        With `adapt` a piece that is too short is filled with rests, and one out of range moved.

        Raises:
          UsageError: it does not fit, in a sentence that says what would.
        """
        codec = self.model.codec
        assert isinstance(codec, Phrase)
        try:
            return codec.adapted(piece) if adapt else codec.fit(piece)
        except Refused as refused:
            raise UsageError(f"the piece is no phrase of this model: {refused}") from refused

    def encode(self, pieces: "Sequence[NoteSequence]", adapt: bool = False) -> np.ndarray:
        """Where pieces are: the means of their posteriors, float32 [n, z]."""
        tokens = np.stack([self.fit(piece, adapt).array for piece in pieces])
        return np.asarray(self._encode(self.model.params, tokens).mean)

    def decode(
        self, z: np.ndarray, seed: int = 0, draw: Draw = Draw(temperature=0.5)
    ) -> "list[NoteSequence]":
        """The music at points [n, z]: piece i is a function of the seed, i and its point."""
        grammar = self.model.sampler.grammar
        options = {"draw": draw, "grammar": grammar}
        rows = self._decode(self.model.params, jax.random.key(seed), jnp.asarray(z), **options)
        return [self.model.codec.decode(row) for row in np.asarray(rows)]

    def interpolate(
        self, one: "NoteSequence", other: "NoteSequence", n: int = 7, adapt: bool = False
    ) -> np.ndarray:
        """`n` points from one piece to the other, both included, [n, z], along the sphere."""
        demand(n >= 2, f"{n} points were asked for: a path has at least two, its ends.")
        a, b = self.encode([one, other], adapt)
        return np.asarray(slerp(jnp.asarray(a), jnp.asarray(b), jnp.linspace(0, 1, n)))

    def mix(self, z: np.ndarray, weights: Sequence[float]) -> np.ndarray:
        """The point [z] between points [n, z], of `weights` that are made to sum to 1.

        As far from 0 as they are on average: a plain mean would lie nearer, where no music is.

        Raises:
          UsageError: a weight for each point is missing, one is negative, or all are 0.
        """
        share = np.asarray(weights, np.float32)
        demand(
            share.shape == (len(z),) and bool((share >= 0).all()) and 0 < share.sum() < np.inf,
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
        demand(0 <= amount <= 1, f"the amount is {amount}: choose from 0 (the same) to 1 (any).")
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
        codec = self.model.codec
        assert isinstance(codec, Phrase)
        values = np.stack([measure(phrases, codec) for measure in ATTRIBUTES.values()], axis=1)
        known = np.isfinite(values).all(axis=1)
        values, phrases = values[known], phrases[known]
        encode = lambda part: np.asarray(self._encode(self.model.params, part).mean)
        means = np.concatenate([*map(encode, batched(phrases, MANY))])[: len(phrases)]
        spread = np.maximum(values.std(axis=0), 1e-9)
        standard = (values - values.mean(axis=0)) / spread
        ways, *_ = np.linalg.lstsq(standard, means - means.mean(axis=0), rcond=None)
        return dict(zip(ATTRIBUTES, ways.astype(np.float32), strict=True))

    @functools.cached_property
    def _encode(self) -> Callable[..., Gaussian]:
        return jax.jit(self.model.sampler.family.encode)

    @functools.cached_property
    def _decode(self) -> Callable[..., jax.Array]:
        return jax.jit(self.model.sampler.family.decode, static_argnames="draw")


def reconstruction(
    model: Trained, batches: Iterable[Batch], particles: tuple[int, ...] = (1, 8, 64), seed: int = 0
) -> dict[str, float]:
    """How well phrases come back, and what that costs; means over the phrases of `batches`.

    Per-step accuracies as in Roberts et al. 2018, table 1: the share of steps whose token is
    reproduced from a z of the posterior, `teacher_forced` by the likeliest token given the true
    ones before it, `sampled` by tokens drawn at temperature 1 after those drawn before. `kl`: the
    rate, in nats per phrase; `active` of the latents say anything; `nll_k`: the importance-weighted
    bound on -log p(x) from k samples, in nats per phrase.
    """
    family = model.family
    assert isinstance(family, MusicVAE)
    measure = jax.jit(functools.partial(_measure, family, particles))
    sums: dict[str, float] = {}
    means, rows = [], 0
    for index, batch in enumerate(batches):
        rng = jax.random.fold_in(jax.random.key(seed), index)
        real = np.asarray(batch["mask"]).any(axis=1)
        figures, mean = jax.device_get(measure(model.params, dict(batch), rng))
        for name, values in figures.items():
            sums[name] = sums.get(name, 0.0) + float(values[real].sum())
        means.append(mean[real])
        rows += int(real.sum())
    figures = {name: total / rows for name, total in sums.items()}
    return figures | {"active": float(active(jnp.asarray(np.concatenate(means))).sum())}


def _measure(
    family: MusicVAE, particles: tuple[int, ...], params: Params, batch: Batch, rng: Key
) -> tuple[dict[str, jax.Array], jax.Array]:
    """The figures of each phrase [n], and its posterior mean [n, z]."""
    tokens, style = batch["tokens"], batch.get("style")
    q = family.encode(params, tokens, style)
    one, two, three = jax.random.split(rng, 3)
    z = q.sample(one)
    _, hit = family.score(params, z, tokens, style)
    drawn = family.decode(params, two, z, style=style)
    same = (drawn == tokens).reshape(*tokens.shape[:2], -1).mean(axis=(1, 2))
    many = jax.vmap(q.sample)(jax.random.split(three, max(particles)))
    log_p = jax.lax.map(lambda z: family.score(params, z, tokens, style)[0].sum(axis=1), many)
    bounds = {f"nll_{k}": -marginal(log_p[:k], q, many[:k]) for k in particles}
    figures = {
        "accuracy_teacher_forced": hit.mean(axis=1),
        "accuracy_sampled": same,
        "kl": divergence(q).sum(axis=1),
    }
    return figures | bounds, q.mean
