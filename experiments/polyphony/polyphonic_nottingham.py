"""Folk tunes and their chords as piano rolls of eighths, with what is recalled of tunes.

python experiments/polyphony/polyphonic_nottingham.py --data Nottingham.mat
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Frames, frames, launch

from zoo.evaluation.ngram_cache import OWN, Chain, recalling
from zoo.models import NoteTransformer
from zoo.train.optim import Adam
from zoo.train.options import Options

TUNE = 0, OWN  # the melody, and the note that is asked for
NEAR, FAR = (
    (1, 2, 3, 4, 6, 8, 12, 16),
    (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32),
)
CHAINS = (
    Chain(FAR, TUNE, relative=True),
    Chain(FAR, TUNE),
    Chain(NEAR, relative=True),
    Chain(NEAR),
    Chain(FAR, TUNE, own=True),
    Chain(NEAR, own=True),
)


def polyphonic_nottingham(
    data: Path,
    workdir: Path = Path("runs/polyphonic_nottingham"),
    steps: int = 800,
    model: NoteTransformer = NoteTransformer(
        slots=9, depth=1, dropout=0.1, bar=4, length=256
    ),
    batch: int = 8,
    adam: Adam = Adam(2e-3, decay=0.1),
    options: Options = Options(ema=0.99, save_every=200),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains a NoteTransformer; nats per step over 88 keys, with and without what is recalled.

    Args:
        data: Nottingham.mat; the README says where it is.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        model: the network, and how many frames are in a row.
        batch: rows in a batch.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return frames(
        lambda keys: model,
        name="polyphonic_nottingham",
        workdir=workdir,
        steps=steps,
        frames=Frames(str(data), batch, model.length, steps_per_quarter=2),
        adam=adam,
        options=options,
        samples=samples,
        finish=recalling(CHAINS),
    )


if __name__ == "__main__":
    launch(polyphonic_nottingham)
