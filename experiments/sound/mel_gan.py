"""A vocoder of mel spectra without a draft, trained on notes of every instrument.

python experiments/sound/mel_gan.py --workdir runs/mel_gan
"""

from pathlib import Path
from typing import Any

from zoo.evaluation.audio import AudioEvaluation
from zoo.models import MelGAN
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Audio
from zoo.train.optim import Adam
from zoo.train.options import Options


def mel_gan(
    workdir: Path = Path("runs/mel_gan"),
    steps: TrainingSteps = 8000,
    model: MelGAN = MelGAN(warm=7000),
    task: Audio = Audio(length=8192, batch=8),
    optimizer: Adam = Adam(rate=1e-3, last=0.05),
    options: Options = Options(save_every=250, ema=0.995),
    evaluation: AudioEvaluation = AudioEvaluation(),
    samples: Examples = 12,
) -> dict[str, Any]:
    """Trains a MelGAN, and evaluates its reconstructions of held-out audio.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the recordings, and how they are batched.
        optimizer: the update rule.
        options: how the run is executed.
        evaluation: how the model is evaluated at the end.
        samples: excerpts of the test split to reconstruct at the end.
    """
    return train(
        model,
        task,
        name="mel_gan",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=evaluation,
    )


if __name__ == "__main__":
    launch(mel_gan)
