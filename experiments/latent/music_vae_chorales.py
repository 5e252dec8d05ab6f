"""MusicVAE on two bars of four-part chorales; Roberts et al. 2018 have a trio.

python experiments/latent/music_vae_chorales.py --workdir runs/music_vae_chorales
"""

import dataclasses
from pathlib import Path
from typing import Any

import music_vae_2bar

from zoo.models import MusicVAE
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch
from zoo.tasks import Phrases
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = dataclasses.replace(music_vae_2bar.MODEL, beta=0.05)
TASK = Phrases(corpus="chorales", codec="quartet", metres=("4/4",), batch=64)


def music_vae_chorales(
    workdir: Path = Path("runs/music_vae_chorales"),
    steps: TrainingSteps = 4000,
    model: MusicVAE = MODEL,
    task: Phrases = TASK,
    optimizer: Adam = Adam(2e-3),
    options: Options = music_vae_2bar.OPTIONS,
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains a variational autoencoder of four voices, and evaluates reconstruction.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: phrases to write at the end.
    """
    return music_vae_2bar.music_vae_2bar(
        workdir,
        steps,
        model=model,
        task=task,
        optimizer=optimizer,
        options=options,
        samples=samples,
        steered=0,
        name="music_vae_chorales",
    )


if __name__ == "__main__":
    launch(music_vae_chorales)
