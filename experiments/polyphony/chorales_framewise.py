"""The likelihood of four-part chorales, a 16th at a time, in random order (Huang et al. 2017).

python experiments/polyphony/chorales_framewise.py --data Jsb16thSeparated.json
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from zoo.runner.experiment import Frames, frames, launch

from zoo.core import Batch
from zoo.inference.model import Trained
from zoo.models import Coconet
from zoo.train.optim import Adam
from zoo.train.options import Options


def chorales_framewise(
    data: Path,
    workdir: Path = Path("runs/chorales_framewise"),
    steps: int = 24000,
    width: int = 128,
    layers: int = 4,
    heads: int = 2,
    dropout: float = 0.2,
    by_frames: float = 0.7,
    batch: int = 8,
    length: int = 256,
    transpose: int = 6,
    orders: int = 5,
    measured: int = 32,
    adam: Adam = Adam(3e-3, warmup=200),
    options: Options = Options(ema=0.998, save_every=500),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains Coconet to write any part of a chorale given any other, and measures Algorithm 1.

    Args:
        data: Jsb16thSeparated.json, or a corpus such as chorales.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        width: of a step's vector.
        layers: of the net that reads the steps.
        heads: of its attention.
        dropout: fraction of activations left out in training.
        by_frames: share of the training masks that hide whole 16ths.
        batch: crops in a batch.
        length: 16ths in a crop.
        transpose: most semitones up or down by which a crop is moved, at random.
        orders: random orders in which every piece of the test split is measured.
        measured: 16ths of each of these pieces whose likelihood is taken, chosen at random.
        adam: the optimiser.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    return frames(
        lambda voices: Coconet(
            voices=voices,
            width=width,
            layers=layers,
            heads=heads,
            dropout=dropout,
            by_frames=by_frames,
        ),
        name="chorales_framewise",
        workdir=workdir,
        steps=steps,
        frames=Frames(str(data), batch, length, transpose, codec="voices"),
        adam=adam,
        options=options,
        samples=samples,
        finish=lambda model, whole: algorithm_1(model, whole("test"), orders, measured),
    )


def algorithm_1(
    model: Trained, pieces: Iterable[Batch], orders: int, measured: int
) -> dict[str, float]:
    """Nats per frame over `pieces`, each measured in `orders` random orders at `measured` frames.

    `test_framewise` is the mean over orders, a proper likelihood (of a piece's mixture of orders it
    is an upper bound), and `_error` the standard error of its estimate; `test_ensembled` averages
    the probabilities of each frame over the orders, as the code published with the paper does: the
    frame is then scored by its luckiest place, and no distribution over pieces has that likelihood.
    """
    assert isinstance(model.family, Coconet)
    frame = jax.jit(model.family.framewise, static_argnames=("orders", "steps"))
    rows: list[tuple[float, float, float, float]] = []
    for index, batch in enumerate(pieces):
        rng = jax.random.fold_in(jax.random.key(0), index)
        log_p, valid = frame(
            model.params,
            batch["tokens"],
            batch["mask"],
            rng,
            orders=orders,
            steps=measured,
        )
        ensembled = jax.nn.logsumexp(log_p, axis=0) - jnp.log(orders)
        columns = jax.device_get(
            (batch["mask"].sum(axis=1), log_p.mean(axis=0), ensembled, valid)
        )
        for length, mean, best, real in zip(*columns, strict=True):
            if length:
                spread = length * mean[real].std() / np.sqrt(real.sum())
                rows.append(
                    (
                        length,
                        length * mean[real].mean(),
                        length * best[real].mean(),
                        spread,
                    )
                )
    length, mean, best, spread = np.array(rows).T
    return {
        "test_framewise": float(-mean.sum() / length.sum()),
        "test_framewise_error": float(np.sqrt((spread**2).sum()) / length.sum()),
        "test_ensembled": float(-best.sum() / length.sum()),
    }


if __name__ == "__main__":
    launch(chorales_framewise)
