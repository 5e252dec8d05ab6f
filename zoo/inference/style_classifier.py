"""What style, mode or metre music is of, as a trained classifier hears it.

Axes: n phrases, t step, y style.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import jax
import numpy as np

from zoo.core import Batch
from zoo.data.codecs import Phrase
from zoo.inference.latent_space import MANY, batched, said
from zoo.inference.model import Trained
from zoo.inference.sampler import demand
from zoo.models import LatentClassifier

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """A trained classifier of phrases.

    Raises:
      UsageError: the model is none.
    """

    model: Trained

    def __post_init__(self) -> None:
        family = self.model.family
        demand(
            isinstance(family, LatentClassifier) and family.vocab is not None,
            f"{type(family).__name__} tells no styles of music apart: load a LatentClassifier "
            "that was trained on events.",
        )

    @property
    def styles(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self._family.styles

    def __call__(self, phrases: np.ndarray) -> np.ndarray:
        """How likely phrases int32 [n, t] are to be of each style, [n, y]."""
        parts = batched(phrases, MANY)
        found = [np.exp(self._predict(self.model.params, part)) for part in parts]
        return np.concatenate(found)[: len(phrases)]

    def piece(self, sequence: "NoteSequence") -> dict[str, float]:
        """How likely a piece is to be of each style: the mean over its phrases.

        Raises:
          UsageError: it has no phrase that the classifier reads, in a sentence that says why.
        """
        codec = self.model.codec
        assert isinstance(codec, Phrase)
        with said():
            rows = codec.phrases(sequence)
        return dict(zip(self.styles, self(rows).mean(axis=0).tolist(), strict=True))

    def recalls(self, batches: Iterable[Batch]) -> dict[str, float]:
        """`recall_STYLE`: the share of its phrases that are told to be of it; `recall`: the mean.

        In the mean each style counts alike, however many phrases there are of it.
        """
        hits = np.zeros((len(self.styles), 2))
        for batch in batches:
            real = np.asarray(batch["mask"]).any(axis=1)
            of = np.asarray(batch["style"])[real]
            right = self(np.asarray(batch["tokens"])[real]).argmax(axis=1) == of
            np.add.at(hits, of, np.stack([right, np.ones(len(of))], axis=1))
        share = hits[:, 0] / np.maximum(hits[:, 1], 1)
        each = {
            f"recall_{name}": float(x)
            for name, x in zip(self.styles, share, strict=True)
        }
        return {**each, "recall": float(share[hits[:, 1] > 0].mean())}

    @property
    def _family(self) -> LatentClassifier:
        family = self.model.family
        assert isinstance(family, LatentClassifier)
        return family

    @functools.cached_property
    def _predict(self) -> Callable[..., jax.Array]:
        return jax.jit(self._family.predict)
