"""Folk tunes and their chords as piano rolls in eighths, with an n-gram cache.

python experiments/polyphony/polyphonic_nottingham.py --corpus Nottingham.mat
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
SHORT = 1, 2, 3, 4, 6, 8, 12, 16
LONG = 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32
CHAINS = (
    Chain(LONG, TUNE, relative=True),
    Chain(LONG, TUNE),
    Chain(SHORT, relative=True),
    Chain(SHORT),
    Chain(LONG, TUNE, own=True),
    Chain(SHORT, own=True),
)


def polyphonic_nottingham(
    workdir: Path = Path("runs/polyphonic_nottingham"),
    steps: TrainingSteps = 800,
    model: NoteTransformer = NoteTransformer(depth=1, dropout=0.1, bar=4),
    task: Frames = Frames(corpus="Nottingham.mat", batch=8, steps_per_quarter=2),
    optimizer: Adam = Adam(2e-3, decay=0.1),
    options: Options = Options(ema=0.99, save_every=200),
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
        name="polyphonic_nottingham",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=with_ngram_cache(CHAINS),
    )


if __name__ == "__main__":
    launch(polyphonic_nottingham)
