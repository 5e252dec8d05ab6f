"""The baseline of latent_diffusion: an autoregressive model of a MusicVAE's latents.

python experiments/latent/latent_mdn.py --vae runs/music_vae_2bar
"""

from pathlib import Path
from typing import Any

from zoo.models import LatentMDN
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train_on_latents
from zoo.tasks import LatentSequences
from zoo.train.optim import Adam
from zoo.train.options import Options


def latent_mdn(
    vae: Path,
    workdir: Path = Path("runs/latent_mdn"),
    steps: TrainingSteps = 3000,
    model: LatentMDN = LatentMDN(width=256, layers=4, heads=4, dropout=0.1),
    task: LatentSequences = LatentSequences(),
    optimizer: Adam = Adam(1e-3),
    options: Options = Options(ema=0.999, save_every=1000),
    samples: Examples = 8,
    drawn: Examples = 128,
) -> dict[str, Any]:
    """Trains a Transformer whose outputs are mixtures of normal distributions.

    Args:
        vae: run of a MusicVAE on phrases of two bars.
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: pieces to write at the end.
        drawn: pieces to generate for the comparison; 0 for none.
    """
    return train_on_latents(
        model,
        task,
        vae=vae,
        name="latent_mdn",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        compared=drawn,
    )


if __name__ == "__main__":
    launch(latent_mdn)
