"""MusicVAE on two bars of four-voice chorales, where Roberts et al. 2018 have a trio.

python experiments/latent/music_vae_chorales.py --workdir runs/music_vae_chorales
"""

from pathlib import Path
from typing import Any

from music_vae_2bar import music_vae_2bar
from zoo.runner.experiment import Bars, launch

from zoo.train.optim import Adam
from zoo.train.options import Options

BARS = Bars("chorales", codec="quartet", metres=("4/4",), batch=64)
OPTIONS = Options(ema=0.999, save_every=500, bf16=True)


def music_vae_chorales(
    workdir: Path = Path("runs/music_vae_chorales"),
    steps: int = 4000,
    beta: float = 0.05,
    anneal: float = 0.9998,
    bars: Bars = BARS,
    adam: Adam = Adam(2e-3),
    options: Options = OPTIONS,
    samples: int = 8,
) -> dict[str, Any]:
    """Trains a variational autoencoder of four voices, and measures what comes back.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        beta: what a nat of the rate costs in the end.
        anneal: what is left of the way to beta shrinks by this factor at every step.
        bars: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return music_vae_2bar(
        workdir,
        steps,
        beta=beta,
        anneal=anneal,
        bars=bars,
        adam=adam,
        options=options,
        samples=samples,
        steered=0,
        name="music_vae_chorales",
    )


if __name__ == "__main__":
    launch(music_vae_chorales)
