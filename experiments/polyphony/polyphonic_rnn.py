"""An RNN-NADE of piano rolls: the keys of a frame depend on each other.

python experiments/polyphony/polyphonic_rnn.py --corpus JSB_Chorales.mat
"""

from pathlib import Path
from typing import Any

from zoo.models import PolyphonicRNN
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Frames
from zoo.train.optim import Adam
from zoo.train.options import Options


def polyphonic_rnn(
    workdir: Path = Path("runs/polyphonic_rnn"),
    steps: TrainingSteps = 1500,
    model: PolyphonicRNN = PolyphonicRNN(dropout=0.5),
    task: Frames = Frames(corpus="JSB_Chorales.mat", length=128),
    optimizer: Adam = Adam(3e-3),
    options: Options = Options(ema=0.99, save_every=100),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains an LSTM to predict the next frame of a piano roll.

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
        name="polyphonic_rnn",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(polyphonic_rnn)
