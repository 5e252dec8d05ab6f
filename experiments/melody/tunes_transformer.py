"""A Transformer over the events of dance tunes, which sees all of a tune at once.

python experiments/melody/tunes_transformer.py --workdir runs/tunes_transformer --steps 1500
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Music, events, launch

from zoo.models import Transformer
from zoo.nn.sequence.attention import Position
from zoo.train.optim import Adam
from zoo.train.options import Options


def tunes_transformer(
    workdir: Path = Path("runs/tunes_transformer"),
    steps: int = 1500,
    width: int = 128,
    layers: int = 4,
    heads: int = 4,
    dropout: float = 0.1,
    position: Position = "rotary",
    remat: bool = False,
    music: Music = Music(),
    adam: Adam = Adam(2e-3),
    options: Options = Options(ema=0.99, save_every=250),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains a Transformer to predict the next event.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        width: width of a layer.
        layers: layers, each reading the one below.
        heads: heads that attend side by side in a layer.
        dropout: fraction of activations left out in training.
        position: what tells events apart by their distance, rotary or relative.
        remat: compute layers twice rather than keep them, for rows too long to hold.
        music: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return events(
        lambda vocab: Transformer(
            vocab,
            width,
            layers,
            heads=heads,
            dropout=dropout,
            length=music.length,
            position=position,
            remat=remat,
        ),
        name="tunes_transformer",
        workdir=workdir,
        steps=steps,
        music=music,
        adam=adam,
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(tunes_transformer)
