"""The first minutes: train two models on real tunes before your eyes, and hear what they write.

python experiments/melody/music.py --workdir runs/music
"""

import sys
import time
from pathlib import Path
from typing import Any

from tunes_lstm import tunes_lstm
from tunes_markov import tunes_markov
from zoo.runner.experiment import Music, launch

import zoo
from zoo.data.batching.encoded import corpus_pieces
from zoo.listen.gallery import write_gallery
from zoo.nn.sequence.sampling import Draw
from zoo.runner.results import provenance, write
from zoo.train.options import Options


def music(
    workdir: Path = Path("runs/music"),
    steps: int = 600,
    samples: int = 8,
    music: Music = Music(transpose=0),
    options: Options = Options(ema=0.98, save_every=300),
) -> dict[str, Any]:
    """Trains a Markov chain and an LSTM, compares their likelihoods, and writes a page of tunes.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches the LSTM is trained on.
        samples: tunes to write.
        music: the corpus and how it is cut.
        options: how the runs are run.
    """
    markov = tunes_markov(
        workdir / "markov",
        order=6,
        slots=2**20,
        music=music,
        options=Options(seed=options.seed),
        samples=0,
    )
    lstm = tunes_lstm(
        workdir / "lstm", steps, dropout=0.1, music=music, options=options, samples=0
    )
    nll = {"lstm": lstm["metrics"]["test_nll"], "markov": markov["metrics"]["test_nll"]}
    began = time.perf_counter()
    model = zoo.load(workdir / "lstm")
    held_out = corpus_pieces(music.corpus, "test", model.codec)
    page = write_gallery(
        model.sample(samples, options.seed, draw=Draw(temperature=0.9, top_p=0.95)),
        workdir,
        title="Tunes by an LSTM",
        intro=f"An LSTM wrote these after {lstm['seconds'] / 60:.1f} minutes of training on "
        f"{music.corpus}. On tunes it never saw it needs {nll['lstm']:.3f} nats for an event; a "
        f"Markov chain needs {nll['markov']:.3f}.",
        real=[model.codec.decode(piece) for piece in held_out[:3]],
    )
    result = {
        "experiment": "music",
        "metrics": {f"test_nll_{name}": value for name, value in nll.items()},
        "runs": {"lstm": lstm, "markov": markov},
        # the runs count the legs they went on from, which the clock of this process does not
        **provenance(lstm["seconds"] + markov["seconds"] + time.perf_counter() - began),
    }
    write(workdir / "result.json", result)
    print(
        f"held-out nats per event: LSTM {nll['lstm']:.3f}, Markov {nll['markov']:.3f}\n"
        f"listen: open {page}",
        file=sys.stderr,
    )
    return result


if __name__ == "__main__":
    launch(music)
