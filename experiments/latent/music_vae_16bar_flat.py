"""The same as music_vae_16bar_hierarchical without a conductor, at as many parameters.

python experiments/latent/music_vae_16bar_flat.py --workdir runs/music_vae_16bar_flat
"""

from pathlib import Path
from typing import Any

from music_vae_16bar_hierarchical import BARS, OPTIONS, music_vae_16bar_hierarchical
from zoo.runner.experiment import Bars, launch

from zoo.train.optim import Adam
from zoo.train.options import Options


def music_vae_16bar_flat(
    workdir: Path = Path("runs/music_vae_16bar_flat"),
    steps: int = 3000,
    decoder: tuple[int, ...] = (312, 312),
    beta: float = 0.05,
    bars: Bars = BARS,
    adam: Adam = Adam(2e-3),
    options: Options = OPTIONS,
    samples: int = 8,
) -> dict[str, Any]:
    """Trains a variational autoencoder of sixteen bars that writes them in one go.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        decoder: units of each layer that writes.
        beta: what a nat of the rate costs in the end.
        bars: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return music_vae_16bar_hierarchical(
        workdir,
        steps,
        conductor=0,
        decoder=decoder,
        beta=beta,
        bars=bars,
        adam=adam,
        options=options,
        samples=samples,
        name="music_vae_16bar_flat",
    )


if __name__ == "__main__":
    launch(music_vae_16bar_flat)
