"""Notes of every instrument as a few latents a second, and back.

python experiments/vocoder_notes.py --workdir runs/vocoder_notes
"""

from pathlib import Path
from typing import Any

from zoo.data.sound import open_split, sounds
from zoo.experiment import launch
from zoo.models import VariationalVocoder
from zoo.sound_figures import figures
from zoo.sounding import Audio, sounding
from zoo.train.loop import Options
from zoo.train.optim import Adam


def vocoder_notes(
    workdir: Path = Path("runs/vocoder_notes"),
    steps: int = 20_000,
    warm: int = 15_000,
    width: int = 48,
    latent: int = 32,
    factors: tuple[int, ...] = (4, 4, 2),
    beta: float = 0.01,
    mel: int = 0,
    causal: bool = True,
    audio: Audio = Audio(),
    adam: Adam = Adam(rate=1e-3),
    options: Options = Options(save_every=1000),
    measured: int = 320,
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
        mel: bands of a mel spectrum that takes the encoder's place; 0 for none.
        causal: whether it can go on in blocks.
        audio: what to train on.
        adam: the update rule.
        options: how the run is run.
        measured: excerpts of the test split that are measured.
        samples: of them, those to listen to.
    """
    fields = {"width": width, "latent": latent, "factors": factors, "beta": beta, "warm": warm}
    family = lambda rate: VariationalVocoder(rate=rate, mel=mel, causal=causal, **fields)  # type: ignore[arg-type]
    test = lambda: open_split(sounds(audio.corpus, audio.hertz, audio.seconds), "test")
    return sounding(
        family,
        name="vocoder_notes",
        workdir=workdir,
        steps=steps,
        audio=audio,
        adam=adam,
        options=options,
        samples=samples,
        finish=lambda model, _: figures(model, test(), measured),
    )


if __name__ == "__main__":
    launch(vocoder_notes)
