"""Notes of every instrument as a few latents a second, and back.

python experiments/sound/vocoder_notes.py --workdir runs/vocoder_notes
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import launch
from zoo.runner.sounding import Audio, sounding

from zoo.evaluation.audio import Heard
from zoo.models import VariationalVocoder
from zoo.train.optim import Adam
from zoo.train.options import Options


def vocoder_notes(
    workdir: Path = Path("runs/vocoder_notes"),
    steps: int = 12_000,
    warm: int = 12_000,
    width: int = 48,
    latent: int = 192,
    factors: tuple[int, ...] = (4, 4),
    beta: float = 4e-3,
    causal: bool = True,
    audio: Audio = Audio(length=4096, batch=32),
    adam: Adam = Adam(rate=5e-4, last=0.01),
    options: Options = Options(save_every=1000, ema=0.999),
    heard: Heard = Heard(),
    samples: int = 12,
) -> dict[str, Any]:
    """Trains a VariationalVocoder of the small kind, and measures what it gives back.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        warm: of them, those before the critic comes in.
        width: channels at the rate of the bands.
        latent: numbers in a frame of latents.
        factors: frames of bands to a frame of latents, by stage.
        beta: what a nat of a frame costs.
        causal: whether it can go on in blocks.
        audio: what to train on.
        adam: the update rule.
        options: how the run is run.
        heard: what is measured in the end.
        samples: of those trained on, held-out ones to listen to.
    """
    fields = {
        "width": width,
        "latent": latent,
        "factors": factors,
        "beta": beta,
        "warm": warm,
    }
    family = lambda rate: VariationalVocoder(rate=rate, causal=causal, **fields)  # type: ignore[arg-type]
    return sounding(
        family,
        name="vocoder_notes",
        workdir=workdir,
        steps=steps,
        audio=audio,
        adam=adam,
        options=options,
        samples=samples,
        finish=heard.finish(audio),
    )


if __name__ == "__main__":
    launch(vocoder_notes)
