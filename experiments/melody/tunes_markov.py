"""A Markov chain counted on dance tunes: the baseline of every other model of events.

python experiments/melody/tunes_markov.py --workdir runs/tunes_markov --order 8

Nats per event of the validation split, by order and slots; in brackets, with exact
counts: order 8: 1.209 with 2**21, 1.201 with 2**22, 1.197 with 2**23 (1.192); order 12:
1.222, 1.200, 1.192 (1.185); order 16: 1.208 with 2**22, 1.192 with 2**23, 1.186 with
2**24 (1.182). The discounts were tuned for order 12; those estimated from the counts of
counts (Chen & Goodman) give 1.214.
"""

from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.models import Markov
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Events
from zoo.train.options import Options

MODEL = Markov(order=12, slots=2**23, discounts=(0.94, 1.51, 1.86))


def tunes_markov(
    workdir: Path = Path("runs/tunes_markov"),
    steps: TrainingSteps | None = None,
    model: Markov = MODEL,
    task: Events = Events(batch=64, transpose=0),
    options: Options = Options(save_every=20),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Counts a Markov chain over events; a step counts one batch.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: batches to count; by default as many as hold every row once in each
            transposition. More would count the same evidence twice.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        options: how the run is executed.
        samples: pieces to write at the end.

    Raises:
        UsageError: an average of parameters is requested.
    """
    if options.ema:
        raise UsageError("counts are a sum, without an average: leave ema at 0.")
    return train(
        model,
        task,
        name="tunes_markov",
        workdir=workdir,
        steps=steps or task.epoch(),
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(tunes_markov)
