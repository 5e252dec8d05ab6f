"""Bach's chorales as piano rolls of quarters, note by note, with what is recalled of chorales.

python experiments/polyphony/polyphonic_jsb.py --data JSB_Chorales.mat --workdir runs/polyphonic_jsb
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Frames, frames, launch

from zoo.evaluation.ngram_cache import OWN, Chain, recalling
from zoo.models import NoteTransformer
from zoo.train.optim import Adam
from zoo.train.options import Options

TUNE, NEAR, FAR = (0, OWN), tuple(range(1, 9)), tuple(range(1, 13))
CHAINS = (
    Chain(FAR, TUNE, relative=True),
    Chain(FAR, TUNE),
    Chain(NEAR, relative=True),
    Chain(NEAR),
    Chain(NEAR, TUNE, relative=True, own=True),
    Chain(NEAR, TUNE, own=True),
    Chain(NEAR, own=True),
)


def polyphonic_jsb(
    data: Path,
    workdir: Path = Path("runs/polyphonic_jsb"),
    steps: int = 700,
    model: NoteTransformer = NoteTransformer(width=96, members=2, length=96),
    batch: int = 12,
    adam: Adam = Adam(2e-3, decay=0.1),
    options: Options = Options(ema=0.99, save_every=100),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains a NoteTransformer; nats per step over 88 keys, with and without what is recalled.

    Args:
        data: JSB_Chorales.mat; the README says where it is.
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
        name="polyphonic_jsb",
        workdir=workdir,
        steps=steps,
        frames=Frames(str(data), batch, model.length),
        adam=adam,
        options=options,
        samples=samples,
        finish=recalling(CHAINS),
    )


if __name__ == "__main__":
    launch(polyphonic_jsb)
