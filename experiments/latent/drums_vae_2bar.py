"""MusicVAE on two bars of drums: which of nine are struck on each 16th (Roberts et al. 2018).

python experiments/latent/drums_vae_2bar.py --workdir runs/drums_vae_2bar

The corpus `groove` takes TensorFlow to fetch; folder:/PATH/TO/groove, the same unpacked, none.
"""

from pathlib import Path
from typing import Any

from music_vae_2bar import music_vae_2bar
from zoo.runner.experiment import Bars, launch

from zoo.train.optim import Adam
from zoo.train.options import Options


def drums_vae_2bar(
    workdir: Path = Path("runs/drums_vae_2bar"),
    corpus: str = "groove",
    steps: int = 4000,
    beta: float = 0.1,
    batch: int = 128,
    adam: Adam = Adam(2e-3),
    options: Options = Options(ema=0.99, save_every=500, bf16=True),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains a variational autoencoder of drum patterns, and measures what comes back.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        corpus: groove, or folder:/path/to/your/files.
        steps: batches to train on.
        beta: what a nat of the rate costs in the end.
        batch: phrases in a batch, over all devices.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return music_vae_2bar(
        workdir,
        steps,
        beta=beta,
        bars=Bars(corpus, batch=batch, transpose=0, codec="drums"),
        adam=adam,
        options=options,
        samples=samples,
        steered=0,
        name="drums_vae_2bar",
    )


if __name__ == "__main__":
    launch(drums_vae_2bar)
