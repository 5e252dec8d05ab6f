"""An LSTM over the events of dance tunes.

python experiments/melody/tunes_lstm.py --workdir runs/tunes_lstm --steps 1500
"""

from pathlib import Path
from typing import Any

from zoo.models import LSTM
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Events
from zoo.train.optim import Adam
from zoo.train.options import Options

MODEL = LSTM(embed=64, width=256, dropout=0.2)


def tunes_lstm(
    workdir: Path = Path("runs/tunes_lstm"),
    steps: TrainingSteps = 1500,
    model: LSTM = MODEL,
    task: Events = Events(transpose=0),
    optimizer: Adam = Adam(5e-3),
    options: Options = Options(ema=0.99, save_every=250),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains an LSTM to predict the next event.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: pieces to write at the end.
    """
    return train(
        model,
        task,
        name="tunes_lstm",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(tunes_lstm)
