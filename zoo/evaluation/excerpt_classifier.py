"""A classifier of excerpts of an arena, and its training.

Axes: n excerpt, t step, k token of a step, r training.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Array, Params
from zoo.evaluation.part_tokens import KEYS, VOCAB
from zoo.models import LatentClassifier
from zoo.ranges import (
    Count,
    DropoutRate,
    LearningRate,
    Semitones,
    TrainingSteps,
    Weight,
    checked,
)
from zoo.train.minimize import minimize
from zoo.train.optim import Adam


@dataclasses.dataclass(frozen=True)
@checked
class ExcerptTraining:
    """A network and the way it is trained.

    It reads quarter notes: two layers, then residual convolutions of width 3 over the
    quarters, then the mean and a smooth maximum over time, and a hidden layer.
    """

    steps: TrainingSteps = 300
    """Training steps."""
    batch: Count = 64
    """Excerpts of a training step, as many of each class."""
    width: Count = 32
    """Width of all layers."""
    _: dataclasses.KW_ONLY
    dilations: tuple[Count, ...] = (1, 2, 4, 8)
    """Dilations of the convolutions, in quarters."""
    dropout: DropoutRate = 0.1
    """Share of the units dropped around the hidden layer."""
    rate: LearningRate = 3e-3
    """Learning rate of Adam, which decays to zero."""
    decay: Weight = 0.1
    """Weight decay."""
    transpose: Semitones = 5
    """Largest random transposition in training, in semitones."""

    def classifier(
        self, classes: tuple[str, ...], length: int, steps_per_quarter: int
    ) -> LatentClassifier:
        """Returns the untrained classifier of excerpts of `length` steps."""
        return LatentClassifier(
            classes,
            VOCAB,
            length,
            width=self.width,
            layers=1,
            dropout=self.dropout,
            patch=steps_per_quarter,
            dilations=self.dilations,
        )

    def __call__(
        self,
        family: LatentClassifier,
        tokens: np.ndarray,
        label: np.ndarray,
        *,
        trained: np.ndarray,
        seed: int = 0,
    ) -> Params:
        """Returns the parameters of a classifier for each training, stacked.

        The sum of the losses is minimised by the step of all training runs; Adam moves
        each parameter by its own gradient, so the trainings are independent.

        Args:
          family: the classifier.
          tokens: all excerpts [n, t, k].
          label: their classes [n].
          trained: the excerpts of each training, bool [r, n].
          seed: of the parameters and batches.
        """
        rng = np.random.default_rng(seed)
        rows = np.stack([self.rows(label, part, rng) for part in trained], axis=1)
        shift = rng.integers(-self.transpose, self.transpose + 1, rows.shape)
        data, style = jnp.asarray(tokens, jnp.int16), jnp.asarray(label)
        keys = jax.random.split(jax.random.key(seed), len(trained))
        start = jax.vmap(lambda key: family.init(key, {"tokens": data[:1]}))(keys)

        def loss(params: Params, batch: dict[str, Array]) -> Array:
            def one(params: Params, rows: Array, shift: Array, key: Array) -> Array:
                moved = transposed(data[rows], shift)
                mask = jnp.ones((len(rows), 1), bool)
                chosen = {"tokens": moved, "style": style[rows], "mask": mask}
                return family.loss(params, chosen, key, jnp.zeros(()))[0]

            return jax.vmap(one)(params, **batch).sum()

        stepped = jax.random.split(jax.random.key(seed + 1), rows.shape[:2])
        return minimize(
            loss,
            start,
            self.steps,
            Adam(self.rate, decay=self.decay, last=0.0).optimizer(self.steps),
            batches={"rows": rows, "shift": shift, "key": stepped},
        )

    def rows(
        self, label: np.ndarray, part: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Returns rows [steps, batch] of the excerpts in `part`, as many of each
        class."""
        classes = np.unique(label[part])
        size = self.steps, max(1, self.batch // len(classes))
        members = [np.flatnonzero(part & (label == value)) for value in classes]
        return np.concatenate([rng.choice(rows, size) for rows in members], axis=1)


def transposed(tokens: Array, semitones: Array) -> Array:
    """Returns tokens [n, t, k] of which the pitches are moved by `semitones` [n]."""
    pitch = (tokens > 0) & (tokens <= KEYS)
    moved = jnp.clip(tokens + semitones[:, None, None], 1, KEYS)
    return jnp.where(pitch, moved, tokens)
