"""The RNN-NADE on piano rolls: chords whose keys know of each other.

python experiments/polyphony/polyphonic_rnn.py --data JSB_Chorales.mat --workdir runs/polyphonic_rnn
"""

from pathlib import Path
from typing import Any, Literal

from zoo.runner.experiment import Frames, frames, launch

from zoo.models import PolyphonicRNN
from zoo.train.optim import Adam
from zoo.train.options import Options


def polyphonic_rnn(
    data: Path,
    workdir: Path = Path("runs/polyphonic_rnn"),
    steps: int = 1500,
    output: Literal["bernoulli", "nade"] = "nade",
    width: int = 256,
    layers: int = 1,
    hidden: int = 128,
    dropout: float = 0.5,
    batch: int = 16,
    length: int = 128,
    transpose: int = 0,
    adam: Adam = Adam(3e-3),
    options: Options = Options(ema=0.99, save_every=100),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains an LSTM to predict the next frame of a piano roll.

    Args:
        data: JSB_Chorales.mat or Nottingham.mat; the README says where they are.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        output: every key on its own, or one after another.
        width: units in a layer.
        layers: layers, each reading the one below.
        hidden: units of the NADE.
        dropout: fraction of activations left out in training.
        batch: rows in a batch.
        length: frames in a row, and in a sample.
        transpose: most semitones up or down by which a piece is moved, at random, in training.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return frames(
        lambda keys: PolyphonicRNN(
            keys,
            width,
            layers,
            output=output,
            hidden=hidden,
            dropout=dropout,
            length=length,
        ),
        name="polyphonic_rnn",
        workdir=workdir,
        steps=steps,
        frames=Frames(str(data), batch, length, transpose, steps_per_quarter=1),
        adam=adam,
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(polyphonic_rnn)
