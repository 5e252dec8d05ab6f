"""MusicVAE told of styles, so that its latents need not say them: what style transfer starts from.

python experiments/latent/music_vae_styles.py --workdir runs/music_vae_styles

The rate costs more than in music_vae_2bar: what z leaves open is what the style decides.
"""

from pathlib import Path
from typing import Any

from music_vae_2bar import music_vae_2bar
from zoo.runner.experiment import Bars, launch

from zoo.train.optim import Adam
from zoo.train.options import Options


def music_vae_styles(
    workdir: Path = Path("runs/music_vae_styles"),
    steps: int = 6000,
    beta: float = 0.2,
    anneal: float = 0.9995,
    bars: Bars = Bars("tunes+essen", styles=("irish", "german", "chinese")),
    adam: Adam = Adam(2e-3),
    options: Options = Options(ema=0.999, save_every=500, bf16=True),
    samples: int = 8,
    steered: int = 32,
) -> dict[str, Any]:
    """Trains a variational autoencoder of phrases of known styles.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        beta: what a nat of the rate costs in the end.
        anneal: what is left of the way to beta shrinks by this factor at every step.
        bars: the corpus, its styles and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
        steered: phrases whose attributes are moved, to measure how well that goes; 0 for none.
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
        steered=steered,
        name="music_vae_styles",
    )


if __name__ == "__main__":
    launch(music_vae_styles)
