"""MuseGAN on two bars of a melody and its chords, from a folder of MIDI files.

python experiments/games/musegan_nottingham.py --data nottingham_midi --workdir runs/musegan_nottingham
"""

import dataclasses
from pathlib import Path
from typing import Any

from musegan_chorales import BARS, musegan_chorales
from zoo.runner.experiment import launch

from zoo.train.options import Options


def musegan_nottingham(
    data: Path,
    workdir: Path = Path("runs/musegan_nottingham"),
    steps: int = 8000,
    given: tuple[str, ...] = (),
    options: Options = Options(ema=0.99, save_every=1000),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains the GAN of musegan_chorales on a folder, and measures it likewise.

    By the game of chorales and as few phrases its critic wins, and it writes a third as much that
    is new; by few phrases alone it writes no chords.

    Args:
        data: the folder of MIDI files.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        given: tracks that are not written but accompanied.
        options: how the run is run.
        samples: pieces to write at the end.
    """
    own = dataclasses.replace(
        BARS, corpus=f"folder:{data}", tracks=("melody", "piano"), batch=64
    )
    bars = dataclasses.replace(own, styles=(), label="style")
    return musegan_chorales(
        workdir,
        steps,
        given,
        game="relativistic",
        chords=("piano",),
        bars=bars,
        options=options,
        samples=samples,
        name="musegan_nottingham",
    )


if __name__ == "__main__":
    launch(musegan_nottingham)
