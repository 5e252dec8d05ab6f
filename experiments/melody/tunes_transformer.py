"""A Transformer over the events of dance tunes, which attends to all earlier events.

python experiments/melody/tunes_transformer.py --workdir runs/tunes_transformer

Tunes are not transposed: there are enough of them in the keys that dance tunes have.
"""

from pathlib import Path
from typing import Any

from zoo.models import Transformer
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Events
from zoo.train.optim import Adam
from zoo.train.options import Options


def tunes_transformer(
    workdir: Path = Path("runs/tunes_transformer"),
    steps: TrainingSteps = 3000,
    model: Transformer = Transformer(width=128, heads=4, dropout=0.1),
    task: Events = Events(transpose=0),
    optimizer: Adam = Adam(2e-3),
    options: Options = Options(ema=0.99, save_every=250),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains a Transformer to predict the next event.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: pieces to write at the end.
    """
    return train(
        model,
        task,
        name="tunes_transformer",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(tunes_transformer)
