"""Steering of musical attributes in a latent space.

Roberts et al. 2018 (section 5.5) add an attribute vector. A decoder of a high rate
writes the same music all around a point, so that no straight direction moves one
attribute alone; and a network that predicts attributes from latents is deceived before
the ear is. Therefore points near the end of the vector are decoded and measured, and a
search continues near the best: the cross-entropy method (Rubinstein 1999). Axes: n
phrase, k candidate, z latent, a attribute.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from zoo.errors import UsageError, require
from zoo.inference.latent_space import LatentSpace, Styles
from zoo.metrics.attributes import ATTRIBUTES, attribute_table
from zoo.nn.sequence.sampling import Draw

CANDIDATES, ELITES, ROUNDS = 64, 8, 4
OVERSHOOT = 1.2  # of the requested strength: the other costs hold the search back
OTHER_COST = 0.1  # per squared standard deviation of an attribute not requested
CHANGE_COST = 0.005  # per step of the phrase that changes
GREEDY = Draw(temperature=0)
NAME = "attributes"  # of a file of a run, and among the extras of its model


def minimum(
    cost: Callable[[np.ndarray], np.ndarray],
    z: np.ndarray,
    rng: np.random.Generator,
    direction: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Returns the point [z] of least cost that a search around `z` finds.

    Args:
      cost: points [k, z] -> costs [k].
      z: the point to start from, [z].
      rng: source of the candidates.
      direction: a promising direction [z]; the first candidates lie up to four times as
        far along it.
    """

    def noise(count: int) -> np.ndarray:
        """Draws float [count, z], from very small up to the size of the prior."""
        return rng.uniform(0, 1, (count, 1)) * rng.normal(size=(count, len(z)))

    steps = rng.uniform(0, 4, (CANDIDATES, 1)) * direction
    points = z + steps + noise(CANDIDATES)
    points[0] = z
    costs = cost(points)
    for _ in range(ROUNDS - 1):
        best = np.argsort(costs, kind="stable")[:ELITES]
        parents = points[best][rng.integers(0, ELITES, (2, CANDIDATES - ELITES))]
        share = rng.uniform(0, 1, (CANDIDATES - ELITES, 1))
        children = share * parents[0] + (1 - share) * parents[1]
        children += noise(CANDIDATES - ELITES)
        points = np.concatenate([points[best], children])
        costs = np.concatenate([costs[best], cost(points)[ELITES:]])
    return points[costs.argmin()]


@dataclasses.dataclass(frozen=True, eq=False)
class Steering:
    """Attribute vectors of a latent space, and the search that follows them.

    Attributes:
      space: the latent space of a model of melodies.
      vectors: the direction of each attribute, [a, z].
      std: the standard deviation of each attribute, [a].

    Raises:
      UsageError: the space is not one of melodies.
    """

    space: LatentSpace
    vectors: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, space: LatentSpace, phrases: np.ndarray) -> "Steering":
        """Learns vectors and standard deviations from phrases [n, t]."""
        vectors = space.attribute_vectors(phrases)
        std = np.nanstd(attribute_table(phrases, space.melody_codec), axis=0)
        return cls(space, np.stack([*vectors.values()]), np.maximum(std, 1e-6))

    @classmethod
    def load(cls, space: LatentSpace) -> "Steering":
        """Returns the steering that was saved with the model of a space.

        Raises:
          UsageError: there is none.
        """
        codec, extras = space.melody_codec, space.model.extras
        require(
            f"{NAME}/vectors" in extras,
            "the model has no vectors of attributes: training of a MusicVAE writes "
            f"them at its end, for phrases of one or two bars (these have {codec.bars})"
            " and `steered` above 0.",
        )
        return cls(space, extras[f"{NAME}/vectors"], extras[f"{NAME}/spread"])

    def save(self, run: str | pathlib.Path) -> None:
        """Writes the vectors into a run."""
        path = pathlib.Path(run) / f"{NAME}.npz"
        np.savez(path, vectors=self.vectors, spread=self.std)

    def __call__(
        self,
        z: np.ndarray,
        strengths: Mapping[str, float],
        seed: int = 0,
        style: Styles = None,
    ) -> np.ndarray:
        """Returns points [n, z] near `z` whose music has more of some attributes.

        Args:
          z: the points to start from, [n, z].
          strengths: how much more of each attribute, in standard deviations.
          seed: seed of the search.
          style: the style to decode in.

        Raises:
          UsageError: there is no such attribute.
        """
        target = np.zeros(len(ATTRIBUTES), np.float32)
        for name, strength in strengths.items():
            if name not in ATTRIBUTES:
                raise UsageError(
                    f"there is no attribute {name}: choose {', '.join(ATTRIBUTES)}."
                )
            target[[*ATTRIBUTES].index(name)] = OVERSHOOT * strength
        shares = self.space.shares(style, len(z))
        points = [
            self.steer(point, target, seed + i, None if shares is None else shares[[i]])
            for i, point in enumerate(z)
        ]
        return np.stack(points).astype(np.float32)

    def steer(
        self, z: np.ndarray, target: np.ndarray, seed: int, shares: np.ndarray | None
    ) -> np.ndarray:
        """Returns the best point [z] near one, for changes `target` [a]."""
        weights = np.where(target != 0, 1.0, OTHER_COST)
        before = self.decoded(z[None], shares)
        start = attribute_table(before, self.space.melody_codec)[0]

        def cost(points: np.ndarray) -> np.ndarray:
            music = self.decoded(points, shares)
            moved = (attribute_table(music, self.space.melody_codec) - start) / self.std
            missed = np.nan_to_num((moved - target) ** 2, nan=1e3) @ weights
            return missed + CHANGE_COST * (music != before).sum(axis=1)

        return minimum(cost, z, np.random.default_rng(seed), target @ self.vectors)

    def decoded(self, points: np.ndarray, shares: np.ndarray | None) -> np.ndarray:
        """Decodes points [k, z] greedily."""
        if shares is not None:
            shares = shares.repeat(len(points), axis=0)
        return self.space.phrases(points.astype(np.float32), draw=GREEDY, style=shares)
