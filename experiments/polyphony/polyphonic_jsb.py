"""Bach's chorales as piano rolls in quarters, note by note, with an n-gram cache.

python experiments/polyphony/polyphonic_jsb.py --corpus JSB_Chorales.mat
"""

from pathlib import Path
from typing import Any

from zoo.evaluation.ngram_cache import OWN, Chain, with_ngram_cache
from zoo.models import NoteTransformer
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Frames
from zoo.train.optim import Adam
from zoo.train.options import Options

TUNE = 0, OWN  # the melody, and the note that is predicted
SHORT, LONG = tuple(range(1, 9)), tuple(range(1, 13))
CHAINS = (
    Chain(LONG, TUNE, relative=True),
    Chain(LONG, TUNE),
    Chain(SHORT, relative=True),
    Chain(SHORT),
    Chain(SHORT, TUNE, relative=True, own=True),
    Chain(SHORT, TUNE, own=True),
    Chain(SHORT, own=True),
)


def polyphonic_jsb(
    workdir: Path = Path("runs/polyphonic_jsb"),
    steps: TrainingSteps = 700,
    model: NoteTransformer = NoteTransformer(width=96, members=2),
    task: Frames = Frames(corpus="JSB_Chorales.mat", batch=12, length=96),
    optimizer: Adam = Adam(2e-3, decay=0.1),
    options: Options = Options(ema=0.99, save_every=100),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains a NoteTransformer; reports nats per frame with and without the cache.

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
        name="polyphonic_jsb",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=with_ngram_cache(CHAINS),
    )


if __name__ == "__main__":
    launch(polyphonic_jsb)
