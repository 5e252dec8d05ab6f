"""A Markov chain counted on dance tunes: the baseline that every other model is read against.

python experiments/melody/tunes_markov.py --workdir runs/tunes_markov --order 8

Nats per event of the validation split, by order and slots (in brackets: by counts without limit):
8: 1.209 with 2**21, 1.201 with 2**22, 1.197 with 2**23 (1.192); 12: 1.222, 1.200, 1.192 (1.185);
16: 1.208 with 2**22, 1.192 with 2**23, 1.186 with 2**24 (1.182). The discounts are the best for
order 12; those that Chen & Goodman estimate from the counts of counts give 1.214.
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Music, events, launch

from zoo.data.batching.batches import PackedRows
from zoo.data.batching.encoded import corpus_pieces
from zoo.data.codecs import make
from zoo.errors import UsageError
from zoo.models import Markov
from zoo.train.optim import Adam
from zoo.train.options import Options


def tunes_markov(
    workdir: Path = Path("runs/tunes_markov"),
    steps: int | None = None,
    order: int = 12,
    slots: int = 2**23,
    discounts: tuple[float, float, float] = (0.94, 1.51, 1.86),
    music: Music = Music(batch=64, transpose=0),
    options: Options = Options(save_every=20),
    samples: int = 8,
) -> dict[str, Any]:
    """Counts a Markov chain over events; a step counts one batch.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to count (as many as bring every row once in each key: counts are evidence,
            and twice the same is not twice as much).
        order: events remembered.
        slots: places for counts of events after contexts of every length.
        discounts: what counts of one, of two, and of three or more give up to shorter contexts.
        music: the corpus and how it is cut.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    if options.ema:
        raise UsageError("counts are a sum and have no average: leave out --ema.")
    return events(
        lambda vocab: Markov(
            vocab, order, slots, discounts=discounts, length=music.length
        ),
        name="tunes_markov",
        workdir=workdir,
        steps=steps or once(music),
        music=music,
        adam=Adam(),
        options=options,
        samples=samples,
    )


def once(music: Music) -> int:
    """Batches that hold every row of the training split once in each key."""
    codec = make(music.codec)
    rows = PackedRows(corpus_pieces(music.corpus, "train", codec), codec, music.length)
    return max(1, len(rows) * (2 * music.transpose + 1) // music.batch)


if __name__ == "__main__":
    launch(tunes_markov)
