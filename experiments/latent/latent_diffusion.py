"""Pieces of 64 bars by diffusion over the latents of a MusicVAE (Mittal et al. 2021).

python experiments/latent/latent_diffusion.py --vae runs/music_vae_2bar --workdir runs/latent_diffusion
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import launch
from zoo.runner.latent_pieces import Rounds, rounds

from zoo.models import LatentDiffusion
from zoo.train.optim import Adam
from zoo.train.options import Options


def latent_diffusion(
    vae: Path,
    workdir: Path = Path("runs/latent_diffusion"),
    steps: int = 18000,
    axes: int = 64,
    width: int = 256,
    layers: int = 4,
    heads: int = 4,
    calls: int = 25,
    music: Rounds = Rounds(),
    adam: Adam = Adam(1e-3),
    options: Options = Options(ema=0.999, save_every=1000),
    samples: int = 8,
    drawn: int = 128,
) -> dict[str, Any]:
    """Trains a diffusion model of latents, and compares its pieces with real ones.

    Args:
        vae: the run of a MusicVAE on phrases of two bars.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        axes: principal axes of the latents that it reads and writes, or all where there are fewer.
        width: units in a layer.
        layers: blocks of the Transformer.
        heads: of its attention.
        calls: of the network, to draw a piece.
        music: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
        drawn: pieces to draw for the comparison; 0 for none.
    """
    return rounds(
        lambda vae, styles: LatentDiffusion(
            vae,
            music.parts,
            min(axes, vae.latent),
            width=width,
            layers=layers,
            heads=heads,
            styles=styles,
            steps=calls,
        ),
        vae=vae,
        name="latent_diffusion",
        workdir=workdir,
        steps=steps,
        music=music,
        adam=adam,
        options=options,
        samples=samples,
        drawn=drawn,
    )


if __name__ == "__main__":
    launch(latent_diffusion)
