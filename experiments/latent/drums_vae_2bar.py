"""MusicVAE on two bars of drums: nine instruments in 16ths (Roberts et al. 2018).

python experiments/latent/drums_vae_2bar.py --workdir runs/drums_vae_2bar

The corpus `groove` is fetched the first time; `groove:/path/to/groove` is a copy of it.
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

MODEL = dataclasses.replace(music_vae_2bar.MODEL, beta=0.1)
TASK = Phrases(corpus="groove", codec="drums", transpose=0)


def drums_vae_2bar(
    workdir: Path = Path("runs/drums_vae_2bar"),
    steps: TrainingSteps = 4000,
    model: MusicVAE = MODEL,
    task: Phrases = TASK,
    optimizer: Adam = Adam(2e-3),
    options: Options = Options(ema=0.99, save_every=500, bf16=True),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains a variational autoencoder of drum patterns, and evaluates reconstruction.

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
        name="drums_vae_2bar",
    )


if __name__ == "__main__":
    launch(drums_vae_2bar)
