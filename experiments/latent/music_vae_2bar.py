"""MusicVAE on phrases of two bars: every one a point, and the way back (Roberts et al. 2018).

python experiments/latent/music_vae_2bar.py --workdir runs/music_vae_2bar

The price of the rate rises slowly: a model that is charged for it before it can tell phrases apart
is long in learning to. Two trials with `--anneal 0.999`, held-out phrases at step 2,500: 0.77 of
the steps right at 31 nats with `--beta 0.2`, 0.96 at 185 with 0.02. In 10,000 steps, `--beta 0.1`
gave 0.976 at 79 nats.
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Bars, launch, phrases

from zoo.evaluation.vae import appraise
from zoo.models import MusicVAE
from zoo.train.optim import Adam
from zoo.train.options import Options


def music_vae_2bar(
    workdir: Path = Path("runs/music_vae_2bar"),
    steps: int = 10000,
    latent: int = 256,
    encoder: tuple[int, ...] = (512,),
    decoder: tuple[int, ...] = (256, 256),
    summary: int = 0,
    conductor: int = 0,
    beta: float = 0.02,
    anneal: float = 0.9998,
    free: float = 0.0,
    schedule: float = 0.0,
    bars: Bars = Bars(),
    adam: Adam = Adam(2e-3),
    options: Options = Options(ema=0.999, save_every=500, bf16=True),
    samples: int = 8,
    steered: int = 32,
    name: str = "music_vae_2bar",
) -> dict[str, Any]:
    """Trains a variational autoencoder of phrases, and measures what comes back and at what rate.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        latent: dimensions of the space.
        encoder: units of each bidirectional layer that reads.
        decoder: units of each layer that writes.
        summary: units of the layer that reads what was read of each bar; 0 to read all as a whole.
        conductor: units of the one that tells each bar what it is about; 0 for a flat decoder.
        beta: what a nat of the rate costs in the end.
        anneal: what is left of the way to beta shrinks by this factor at every step.
        free: nats of a phrase that cost nothing.
        schedule: steps in which teacher forcing gives way to the model's own tokens; 0 for never.
        bars: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
        steered: phrases whose attributes are moved, to measure how well that goes; 0 for none.
        name: what the result is called.
    """
    return phrases(
        lambda codec: MusicVAE(
            vocab=codec.vocab,
            bars=codec.bars,
            steps=codec.bar,
            voices=getattr(codec, "voices", 1),
            latent=latent,
            encoder=encoder,
            decoder=decoder,
            summary=summary,
            conductor=conductor,
            beta=beta,
            kl_anneal=anneal,
            free_nats=free,
            styles=bars.styles,
            sampling_schedule=schedule,
        ),
        name=name,
        workdir=workdir,
        steps=steps,
        bars=bars,
        adam=adam,
        options=options,
        samples=samples,
        finish=lambda model, whole: appraise(model, whole, workdir, steered),
    )


if __name__ == "__main__":
    launch(music_vae_2bar)
