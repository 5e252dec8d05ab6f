"""A classifier of the styles of two-bar phrases, to evaluate models of styles with.

python experiments/latent/style_classifier.py --workdir runs/style_classifier
"""

import dataclasses
from pathlib import Path
from typing import Any

from zoo.inference.model import Model
from zoo.inference.style_classifier import StyleClassifier
from zoo.models import LatentClassifier
from zoo.ranges import TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Phrases, Task
from zoo.train.optim import Adam
from zoo.train.options import Options

TASK = Phrases(corpus="tunes+essen", styles=("irish", "german", "chinese"))


def style_classifier(
    workdir: Path = Path("runs/style_classifier"),
    steps: TrainingSteps = 2000,
    model: LatentClassifier = LatentClassifier(TASK.styles),
    task: Phrases = TASK,
    optimizer: Adam = Adam(1e-3),
    options: Options = Options(ema=0.99, save_every=250),
    name: str = "style_classifier",
) -> dict[str, Any]:
    """Trains a classifier of phrases, and evaluates its recall of each style.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, its classes, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        name: name of the experiment in its records.
    """
    return train(
        dataclasses.replace(model, styles=task.styles),
        task,
        name=name,
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=0,
        evaluate=recalls,
    )


def recalls(model: Model, task: Task) -> dict[str, float]:
    """Returns the recall of each style in the test split."""
    return StyleClassifier(model).recalls(task.eval_batches("test"))


if __name__ == "__main__":
    launch(style_classifier)
