"""More of this and less of that: from a point of a latent space to one whose music has more of it.

Roberts et al. 2018 (section 5.5) add an attribute vector. Where a decoder writes the same music all
around a point, as one of a high rate does, no straight way moves an attribute alone, and a network
that predicts attributes from latents is fooled before the ear is. So points about the place the
vectors lead to are decoded, what they are like is measured, and the search goes on about the best
(the cross-entropy method, Rubinstein 1999). Axes: n phrases, k candidates, z latent, a attribute.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from zoo.errors import UsageError, require
from zoo.inference.latent_space import LatentSpace, Styles
from zoo.metrics.attributes import ATTRIBUTES, table
from zoo.nn.sequence.sampling import Draw

CANDIDATES, KEPT, ROUNDS = 64, 8, 4
AIM = 1.2  # of what is asked: what all else costs holds the search back
OTHERS = (
    0.1  # what a squared standard deviation of an attribute costs that nobody asked for
)
AWAY = 0.005  # what a step of the phrase that changes costs
GREEDY = Draw(temperature=0)
FILE = "attributes.npz"


def cheapest(
    cost: Callable[[np.ndarray], np.ndarray],
    z: np.ndarray,
    rng: np.random.Generator,
    way: np.ndarray | float = 0.0,
) -> np.ndarray:
    """The point [z] of least `cost`, points [k, z] -> [k], that is found about `z`.

    The first are on the `way` [z] that is likely to be a good one, up to four times as far.
    """

    def noise(count: int) -> np.ndarray:
        """float [count, z], some of it small and some as large as the prior."""
        return rng.uniform(0, 1, (count, 1)) * rng.normal(size=(count, len(z)))

    points = z + rng.uniform(0, 4, (CANDIDATES, 1)) * way + noise(CANDIDATES)
    points[0] = z
    costs = cost(points)
    for _ in range(ROUNDS - 1):
        best = np.argsort(costs, kind="stable")[:KEPT]
        parents = points[best][rng.integers(0, KEPT, (2, CANDIDATES - KEPT))]
        share = rng.uniform(0, 1, (CANDIDATES - KEPT, 1))
        children = (
            share * parents[0] + (1 - share) * parents[1] + noise(CANDIDATES - KEPT)
        )
        points = np.concatenate([points[best], children])
        costs = np.concatenate([costs[best], cost(points)[KEPT:]])
    return points[costs.argmin()]


@dataclasses.dataclass(frozen=True, eq=False)
class Steering:
    """What `space` is moved by: `vectors` [a, z], and `spread` [a], a standard deviation of each.

    Raises:
      UsageError: the space is not one of melodies.
    """

    space: LatentSpace
    vectors: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, space: LatentSpace, phrases: np.ndarray) -> "Steering":
        """As `phrases` [n, t] have it."""
        vectors = space.attribute_vectors(phrases)
        spread = np.nanstd(table(phrases, space.melody_codec), axis=0)
        return cls(space, np.stack([*vectors.values()]), np.maximum(spread, 1e-6))

    @classmethod
    def load(cls, space: LatentSpace, run: str | pathlib.Path) -> "Steering":
        """What `save` has put beside a run. Raises UsageError where it has not."""
        codec, path = space.melody_codec, pathlib.Path(run) / FILE
        require(
            path.exists(),
            f"there is no {path}: it is written where training of a MusicVAE ends, for phrases of "
            f"one or two bars (these are of {codec.bars}) and unless told --steered 0.",
        )
        found = np.load(path)
        return cls(space, found["vectors"], found["spread"])

    def save(self, run: str | pathlib.Path) -> None:
        np.savez(pathlib.Path(run) / FILE, vectors=self.vectors, spread=self.spread)

    def __call__(
        self,
        z: np.ndarray,
        moves: Mapping[str, float],
        seed: int = 0,
        style: Styles = None,
    ) -> np.ndarray:
        """Points [n, z] near `z` whose music has so many standard deviations more of each.

        Raises:
          UsageError: an attribute that is none.
        """
        want = np.zeros(len(ATTRIBUTES), np.float32)
        for name, strength in moves.items():
            if name not in ATTRIBUTES:
                raise UsageError(
                    f"there is no attribute {name}: choose {', '.join(ATTRIBUTES)}."
                )
            want[[*ATTRIBUTES].index(name)] = AIM * strength
        style = self.space.shares(style, len(z))
        found = [
            self._seek(
                point, want, seed + i, None if style is None else style[i : i + 1]
            )
            for i, point in enumerate(z)
        ]
        return np.stack(found).astype(np.float32)

    def _seek(
        self, z: np.ndarray, want: np.ndarray, seed: int, style: np.ndarray | None
    ) -> np.ndarray:
        """The best point [z] found about one."""
        rng = np.random.default_rng(seed)
        asked = want != 0
        weight = np.where(asked, 1.0, OTHERS)
        here = self._music(z[None], style)
        start = table(here, self.space.melody_codec)[0]

        def cost(points: np.ndarray) -> np.ndarray:
            music = self._music(points, style)
            moved = (table(music, self.space.melody_codec) - start) / self.spread
            off = np.nan_to_num((moved - want) ** 2, nan=1e3) @ weight
            return off + AWAY * (music != here).sum(axis=1)

        return cheapest(cost, z, rng, want @ self.vectors)

    def _music(self, points: np.ndarray, style: np.ndarray | None) -> np.ndarray:
        shares = None if style is None else style.repeat(len(points), axis=0)
        return self.space.phrases(points.astype(np.float32), draw=GREEDY, style=shares)
