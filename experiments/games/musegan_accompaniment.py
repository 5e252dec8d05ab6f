"""MuseGAN as an accompanist: it hears the soprano of a chorale, and writes the other voices.

python experiments/games/musegan_accompaniment.py --workdir runs/musegan_accompaniment
"""

import dataclasses
from pathlib import Path
from typing import Any

from musegan_chorales import BARS, musegan_chorales
from zoo.runner.experiment import launch

from zoo.train.options import Options


def musegan_accompaniment(
    workdir: Path = Path("runs/musegan_accompaniment"),
    steps: int = 3000,
    given: tuple[str, ...] = ("soprano",),
    options: Options = Options(ema=0.99, save_every=1000),
) -> dict[str, Any]:
    """Trains the GAN of musegan_chorales to go by given tracks, and measures how it does.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        given: tracks that are not written but accompanied.
        options: how the run is run.
    """
    return musegan_chorales(
        workdir,
        steps,
        given,
        game="relativistic",
        bars=dataclasses.replace(BARS, batch=64),
        options=options,
        name="musegan_accompaniment",
    )


if __name__ == "__main__":
    launch(musegan_accompaniment)
