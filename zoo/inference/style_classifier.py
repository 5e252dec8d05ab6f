"""Classification of the style, the mode or the metre of music.

Axes: n phrase, t step, y style.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import jax
import numpy as np

from zoo.core import Batch, Classifier, supports
from zoo.data.codecs.base import Fit, fit_line
from zoo.inference.latent_space import batched
from zoo.inference.model import Model
from zoo.inference.shipped import require_able
from zoo.tasks.base import refusals

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


@dataclasses.dataclass(frozen=True, eq=False)
class StyleClassifier:
    """A trained classifier of phrases.

    Raises:
      UsageError: the model does not classify phrases.
    """

    model: Model

    def __post_init__(self) -> None:
        require_able(
            supports(self.model.family, Classifier) and self.model.codec is not None,
            f"{self.model.name} does not classify styles of music",
            "classify",
        )

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that it tells apart."""
        return self.model.styles

    def __call__(self, phrases: np.ndarray) -> np.ndarray:
        """Returns the probability of each style, float [n, y], for phrases int32 [n,
        t]."""
        parts = batched(phrases)
        shares = [np.exp(self._predict(self.model.params, part)) for part in parts]
        return np.concatenate(shares)[: len(phrases)]

    def piece(self, sequence: "NoteSequence") -> dict[str, float]:
        """Returns the probability of each style for a piece: the mean over its phrases.

        Raises:
          UsageError: the piece has no phrase that the classifier reads.
        """
        return self.mean(self.phrases_of(sequence).array)

    def phrases_of(self, sequence: "NoteSequence") -> Fit:
        """Encodes all phrases of a piece as tokens int32 [n, t], with remarks.

        Raises:
          UsageError: the piece has no phrase that the classifier reads.
        """
        with refusals(self.model.codec):
            return fit_line(self.model.codec, lambda codec: codec.fit_phrases(sequence))

    def mean(self, rows: np.ndarray) -> dict[str, float]:
        """Returns the probability of each style: the mean over phrases int32 [n, t]."""
        return dict(zip(self.styles, self(rows).mean(axis=0).tolist(), strict=True))

    def recalls(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Returns the recall of each style, `recall_STYLE`, and their mean, `recall`.

        Each style has the same weight in the mean, however many phrases it has.
        """
        hits = np.zeros((len(self.styles), 2))
        for batch in batches:
            real = np.asarray(batch["mask"]).any(axis=1)
            style = np.asarray(batch["style"])[real]
            right = self(np.asarray(batch["tokens"])[real]).argmax(axis=1) == style
            np.add.at(hits, style, np.stack([right, np.ones(len(style))], axis=1))
        share = hits[:, 0] / np.maximum(hits[:, 1], 1)
        named = zip(self.styles, share, strict=True)
        recalls = {f"recall_{name}": float(value) for name, value in named}
        return {**recalls, "recall": float(share[hits[:, 1] > 0].mean())}

    @functools.cached_property
    def _predict(self) -> Callable[..., jax.Array]:
        return jax.jit(self.model.family.predict)
