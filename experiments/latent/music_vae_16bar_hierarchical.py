"""MusicVAE on sixteen bars, with a hierarchical decoder (Roberts et al. 2018, table 1).

python experiments/latent/music_vae_16bar_hierarchical.py
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

MODEL = dataclasses.replace(
    music_vae_2bar.MODEL,
    latent=512,
    encoder=(256,),
    summary=256,
    conductor=256,
    beta=0.05,
)
TASK = Phrases(bars=16, batch=32)
OPTIONS = Options(ema=0.99, save_every=250, bf16=True)


def music_vae_16bar_hierarchical(
    workdir: Path = Path("runs/music_vae_16bar_hierarchical"),
    steps: TrainingSteps = 3000,
    model: MusicVAE = MODEL,
    task: Phrases = TASK,
    optimizer: Adam = Adam(2e-3),
    options: Options = OPTIONS,
    samples: Examples = 8,
    name: str = "music_vae_16bar_hierarchical",
) -> dict[str, Any]:
    """Trains a variational autoencoder of sixteen bars, and evaluates reconstruction.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: phrases to write at the end.
        name: name of the experiment in its records.
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
        name=name,
    )


if __name__ == "__main__":
    launch(music_vae_16bar_hierarchical)
