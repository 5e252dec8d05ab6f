"""The same tune in another style: its way up and down is kept, and what it is told to be is not.

A decoder that is told a style (Kingma et al. 2014, arXiv:1406.5298) writes what its z leaves open
in that style, and a z of a high rate leaves little open. So points about that of the phrase are
decoded in the style asked for, and the search goes on about those that are likeliest to be of it
and still go up and down as the phrase does. Axes: n phrases, t step, k candidates, z latent, y
style.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from zoo.errors import UsageError, require
from zoo.inference.attribute_steering import GREEDY, cheapest
from zoo.inference.latent_space import LatentSpace
from zoo.inference.style_classifier import StyleClassifier
from zoo.metrics.attributes import contour, sounds

OUTSIDE = 20.0  # nats that a phrase outside the scale costs
ASKED = 16  # candidates that the model itself is asked about, where a guide has chosen among all


@dataclasses.dataclass(frozen=True, eq=False)
class Transfer:
    """Moves phrases of `space`, whose model was told styles, from one to another.

    How likely a phrase is to be of a style is what the model itself says (the bound under each),
    and, where there is one, what a `guide` says besides: a search against one judge alone finds
    what fools it. `keep`: the nats that a contour which has nothing to do with the phrase's costs.

    Raises:
      UsageError: the space has no styles, or the guide reads other phrases.
    """

    space: LatentSpace
    guide: StyleClassifier | None = None
    keep: float = 4.0

    def __post_init__(self) -> None:
        require(
            bool(self.space.styles),
            "the model was told no styles: load one that was, by --styles when it was trained.",
        )
        require(
            self.guide is None or self.guide.model.codec == self.space.melody_codec,
            "the guide reads phrases of other bars, metres or range than the model: give one that "
            "was trained on the same.",
        )

    def __call__(
        self,
        phrases: np.ndarray,
        style: str,
        seed: int = 0,
        scale: Sequence[int] = range(12),
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """int32 [n, t]: `phrases` in the `style`; each is a function of the seed and its place.

        `scale`: pitch classes, 0 to 11, outside which a note costs. `progress` is told of how many
        phrases are found, and how many there are.

        Raises:
          UsageError: a style that the model does not know, or the guide.
        """
        shares = self.space.shares(style, 1)
        assert shares is not None
        its = self.place(style)
        own = self.space.styles.index(style)
        found = []
        for i, (z, phrase) in enumerate(
            zip(self.space.means(phrases), phrases, strict=True)
        ):

            def cost(points: np.ndarray, phrase: np.ndarray = phrase) -> np.ndarray:
                music = self.told(points, shares)
                source = np.broadcast_to(phrase, music.shape)
                off = self.keep * (1 - contour(music, source, self.space.melody_codec))
                sounding, pitches = sounds(music, self.space.melody_codec)
                off += OUTSIDE * (sounding & ~np.isin(pitches % 12, scale)).mean(axis=1)
                asked = np.arange(len(music))
                if self.guide is not None:
                    off -= np.log(self.guide(music)[:, its] + 1e-9)
                    asked = off.argsort(kind="stable")[:ASKED]
                every = np.full(len(music), np.inf)
                every[asked] = off[asked] - self.space.held(music[asked])[:, own]
                return every

            found.append(cheapest(cost, z, np.random.default_rng((seed, i))))
            progress(len(found), len(phrases))
        return self.told(np.stack(found), shares)

    def place(self, style: str) -> int:
        """Where a style stands among those of the guide; 0 without one."""
        if self.guide is None:
            return 0
        if style not in (styles := self.guide.styles):
            raise UsageError(
                f"the guide tells {', '.join(styles)} apart, and not {style}."
            )
        return styles.index(style)

    def told(self, points: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """The likeliest music at points [k, z], in the style of shares [1, y]."""
        every = shares.repeat(len(points), axis=0)
        return self.space.phrases(points.astype(np.float32), draw=GREEDY, style=every)
