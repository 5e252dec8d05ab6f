"""SeqGAN on the notes of melodies and their chords, from a folder of MIDI files.

python experiments/games/seqgan_nottingham.py --corpus folder:nottingham_midi
"""

from pathlib import Path
from typing import Any

import seqgan_tunes

from zoo.models import SeqGAN
from zoo.ranges import Examples, TrainingSteps
from zoo.runner import launch
from zoo.tasks import NoteRows
from zoo.train.options import Options


def seqgan_nottingham(
    workdir: Path = Path("runs/seqgan_nottingham"),
    turns: TrainingSteps = 200,
    model: SeqGAN = seqgan_tunes.MODEL,
    task: NoteRows = NoteRows(corpus="folder:nottingham_midi"),
    options: Options = Options(save_every=500),
    samples: Examples = 8,
) -> dict[str, Any]:
    """Trains the SeqGAN of seqgan_tunes on a folder, and evaluates it likewise.

    Args:
        workdir: directory of the runs; the same one continues them.
        turns: steps of the generator in adversarial training.
        model: the family; fields that the data decide are filled in.
        task: the corpus, and how it is batched.
        options: how the runs are executed.
        samples: pieces to write at the end of each.
    """
    return seqgan_tunes.seqgan_tunes(
        workdir,
        turns,
        model=model,
        task=task,
        options=options,
        samples=samples,
        name="seqgan_nottingham",
    )


if __name__ == "__main__":
    launch(seqgan_nottingham)
