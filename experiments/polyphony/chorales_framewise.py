"""Four-part chorales in 16ths, in random order: Coconet (Huang et al. 2017).

python experiments/polyphony/chorales_framewise.py --corpus Jsb16thSeparated.json
"""

import functools
from pathlib import Path
from typing import Any

from zoo.evaluation.framewise import framewise_likelihood
from zoo.inference.model import Model
from zoo.models import Coconet
from zoo.ranges import Count, Examples, Pieces, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Frames, Task
from zoo.train.optim import Adam
from zoo.train.options import Options

TASK = Frames(corpus="Jsb16thSeparated.json", codec="voices", batch=8, transpose=6)


def chorales_framewise(
    workdir: Path = Path("runs/chorales_framewise"),
    steps: TrainingSteps = 24000,
    model: Coconet = Coconet(),
    task: Frames = TASK,
    orders: Count = 5,
    measured: Pieces = 32,
    optimizer: Adam = Adam(3e-3, warmup=200),
    options: Options = Options(ema=0.998, save_every=500),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains Coconet, and estimates its framewise likelihood (Algorithm 1).

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        orders: random orders in which every piece of the test split is evaluated.
        measured: randomly chosen frames of each piece that are evaluated.
        optimizer: the update rule.
        options: how the run is executed.
        samples: pieces to write at the end.
    """
    return train(
        model,
        task,
        name="chorales_framewise",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=functools.partial(framewise, orders=orders, measured=measured),
    )


def framewise(
    model: Model, task: Task, *, orders: int, measured: int
) -> dict[str, float]:
    """Returns the likelihood of the test split; see `framewise_likelihood`."""
    batches = task.eval_batches("test")
    return framewise_likelihood(model, batches, orders=orders, measured=measured)


if __name__ == "__main__":
    launch(chorales_framewise)
