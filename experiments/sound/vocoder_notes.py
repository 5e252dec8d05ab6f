"""An autoencoder of notes of every instrument, with few latents per second.

python experiments/sound/vocoder_notes.py --workdir runs/vocoder_notes
"""

from pathlib import Path
from typing import Any

from zoo.evaluation.audio import AudioEvaluation
from zoo.models import VariationalVocoder
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Audio
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = VariationalVocoder(width=48, latent=192, factors=(4, 4), beta=4e-3, warm=12_000)


def vocoder_notes(
    workdir: Path = Path("runs/vocoder_notes"),
    steps: TrainingSteps = 12_000,
    model: VariationalVocoder = MODEL,
    task: Audio = Audio(length=4096, batch=32),
    optimizer: Adam = Adam(rate=5e-4, last=0.01),
    options: Options = Options(save_every=1000, ema=0.999),
    evaluation: AudioEvaluation = AudioEvaluation(),
    samples: Examples = 12,
) -> dict[str, Any]:
    """Trains a small VariationalVocoder, and evaluates its reconstructions.

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
        name="vocoder_notes",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=evaluation,
    )


if __name__ == "__main__":
    launch(vocoder_notes)
