"""SeqGAN on the notes of dance tunes: trained by likelihood, then against a critic.

python experiments/games/seqgan_tunes.py --workdir runs/seqgan_tunes

Each stage is a run. The first is in WORKDIR/likelihood: the second starts from its
model, and is compared with it.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any

from zoo.errors import require
from zoo.evaluation.compound import note_row_metrics
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.models import SeqGAN
from zoo.ranges import Examples, LearningRate, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import NoteRows, Task
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = SeqGAN(
    length=32,
    embed=64,
    width=256,
    filters=((1, 64), (2, 128), (3, 128), (4, 128), (6, 128), (8, 64)),
    warmup=3000,
    critic_warmup=1500,
    critic_steps=3,
    rollouts=8,
)


def seqgan_tunes(
    workdir: Path = Path("runs/seqgan_tunes"),
    turns: TrainingSteps = 200,
    model: SeqGAN = MODEL,
    task: NoteRows = NoteRows(),
    rate: LearningRate = 2e-3,
    generator_rate: LearningRate = 1e-4,
    critic_rate: LearningRate = 3e-4,
    options: Options = Options(save_every=500),
    samples: Examples = 8,
    drawn: Examples = 1000,
    name: str = "seqgan_tunes",
) -> dict[str, Any]:
    """Trains a SeqGAN, and compares its music before and after adversarial training.

    Args:
        workdir: directory of the runs; the same one continues them.
        turns: steps of the generator in adversarial training.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        rate: learning rate of likelihood training.
        generator_rate: learning rate of the generator in adversarial training.
        critic_rate: learning rate of the critic.
        options: how the runs are executed.
        samples: pieces to write at the end of each.
        drawn: excerpts to generate for the comparison.
        name: name of the experiment in its records.
    """
    optimizers = {
        "likelihood": Adam(rate),
        "critic": Adam(critic_rate),
        "generator": Adam(generator_rate),
        "interleaved_likelihood": Adam(generator_rate),
    }
    require(model.warmup > 0, "`warmup` is 0: choose 1 or more, for the first stage.")
    stage = functools.partial(train, name=name, optimizer=optimizers, samples=samples)
    first = workdir / "likelihood"
    model = dataclasses.replace(model, length=task.length)
    stage(model, task, workdir=first, steps=model.warmup, options=options)

    def evaluate(trained: Model, task: Task) -> dict[str, float]:
        return note_row_metrics(trained, load(first), task, drawn)

    return stage(
        dataclasses.replace(model, warmup=0),
        task,
        workdir=workdir,
        steps=model.critic_warmup + turns * model.critic_steps,
        options=dataclasses.replace(options, init_from=str(first)),
        evaluate=evaluate,
    )


if __name__ == "__main__":
    launch(seqgan_tunes)
