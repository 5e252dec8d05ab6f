"""Style transfer that preserves the melodic contour.

A decoder conditioned on a style (Kingma et al. 2014, arXiv:1406.5298) writes in that
style what z leaves open, and a z of a high rate leaves little open. Therefore points
near the phrase's z are decoded in the target style, and a search continues near those
that are likeliest to be of the style and keep the contour. Axes: n phrase, t step, k
candidate, z latent, y style.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from zoo.errors import UsageError, require
from zoo.inference.attribute_steering import GREEDY, minimum
from zoo.inference.latent_space import LatentSpace
from zoo.inference.shipped import require_able
from zoo.inference.style_classifier import StyleClassifier
from zoo.metrics.attributes import contour_correlation, sounding_pitches
from zoo.ranges import Weight, checked

SCALE_COST = 20.0  # nats for a phrase all of whose notes are outside the scale
SCORED_BY_MODEL = 16  # candidates per round, chosen by the guide, that the model scores


@dataclasses.dataclass(frozen=True, eq=False)
@checked
class StyleTransfer:
    """Moves phrases of a latent space from one style to another.

    The style of a candidate is judged by the model, by its bound under each style, and
    by a `guide`: a search against one judge alone finds what deceives it.

    Attributes:
      space: the latent space of a model of styles.
      guide: a classifier of the same phrases, if there is one.
      keep: cost in nats of a contour that is unrelated to the phrase's.

    Raises:
      UsageError: the model has no styles, or the guide reads other phrases.
    """

    space: LatentSpace
    guide: StyleClassifier | None = None
    keep: Weight = 4.0

    def __post_init__(self) -> None:
        require_able(bool(self.space.styles), "the model has no styles", "transfer")
        require(
            self.guide is None or self.guide.model.codec == self.space.melody_codec,
            "the guide reads phrases of other bars, metres or range than the "
            "model: give "
            "one that was trained on the same.",
        )

    def __call__(
        self,
        phrases: np.ndarray,
        style: str,
        seed: int = 0,
        *,
        scale: Sequence[int] = range(12),
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """Returns phrases int32 [n, t] in the style; each depends on the seed and its
        index.

        Args:
          phrases: int32 [n, t].
          style: the target style.
          seed: seed of the search.
          scale: pitch classes, 0 to 11; notes outside it cost.
          progress: called with the number of phrases done, and of all.

        Raises:
          UsageError: the model or the guide does not have the style.
        """
        target = self.space.shares(style, 1)
        assert target is not None
        rows = []
        for i, (z, phrase) in enumerate(
            zip(self.space.means(phrases), phrases, strict=True)
        ):
            cost = self.cost(phrase, style, target, scale)
            rows.append(minimum(cost, z, np.random.default_rng((seed, i))))
            progress(len(rows), len(phrases))
        return self.decoded(np.stack(rows), target)

    def cost(
        self, phrase: np.ndarray, style: str, target: np.ndarray, scale: Sequence[int]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Returns the cost [k] of points [k, z], in nats."""
        guide_index, own_index = self.guide_index(style), self.space.styles.index(style)

        def cost(points: np.ndarray) -> np.ndarray:
            music = self.decoded(points, target)
            source = np.broadcast_to(phrase, music.shape)
            costs = self.keep * (
                1 - contour_correlation(music, source, self.space.melody_codec)
            )
            sounding, pitches = sounding_pitches(music, self.space.melody_codec)
            outside = sounding & ~np.isin(pitches % 12, scale)
            costs += SCALE_COST * outside.mean(axis=1)
            scored = np.arange(len(music))
            if self.guide is not None:
                costs -= np.log(self.guide(music)[:, guide_index] + 1e-9)
                scored = costs.argsort(kind="stable")[:SCORED_BY_MODEL]
            by_model = self.space.style_log_probs(music[scored])[:, own_index]
            totals = np.full(len(music), np.inf)
            totals[scored] = costs[scored] - by_model
            return totals

        return cost

    def guide_index(self, style: str) -> int:
        """Returns the index of a style in the guide; 0 without a guide."""
        if self.guide is None:
            return 0
        if style not in (styles := self.guide.styles):
            raise UsageError(f"the guide classifies {', '.join(styles)}, not {style}.")
        return styles.index(style)

    def decoded(self, points: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Decodes points [k, z] greedily, in the style with shares [1, y]."""
        shares = target.repeat(len(points), axis=0)
        return self.space.phrases(points.astype(np.float32), draw=GREEDY, style=shares)
