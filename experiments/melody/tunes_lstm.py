"""The temporal model: an LSTM over the events of dance tunes.

python experiments/melody/tunes_lstm.py --workdir runs/tunes_lstm --steps 1500
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Music, events, launch

from zoo.models import LSTM
from zoo.train.optim import Adam
from zoo.train.options import Options


def tunes_lstm(
    workdir: Path = Path("runs/tunes_lstm"),
    steps: int = 1500,
    width: int = 256,
    layers: int = 2,
    embed: int = 64,
    dropout: float = 0.2,
    segment: int | None = None,
    music: Music = Music(),
    adam: Adam = Adam(5e-3),
    options: Options = Options(ema=0.99, save_every=250),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains an LSTM to predict the next event.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        width: units in a layer.
        layers: layers, each reading the one below.
        embed: width of an event's embedding.
        dropout: fraction of activations left out in training.
        segment: events a gradient reaches back over, for rows too long to hold (all of the row).
        music: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return events(
        lambda vocab: LSTM(
            vocab,
            embed,
            width,
            layers=layers,
            dropout=dropout,
            length=music.length,
            segment=segment,
        ),
        name="tunes_lstm",
        workdir=workdir,
        steps=steps,
        music=music,
        adam=adam,
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(tunes_lstm)
