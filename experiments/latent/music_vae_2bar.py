"""MusicVAE on phrases of two bars: each is encoded as a point (Roberts et al. 2018).

python experiments/latent/music_vae_2bar.py --workdir runs/music_vae_2bar

The weight of the KL divergence rises slowly: with a high weight from the beginning a
model is slow to distinguish phrases. In two trials with `--kl-anneal 0.999`, 0.77 of
the steps of held-out phrases were right after 2,500 steps, at a rate of 31 nats, with
`--beta 0.2`, and 0.96 at 185 nats with `--beta 0.02`. After 10,000 steps, `--beta 0.1`
gave 0.976 at 79 nats.
"""

import functools
from pathlib import Path
from typing import Any

from zoo.evaluation.vae import latent_space_metrics
from zoo.models import MusicVAE
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Phrases
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = MusicVAE(beta=0.02, kl_anneal=0.9998)
OPTIONS = Options(ema=0.999, save_every=500, bf16=True)


def music_vae_2bar(
    workdir: Path = Path("runs/music_vae_2bar"),
    steps: TrainingSteps = 10000,
    model: MusicVAE = MODEL,
    task: Phrases = Phrases(),
    optimizer: Adam = Adam(2e-3),
    options: Options = OPTIONS,
    samples: Examples = 8,
    steered: Examples = 32,
    name: str = "music_vae_2bar",
) -> dict[str, Any]:
    """Trains a variational autoencoder of phrases, and evaluates its latent space.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: phrases to write at the end.
        steered: phrases whose attributes are changed to evaluate steering; 0 for none.
        name: name of the experiment in its records.
    """
    return train(
        model,
        task,
        name=name,
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=functools.partial(
            latent_space_metrics, workdir=workdir, steered=steered
        ),
    )


if __name__ == "__main__":
    launch(music_vae_2bar)
