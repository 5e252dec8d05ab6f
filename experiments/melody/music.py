"""The quickstart: trains two models on dance tunes, and writes a page of what they
wrote.

python experiments/melody/music.py --workdir runs/music
"""

import dataclasses
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import tunes_lstm
import tunes_markov

import zoo
from zoo.inference.shipped import best
from zoo.listen.gallery import write_gallery
from zoo.nn.sequence.sampling import Draw
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch
from zoo.runner.results import provenance, write
from zoo.tasks import Events
from zoo.train.options import Options

SHIPPED = best("sample")
COMPARED = 3  # pieces of every other source on the page


def music(
    workdir: Path = Path("runs/music"),
    steps: TrainingSteps = 1200,
    samples: Examples = 8,
    task: Events = Events(transpose=0),
    options: Options = Options(ema=0.98, save_every=300),
) -> dict[str, Any]:
    """Trains a Markov chain and an LSTM, compares them, and writes a page of tunes.

    Args:
        workdir: directory of the runs; the same one continues them.
        steps: training steps of the LSTM.
        samples: tunes to write.
        task: the corpus, and how it is batched.
        options: how the runs are executed.
    """
    markov = tunes_markov.tunes_markov(
        workdir / "markov",
        model=dataclasses.replace(tunes_markov.MODEL, order=6, slots=2**20),
        task=task,
        options=Options(seed=options.seed),
        samples=0,
    )
    lstm = tunes_lstm.tunes_lstm(
        workdir / "lstm",
        steps,
        model=dataclasses.replace(tunes_lstm.MODEL, dropout=0.1),
        task=task,
        options=options,
        samples=0,
    )
    nll = {"lstm": lstm["metrics"]["test_nll"], "markov": markov["metrics"]["test_nll"]}
    began = time.perf_counter()
    model = zoo.load(workdir / "lstm")
    draw = Draw(temperature=0.9, top_p=0.95)
    others = {"Markov chain": workdir / "markov", f"Shipped: {SHIPPED}": SHIPPED}
    page = write_gallery(
        model.sample(samples, options.seed, draw=draw),
        workdir,
        title="Tunes by an LSTM",
        intro=f"An LSTM wrote these after {lstm['seconds'] / 60:.1f} minutes of "
        f"training on {task.corpus}. On tunes of the test split its negative "
        f"log-likelihood is {nll['lstm']:.3f} nats per event; that of a Markov "
        "chain is "
        f"{nll['markov']:.3f}.",
        others={
            # the shipped model may be this one: another seed writes other tunes
            heading: zoo.load(run).sample(COMPARED, options.seed + 1, draw=draw)
            for heading, run in others.items()
        },
        real=[model.codec.decode(piece) for piece in task.examples("test")[:COMPARED]],
    )
    result = {
        "experiment": "music",
        "metrics": {f"test_nll_{name}": value for name, value in nll.items()},
        "runs": {"lstm": lstm, "markov": markov},
        # a continued run counts its earlier processes too, unlike this clock
        **provenance(lstm["seconds"] + markov["seconds"] + time.perf_counter() - began),
    }
    write(workdir / "result.json", result)
    shutil.copy(workdir / "lstm" / "metrics.jsonl", workdir)  # the curve to publish
    print(
        f"nats per event of the test split: LSTM {nll['lstm']:.3f}, "
        f"Markov chain {nll['markov']:.3f}\nlisten: open {page}",
        file=sys.stderr,
    )
    return result


if __name__ == "__main__":
    launch(music)
