"""Notes of every instrument from their mel spectra: the vocoder of whatever writes those.

python experiments/sound/vocoder_mel.py --workdir runs/vocoder_mel
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import launch
from zoo.runner.sounding import Audio, sounding

from zoo.evaluation.audio import Heard
from zoo.models import MelVocoder
from zoo.train.optim import Adam
from zoo.train.options import Options


def vocoder_mel(
    workdir: Path = Path("runs/vocoder_mel"),
    steps: int = 4000,
    mel: int = 80,
    width: int = 48,
    factors: tuple[int, ...] = (4, 4),
    audio: Audio = Audio(length=8192, batch=16),
    adam: Adam = Adam(rate=5e-4, last=0.01),
    options: Options = Options(save_every=500, ema=0.999),
    heard: Heard = Heard(),
    samples: int = 12,
) -> dict[str, Any]:
    """Trains a MelVocoder, and evaluates its reconstructions of held-out audio.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        mel: bands of the spectrum.
        width: channels at the rate of the vocoder's bands.
        factors: frames of those to one of the spectrum, by stage.
        audio: what to train on.
        adam: the update rule.
        options: how the run is run.
        heard: what is measured in the end.
        samples: of those trained on, held-out ones to listen to.
    """
    return sounding(
        lambda rate: MelVocoder(
            rate=rate, mel_bands=mel, width=width, factors=factors, warm=steps
        ),
        name="vocoder_mel",
        workdir=workdir,
        steps=steps,
        audio=audio,
        adam=adam,
        options=options,
        samples=samples,
        finish=heard.finish(audio),
    )


if __name__ == "__main__":
    launch(vocoder_mel)
