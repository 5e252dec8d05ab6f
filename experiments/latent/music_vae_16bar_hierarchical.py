"""MusicVAE on sixteen bars, read and written bar by bar (Roberts et al. 2018, table 1).

python experiments/latent/music_vae_16bar_hierarchical.py --workdir runs/music_vae_16bar_hierarchical
"""

from pathlib import Path
from typing import Any

from music_vae_2bar import music_vae_2bar
from zoo.runner.experiment import Bars, launch

from zoo.train.optim import Adam
from zoo.train.options import Options

BARS = Bars(bars=16, batch=32)
OPTIONS = Options(ema=0.99, save_every=250, bf16=True)


def music_vae_16bar_hierarchical(
    workdir: Path = Path("runs/music_vae_16bar_hierarchical"),
    steps: int = 3000,
    latent: int = 512,
    encoder: tuple[int, ...] = (256,),
    summary: int = 256,
    conductor: int = 256,
    decoder: tuple[int, ...] = (256, 256),
    beta: float = 0.05,
    bars: Bars = BARS,
    adam: Adam = Adam(2e-3),
    options: Options = OPTIONS,
    samples: int = 8,
    name: str = "music_vae_16bar_hierarchical",
) -> dict[str, Any]:
    """Trains a variational autoencoder of sixteen bars, and measures what comes back.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        latent: dimensions of the space.
        encoder: units of each bidirectional layer that reads a bar.
        summary: units of the one that reads what was read of each; 0 to read all as a whole.
        conductor: units of the layer that tells each bar what it is about; 0 for a flat decoder.
        decoder: units of each layer that writes.
        beta: what a nat of the rate costs in the end.
        bars: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
        name: what the result is called.
    """
    return music_vae_2bar(
        workdir,
        steps,
        latent=latent,
        encoder=encoder,
        summary=summary,
        conductor=conductor,
        decoder=decoder,
        beta=beta,
        bars=bars,
        adam=adam,
        options=options,
        samples=samples,
        steered=0,
        name=name,
    )


if __name__ == "__main__":
    launch(music_vae_16bar_hierarchical)
