"""The classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545).

A classifier is trained to tell written excerpts from real ones on half of both, and
measured on the other half. An accuracy of 0.5 means that it found no difference.
Excerpts of one group are in one half. Axes: n excerpt, t step, k token of a step, r
training.
"""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from zoo.errors import UsageError
from zoo.evaluation.arena import Excerpts
from zoo.evaluation.excerpt_classifier import ExcerptTraining
from zoo.metrics.bootstrap import ConfidenceInterval, clustered_interval
from zoo.ranges import Count, checked

CLASSES = "real", "written"
FEWEST = 4  # groups, of which each half has two


class TwoSample(NamedTuple):
    """The outcome of a test.

    Attributes:
      accuracy: mean over excerpts and seeds, with a 95 % interval over groups.
      excerpts: number of excerpts of each class.
    """

    accuracy: ConfidenceInterval
    excerpts: int


@dataclasses.dataclass(frozen=True)
@checked
class TwoSampleTest:
    """A fixed classifier and the way it is trained.

    Each seed halves the excerpts at random, and the classifier is trained on each half
    in turn.
    """

    seeds: Count = 3
    """Random halvings, of two trainings each."""
    training: ExcerptTraining = ExcerptTraining()
    """The classifier, and how it is trained."""

    def __call__(
        self, real: Excerpts, written: Excerpts, steps_per_quarter: int, seed: int = 0
    ) -> TwoSample:
        """Tests whether `written` is distributed as `real`.

        Args:
          real: tokens of `Arena.tokens`; as many excerpts of both are used.
          written: the same.
          steps_per_quarter: steps in a quarter note.
          seed: of the halvings, initial parameters and batches.

        Raises:
          UsageError: there are fewer than `FEWEST` groups of one of them.
        """
        for name, excerpts in zip(CLASSES, (real, written), strict=True):
            require_groups(name, excerpts)
        rng = np.random.default_rng(seed)
        count = min(len(real), len(written))
        sets = [some(x, count, rng) for x in (real, written)]
        tokens = np.concatenate([x.arrays for x in sets])
        label = np.repeat([0, 1], count)
        first = np.stack(  # whether an excerpt is in the first half, [seeds, n]
            [
                np.concatenate([halve(x.groups, rng) for x in sets])
                for _ in range(self.seeds)
            ]
        )
        trained = np.concatenate([first, ~first])  # [r, n]
        length = tokens.shape[1]
        family = self.training.classifier(CLASSES, length, steps_per_quarter)
        params = self.training(family, tokens, label, trained=trained, seed=seed)
        predict = jax.jit(jax.vmap(family.predict, (0, None)))
        guesses = [
            np.asarray(predict(params, tokens[i : i + 256]))
            for i in range(0, len(tokens), 256)
        ]
        correct = np.concatenate(guesses, axis=1).argmax(axis=2) == label  # [r, n]
        rate = np.where(trained, 0, correct).sum(axis=0) / self.seeds
        accuracy = clustered_interval(
            [rate[label == i] for i in (0, 1)], [x.groups for x in sets], seed=seed
        )
        return TwoSample(accuracy, count)


def require_groups(name: str, excerpts: Excerpts) -> None:
    """Raises UsageError if there are fewer than `FEWEST` groups of a class."""
    found = len(np.unique(excerpts.groups))
    if found < FEWEST:
        raise UsageError(
            f"there are {found} {name} pieces, and the two-sample test needs "
            f"{FEWEST}: give more music, or choose fewer bars."
        )


def some(excerpts: Excerpts, count: int, rng: np.random.Generator) -> Excerpts:
    """Returns `count` random excerpts."""
    return excerpts.take(np.sort(rng.permutation(len(excerpts))[:count]))


def halve(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the excerpts of the first half, bool [n]; groups stay together.

    Groups are added in random order, each to the half that has fewer excerpts.
    """
    first, counts = np.zeros(len(groups), bool), [0, 0]
    numbers, sizes = np.unique(groups, return_counts=True)
    for i in rng.permutation(len(numbers)):
        half = int(counts[0] > counts[1])
        counts[half] += sizes[i]
        first[groups == numbers[i]] = half == 0
    return first
