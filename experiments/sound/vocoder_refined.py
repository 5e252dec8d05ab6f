"""Adversarial training of a vocoder's decoder, with its encoder frozen (RAVE).

python experiments/sound/vocoder_refined.py --vocoder runs/vocoder_notes

Caillon & Esling 2021, arXiv:2111.05011.
"""

import dataclasses
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.evaluation.audio import AudioEvaluation
from zoo.inference.loading import load
from zoo.inference.shipped import resolve
from zoo.ranges import Examples, TrainingSteps, Weight
from zoo.runner import launch, train
from zoo.tasks import Audio
from zoo.train.optim import Adam
from zoo.train.options import Options


def vocoder_refined(
    vocoder: Path,
    workdir: Path = Path("runs/vocoder_refined"),
    steps: TrainingSteps = 2000,
    matching_weight: Weight = 10.0,
    game: str = "hinge",
    task: Audio = Audio(length=8192),
    optimizer: Adam = Adam(rate=1e-4, last=0.01),
    options: Options = Options(save_every=500, ema=0.999),
    evaluation: AudioEvaluation = AudioEvaluation(),
    samples: Examples = 12,
) -> dict[str, Any]:
    """Refines the decoder of a VariationalVocoder, and evaluates its reconstructions.

    Args:
        vocoder: run of a vocoder to start from.
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        matching_weight: weight of the feature matching loss.
        game: pairing of the losses of critic and generator.
        task: the recordings, and how they are batched.
        optimizer: the update rule of decoder and critic.
        options: how the run is executed.
        evaluation: how the model is evaluated at the end.
        samples: excerpts of the test split to reconstruct at the end.

    Raises:
        UsageError: the vocoder has another sampling rate than the task.
    """
    model = load(vocoder, accept_licence=options.accept_licence)
    if model.family.rate != task.hertz:
        raise UsageError(
            f"{vocoder} has a sampling rate of {model.family.rate} Hz, and the "
            "task one "
            f"of {task.hertz}: choose hertz={model.family.rate}."
        )
    family = dataclasses.replace(
        model.family, warm=0, matching_weight=matching_weight, game=game
    )
    return train(
        family,
        task,
        name="vocoder_refined",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=evaluation,
        pretrained={
            name: network for name, network in model.params.items() if name != "critic"
        },
        origins=[resolve(vocoder)],
    )


if __name__ == "__main__":
    launch(vocoder_refined)
