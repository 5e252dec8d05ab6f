"""MuseGAN on two bars of a melody and its chords, from a folder of MIDI files.

python experiments/games/musegan_nottingham.py --corpus folder:nottingham_midi

With the game and the batch of musegan_chorales the critic wins, and a third as many
phrases are new; with its batch alone no chords are written.
"""

import dataclasses
from pathlib import Path
from typing import Any

import musegan_chorales

from zoo.models import MuseGAN
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch
from zoo.tasks import MultitrackPhrases
from zoo.train.options import Options

MODEL = dataclasses.replace(musegan_chorales.MODEL, game="relativistic")
TASK = dataclasses.replace(
    musegan_chorales.TASK,
    corpus="folder:nottingham_midi",
    tracks=("melody", "piano"),
    batch=64,
    styles=(),
    label="style",
)


def musegan_nottingham(
    workdir: Path = Path("runs/musegan_nottingham"),
    steps: TrainingSteps = 8000,
    model: MuseGAN = MODEL,
    task: MultitrackPhrases = TASK,
    conditioning: tuple[str, ...] = (),
    polyphonic: tuple[str, ...] = ("piano",),
    options: Options = Options(ema=0.99, save_every=1000),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains the GAN of musegan_chorales on a folder, and evaluates it likewise.

    Args:
        workdir: directory of the run; the same one continues it.
        steps: training steps.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        conditioning: names of the tracks used as conditioning instead of generated.
        polyphonic: names of the tracks that may sound several notes at once.
        options: how the run is executed.
        samples: phrases to write at the end; none with conditioning.
    """
    return musegan_chorales.musegan_chorales(
        workdir,
        steps,
        model=model,
        task=task,
        conditioning=conditioning,
        polyphonic=polyphonic,
        options=options,
        samples=samples,
        name="musegan_nottingham",
    )


if __name__ == "__main__":
    launch(musegan_nottingham)
