"""An attention RNN over dance tunes, with lookback to the events one and two bars ago.

python experiments/melody/tunes_attention_rnn.py --workdir runs/tunes_attention_rnn
"""

import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zoo.core import BOUNDARY
from zoo.inference.model import Model
from zoo.listen import attention
from zoo.models import AttentionRNN
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch, train
from zoo.tasks import Events, Task
from zoo.train.optim import Adam
from zoo.train.options import Options


def tunes_attention_rnn(
    workdir: Path = Path("runs/tunes_attention_rnn"),
    steps: TrainingSteps = 1500,
    model: AttentionRNN = AttentionRNN(width=256, dropout=0.2),
    task: Events = Events(transpose=0),
    optimizer: Adam = Adam(5e-3),
    options: Options = Options(ema=0.99, save_every=250),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains an attention RNN to predict the next event, and plots its attention.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        optimizer: the update rule.
        options: how the run is executed.
        samples: pieces to write at the end; 0 for no plot either.
    """
    plot = functools.partial(plot_attention, folder=workdir / "samples")
    return train(
        model,
        task,
        name="tunes_attention_rnn",
        workdir=workdir,
        steps=steps,
        optimizer=optimizer,
        options=options,
        samples=samples,
        evaluate=plot if samples else None,
    )


def plot_attention(model: Model, task: Task, folder: Path) -> dict[str, float]:
    """Plots the attention over the first tune of the test split as attention.png.

    Returns:
      No metrics.
    """
    row = next(iter(task.eval_batches("test")))["tokens"][0]
    family = model.family
    melody = family.bar_lengths and family.memory and model.codec.monophonic
    if not melody or jax.process_index():
        return {}
    tune = row[: np.argmax(row == BOUNDARY)]
    weights = jax.jit(family.attention)(jax.device_get(model.params), tune[None])[0]
    lasts = np.array(family.bar_lengths)[tune] == 0  # a time signature takes no time
    times = (np.cumsum(lasts) - lasts) / model.codec.beat
    folder.mkdir(parents=True, exist_ok=True)
    title = "attention to earlier events, in a tune of the test split"
    piece = model.codec.decode(tune)
    attention.plot_attention(
        piece, weights, times, folder / "attention.png", title=title
    )
    return {}


if __name__ == "__main__":
    launch(tunes_attention_rnn)
