"""Bach's chorales as four voices on 16ths, note by note, with what is recalled of chorales.

python experiments/polyphony/chorales_notewise.py --data Jsb16thSeparated.json
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Frames, frames, launch

from zoo.evaluation.ngram_cache import OWN, Chain, recalling
from zoo.models import NoteTransformer
from zoo.train.optim import Adam
from zoo.train.options import Options

TUNE = 0, OWN  # the soprano, and the voice that is asked for
NEAR = 1, 2, 4, 8, 12, 16, 24, 32, 48
FAR = 1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64
CHAINS = (
    Chain(FAR, TUNE, relative=True),
    Chain(NEAR, relative=True),
    Chain(FAR, TUNE, own=True),
    Chain(NEAR, own=True),
)


def chorales_notewise(
    data: Path,
    workdir: Path = Path("runs/chorales_notewise"),
    steps: int = 1000,
    model: NoteTransformer = NoteTransformer(
        keys=49, roll=False, dropout=0.15, bar=4, length=128
    ),
    batch: int = 16,
    transpose: int = 5,
    adam: Adam = Adam(2e-3, decay=0.1),
    options: Options = Options(ema=0.99, save_every=200),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains a NoteTransformer; nats per note of a voice, four to a 16th, with recall and without.

    Args:
        data: Jsb16thSeparated.json; the README says where it is.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        model: the network, and how many frames are in a row.
        batch: rows in a batch.
        transpose: most semitones by which a crop is moved, at random, in training.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return frames(
        lambda keys: model,
        name="chorales_notewise",
        workdir=workdir,
        steps=steps,
        frames=Frames(str(data), batch, model.length, transpose),
        adam=adam,
        options=options,
        samples=samples,
        finish=recalling(CHAINS),
    )


if __name__ == "__main__":
    launch(chorales_notewise)
