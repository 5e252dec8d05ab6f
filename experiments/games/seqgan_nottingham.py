"""SeqGAN on the notes of the Nottingham collection, melodies and their chords, from MIDI files.

python experiments/games/seqgan_nottingham.py --data nottingham_midi --workdir runs/seqgan_nottingham
"""

import dataclasses
from pathlib import Path
from typing import Any

from seqgan_tunes import NOTES, seqgan_tunes
from zoo.runner.experiment import launch

from zoo.train.options import Options


def seqgan_nottingham(
    data: Path,
    workdir: Path = Path("runs/seqgan_nottingham"),
    warm: int = 3000,
    turns: int = 200,
    options: Options = Options(save_every=500),
    samples: int = 8,
) -> dict[str, Any]:
    """Trains the SeqGAN of seqgan_tunes on a folder, and measures it likewise.

    Args:
        data: the folder of MIDI files.
        workdir: where everything about the runs is kept; the same one goes on.
        warm: steps of likelihood.
        turns: moves of the generator against its critic.
        options: how the runs are run.
        samples: pieces to write at the end of each.
    """
    return seqgan_tunes(
        workdir,
        warm=warm,
        turns=turns,
        notes=dataclasses.replace(NOTES, data=f"folder:{data}"),
        options=options,
        samples=samples,
        name="seqgan_nottingham",
    )


if __name__ == "__main__":
    launch(seqgan_nottingham)
