"""MusicVAE conditioned on styles, whose latents need not encode them, for style
transfer.

python experiments/latent/music_vae_styles.py --workdir runs/music_vae_styles

The weight of the KL divergence is higher than in music_vae_2bar, so that what z leaves
open is decided by the style.
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

MODEL = dataclasses.replace(music_vae_2bar.MODEL, beta=0.2, kl_anneal=0.9995)
TASK = Phrases(corpus="tunes+essen", styles=("irish", "german", "chinese"))


def music_vae_styles(
    workdir: Path = Path("runs/music_vae_styles"),
    steps: TrainingSteps = 6000,
    model: MusicVAE = MODEL,
    task: Phrases = TASK,
    optimizer: Adam = Adam(2e-3),
    options: Options = music_vae_2bar.OPTIONS,
    samples: Examples = 8,
    steered: Examples = 32,
) -> dict[str, Any]:
    """Trains a variational autoencoder of phrases, conditioned on their styles.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, its styles, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: phrases to write at the end.
        steered: phrases whose attributes are changed to evaluate steering; 0 for none.
    """
    return music_vae_2bar.music_vae_2bar(
        workdir,
        steps,
        model=model,
        task=task,
        optimizer=optimizer,
        options=options,
        samples=samples,
        steered=steered,
        name="music_vae_styles",
    )


if __name__ == "__main__":
    launch(music_vae_styles)
