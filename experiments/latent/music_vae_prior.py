"""A second stage for a MusicVAE: a learnt prior on its latents (Dai & Wipf 2019).

python experiments/latent/music_vae_prior.py --vae runs/music_vae_2bar

B. Dai, D. Wipf: Diagnosing and enhancing VAE models, arXiv:1903.05789. At a rate that
keeps phrases apart, the latents of real phrases fill little of the normal prior. The
second stage learns where they are. Here it is a diffusion model, whose noise is normal
and can be computed for any latents: phrases are drawn, interpolated and varied there.
"""

import functools
from pathlib import Path
from typing import Any

from zoo.evaluation.vae import prior_metrics
from zoo.models import LatentDiffusion
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train_on_latents
from zoo.tasks import LatentSequences
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = LatentDiffusion(parts=1, axes=256, width=256, layers=4, heads=4)


def music_vae_prior(
    vae: Path,
    workdir: Path = Path("runs/music_vae_prior"),
    steps: TrainingSteps = 6000,
    model: LatentDiffusion = MODEL,
    task: LatentSequences = LatentSequences(parts=1, batch=256, transpose=5),
    optimizer: Adam = Adam(1e-3),
    options: Options = Options(ema=0.999, save_every=1000),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains a prior on the latents of phrases, and evaluates their space.

    Args:
        vae: run of a MusicVAE on phrases of one length.
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: phrases to write at the end.
    """
    return train_on_latents(
        model,
        task,
        vae=vae,
        name="music_vae_prior",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=functools.partial(prior_metrics, workdir=workdir),
    )


if __name__ == "__main__":
    launch(music_vae_prior)
