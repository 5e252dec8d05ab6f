"""A vocoder of mel spectra, trained on notes of every instrument.

python experiments/sound/vocoder_mel.py --workdir runs/vocoder_mel
"""

from pathlib import Path
from typing import Any

from zoo.evaluation.audio import AudioEvaluation
from zoo.models import MelVocoder
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Audio
from zoo.train.optim import Adam
from zoo.train.options import Options


def vocoder_mel(
    workdir: Path = Path("runs/vocoder_mel"),
    steps: TrainingSteps = 4000,
    model: MelVocoder = MelVocoder(width=48, factors=(4, 4)),
    task: Audio = Audio(length=8192),
    optimizer: Adam = Adam(rate=5e-4, last=0.01),
    options: Options = Options(save_every=500, ema=0.999),
    evaluation: AudioEvaluation = AudioEvaluation(),
    samples: Examples = 12,
) -> dict[str, Any]:
    """Trains a MelVocoder, and evaluates its reconstructions of held-out audio.

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
        name="vocoder_mel",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=evaluation,
    )


if __name__ == "__main__":
    launch(vocoder_mel)
