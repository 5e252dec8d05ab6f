"""Speech of four voices, as mel spectra from phonemes.

python experiments/sound/tacotron_voices.py --workdir runs/tacotron_voices
"""

from pathlib import Path
from typing import Any

from zoo.models import Tacotron
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Speech
from zoo.train.optim import Adam
from zoo.train.options import Options

VOICES = "spoken:flite/slt+flite/rms+flite/awb+flite/kal16"


def tacotron_voices(
    workdir: Path = Path("runs/tacotron_voices"),
    steps: TrainingSteps = 6000,
    model: Tacotron = Tacotron(),
    task: Speech = Speech(corpus=VOICES),
    optimizer: Adam = Adam(rate=2e-3, last=0.05),
    options: Options = Options(save_every=500, ema=0.995),
    samples: Examples = 12,
) -> dict[str, Any]:
    """Trains a Tacotron.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the speech, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: sentences of the test split to write at the end.
    """
    return train(
        model,
        task,
        name="tacotron_voices",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(tacotron_voices)
