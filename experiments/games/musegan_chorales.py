"""MuseGAN on two bars of Bach's chorales, conditioned on their mode, major or minor.

python experiments/games/musegan_chorales.py --workdir runs/musegan_chorales
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any

from zoo.evaluation.multitrack import multitrack_metrics
from zoo.models import MuseGAN
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import MultitrackPhrases
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = MuseGAN(neurons="single", game="least-squares")
TASK = MultitrackPhrases(
    metres=("4/4",),
    batch=4,
    styles=("major", "minor"),
    label="mode",
    transpose=0,  # with transposition the same budget reached half the quality
)


def musegan_chorales(
    workdir: Path = Path("runs/musegan_chorales"),
    steps: TrainingSteps = 20_000,
    model: MuseGAN = MODEL,
    task: MultitrackPhrases = TASK,
    conditioning: tuple[str, ...] = (),
    polyphonic: tuple[str, ...] = (),
    optimizer: Adam = Adam(5e-4),
    options: Options = Options(ema=0.99, save_every=2000),
    samples: Examples = 8,
    drawn: Examples = 256,
    name: str = "musegan_chorales",
) -> dict[str, Any]:
    """Trains a GAN of piano rolls, and compares its phrases with real ones.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        conditioning: names of the tracks used as conditioning instead of generated.
        polyphonic: names of the tracks that may sound several notes at once; all others
            are monophonic if `neurons` is single.
        optimizer: the update rule of generator and critic.
        options: how the run is executed.
        samples: phrases to write at the end; none with conditioning.
        drawn: phrases to generate for the comparison; 0 for none.
        name: name of the experiment in its records.
    """
    model = dataclasses.replace(
        model, tracks=task.tracks, conditioning=conditioning, polyphonic=polyphonic
    )
    return train(
        model,
        task,
        name=name,
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=0 if conditioning else samples,
        evaluate=functools.partial(multitrack_metrics, count=drawn) if drawn else None,
    )


if __name__ == "__main__":
    launch(musegan_chorales)
