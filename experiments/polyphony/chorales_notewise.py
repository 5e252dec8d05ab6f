"""Bach's chorales as four voices in 16ths, note by note, with an n-gram cache.

python experiments/polyphony/chorales_notewise.py --corpus Jsb16thSeparated.json
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

TUNE = 0, OWN  # the soprano, and the voice that is predicted
SHORT = 1, 2, 4, 8, 12, 16, 24, 32, 48
LONG = 1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64
CHAINS = (
    Chain(LONG, TUNE, relative=True),
    Chain(SHORT, relative=True),
    Chain(LONG, TUNE, own=True),
    Chain(SHORT, own=True),
)
TASK = Frames(corpus="Jsb16thSeparated.json", codec="voices", length=128, transpose=5)


def chorales_notewise(
    workdir: Path = Path("runs/chorales_notewise"),
    steps: TrainingSteps = 1000,
    model: NoteTransformer = NoteTransformer(roll=False, dropout=0.15, bar=4),
    task: Frames = TASK,
    optimizer: Adam = Adam(2e-3, decay=0.1),
    options: Options = Options(ema=0.99, save_every=200),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains a NoteTransformer; reports nats per 16th with and without the cache.

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
        name="chorales_notewise",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=with_ngram_cache(CHAINS),
    )


if __name__ == "__main__":
    launch(chorales_notewise)
