"""MuseGAN as an accompanist: it writes three voices of a chorale to its soprano.

python experiments/games/musegan_accompaniment.py --workdir runs/musegan_accompaniment
"""

import dataclasses
from pathlib import Path
from typing import Any

import musegan_chorales

from zoo.models import MuseGAN
from zoo.ranges import TrainingSteps
from zoo.runner import launch
from zoo.tasks import MultitrackPhrases
from zoo.train.options import Options

MODEL = dataclasses.replace(musegan_chorales.MODEL, game="relativistic")
TASK = dataclasses.replace(musegan_chorales.TASK, batch=64)


def musegan_accompaniment(
    workdir: Path = Path("runs/musegan_accompaniment"),
    steps: TrainingSteps = 3000,
    model: MuseGAN = MODEL,
    task: MultitrackPhrases = TASK,
    conditioning: tuple[str, ...] = ("soprano",),
    options: Options = Options(ema=0.99, save_every=1000),
) -> dict[str, Any]:
    """Trains the GAN of musegan_chorales to accompany tracks, and evaluates it.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        conditioning: names of the tracks used as conditioning instead of generated.
        options: how the run is executed.
    """
    return musegan_chorales.musegan_chorales(
        workdir,
        steps,
        model=model,
        task=task,
        conditioning=conditioning,
        options=options,
        name="musegan_accompaniment",
    )


if __name__ == "__main__":
    launch(musegan_accompaniment)
