"""Attention and lookback: an LSTM over dance tunes that knows what came a bar ago, and looks back.

python experiments/melody/tunes_attention_rnn.py --workdir runs/tunes_attention_rnn --steps 1500
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from zoo.runner.experiment import Music, events, launch

from zoo.core import BOUNDARY, Batch, Params
from zoo.data.codecs import Melody, make
from zoo.data.codecs.steps import Steps
from zoo.inference.model import Trained
from zoo.listen.attention import plot_attention
from zoo.models import AttentionRNN
from zoo.train.optim import Adam
from zoo.train.options import Options


def tunes_attention_rnn(
    workdir: Path = Path("runs/tunes_attention_rnn"),
    steps: int = 1500,
    width: int = 256,
    layers: int = 2,
    memory: int = 40,
    lookback: tuple[int, ...] = (1, 2),
    bar_bits: int = 1,
    dropout: float = 0.2,
    music: Music = Music(),
    adam: Adam = Adam(5e-3),
    options: Options = Options(ema=0.99, save_every=250),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains an attention RNN to predict the next event, and draws where it looks in a tune.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        width: units in a layer.
        layers: layers, each reading the one below.
        memory: outputs that the first layer attends over; 0 for none.
        lookback: bars ago of which the events are shown.
        bar_bits: binary digits of the number of the bar that are shown.
        dropout: fraction of activations left out in training.
        music: the corpus and how it is cut.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    codec = make(music.codec)
    family = AttentionRNN(
        vocab=codec.vocab,
        width=width,
        layers=layers,
        memory=memory,
        lookback=lookback,
        bars=codec.bar_lengths() if isinstance(codec, Steps) else (),
        bar_bits=bar_bits,
        dropout=dropout,
        length=music.length,
    )

    def finish(
        model: Trained, whole: Callable[[str], Iterable[Batch]]
    ) -> dict[str, Any]:
        if (
            memory
            and samples
            and isinstance(codec, Melody)
            and jax.process_index() == 0
        ):
            row = next(iter(whole("test")))["tokens"][0]
            picture(family, model.params, codec, row, workdir / "samples")
        return {}

    return events(
        lambda _: family,
        name="tunes_attention_rnn",
        workdir=workdir,
        steps=steps,
        music=music,
        adam=adam,
        options=options,
        samples=samples,
        finish=finish,
    )


def picture(
    family: AttentionRNN, params: Params, codec: Melody, row: np.ndarray, folder: Path
) -> None:
    """Draws where the model looks in the first tune of a row, as attention.png."""
    tune = row[: np.argmax(row == BOUNDARY)]
    weights = jax.jit(family.attention)(jax.device_get(params), tune[None])[0]
    lasts = np.array(codec.bar_lengths())[tune] == 0
    times = (np.cumsum(lasts) - lasts) / codec.steps_per_quarter
    folder.mkdir(parents=True, exist_ok=True)
    title = "where the model looks back to, in a tune it was not trained on"
    plot_attention(
        codec.decode(tune), weights, times, folder / "attention.png", title=title
    )


if __name__ == "__main__":
    launch(tunes_attention_rnn)
