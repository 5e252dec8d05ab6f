"""A Markov chain counted on dance tunes: the baseline that every other model is read against.

python experiments/tunes_markov.py --workdir runs/tunes_markov --order 3
"""

from pathlib import Path
from typing import Any

from zoo.experiment import Music, events, launch
from zoo.models import Markov
from zoo.train.loop import Options
from zoo.train.optim import Adam


def tunes_markov(
    workdir: Path = Path("runs/tunes_markov"),
    steps: int = 1000,
    order: int = 2,
    smoothing: float = 5.0,
    music: Music = Music(),
    options: Options = Options(save_every=200),
    samples: int = 8,
) -> dict[str, Any]:
    """Counts a Markov chain over events; a step counts one batch.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to count.
        order: events remembered.
        smoothing: observed events that the estimate of the next lower order is worth.
        music: the corpus and how it is cut.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return events(
        lambda vocab: Markov(vocab, order, smoothing, music.length),
        name="tunes_markov",
        workdir=workdir,
        steps=steps,
        music=music,
        adam=Adam(),
        options=options,
        samples=samples,
    )


if __name__ == "__main__":
    launch(tunes_markov)
