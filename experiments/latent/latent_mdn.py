"""The baseline of latent_diffusion: the latents of a MusicVAE one after the other.

python experiments/latent/latent_mdn.py --vae runs/music_vae_2bar --workdir runs/latent_mdn
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import launch
from zoo.runner.latent_pieces import Rounds, rounds

from zoo.models import LatentMDN
from zoo.train.optim import Adam
from zoo.train.options import Options


def latent_mdn(
    vae: Path,
    workdir: Path = Path("runs/latent_mdn"),
    steps: int = 3000,
    axes: int = 64,
    width: int = 256,
    layers: int = 4,
    heads: int = 4,
    mixtures: int = 16,
    dropout: float = 0.1,
    music: Rounds = Rounds(),
    adam: Adam = Adam(1e-3),
    options: Options = Options(ema=0.999, save_every=1000),
    samples: int = 8,
    drawn: int = 128,
) -> dict[str, Any]:
    """Trains a Transformer with mixtures of normal distributions for an output.

    Args:
        vae: the run of a MusicVAE on phrases of two bars.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        axes: principal axes of the latents that it reads and writes, or all where there are fewer.
        width: units in a layer.
        layers: blocks of the Transformer.
        heads: of its attention.
        mixtures: normal distributions that each next phrase is a mixture of.
        dropout: fraction of activations left out in training.
        music: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
        drawn: pieces to draw for the comparison; 0 for none.
    """
    return rounds(
        lambda vae, styles: LatentMDN(
            vae,
            music.parts,
            min(axes, vae.latent),
            width=width,
            layers=layers,
            heads=heads,
            mixtures=mixtures,
            styles=styles,
            dropout=dropout,
        ),
        vae=vae,
        name="latent_mdn",
        workdir=workdir,
        steps=steps,
        music=music,
        adam=adam,
        options=options,
        samples=samples,
        drawn=drawn,
    )


if __name__ == "__main__":
    launch(latent_mdn)
