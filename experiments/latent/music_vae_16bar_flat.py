"""music_vae_16bar_hierarchical without a conductor, with as many parameters.

python experiments/latent/music_vae_16bar_flat.py --workdir runs/music_vae_16bar_flat
"""

import dataclasses
from pathlib import Path
from typing import Any

import music_vae_16bar_hierarchical as hierarchical

from zoo.models import MusicVAE
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch
from zoo.tasks import Phrases
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = dataclasses.replace(hierarchical.MODEL, conductor=0, decoder=(312, 312))


def music_vae_16bar_flat(
    workdir: Path = Path("runs/music_vae_16bar_flat"),
    steps: TrainingSteps = 3000,
    model: MusicVAE = MODEL,
    task: Phrases = hierarchical.TASK,
    optimizer: Adam = Adam(2e-3),
    options: Options = hierarchical.OPTIONS,
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains a variational autoencoder of sixteen bars with a flat decoder.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: phrases to write at the end.
    """
    return hierarchical.music_vae_16bar_hierarchical(
        workdir,
        steps,
        model=model,
        task=task,
        optimizer=optimizer,
        options=options,
        samples=samples,
        name="music_vae_16bar_flat",
    )


if __name__ == "__main__":
    launch(music_vae_16bar_flat)
