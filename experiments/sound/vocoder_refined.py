"""A vocoder goes on against a critic: its encoder stays as it is (Caillon & Esling 2021, RAVE).

python experiments/sound/vocoder_refined.py --vocoder runs/vocoder_notes --workdir runs/vocoder_refined
"""

import dataclasses
from pathlib import Path
from typing import Any

from zoo.runner.experiment import launch
from zoo.runner.sounding import Audio, sounding

from zoo.errors import UsageError
from zoo.evaluation.audio import Heard
from zoo.inference.model import load
from zoo.train.optim import Adam
from zoo.train.options import Options


def vocoder_refined(
    vocoder: Path,
    workdir: Path = Path("runs/vocoder_refined"),
    steps: int = 2000,
    matching: float = 10.0,
    game: str = "hinge",
    audio: Audio = Audio(length=8192),
    adam: Adam = Adam(rate=1e-4, last=0.01),
    options: Options = Options(save_every=500, ema=0.999),
    heard: Heard = Heard(),
    samples: int = 12,
) -> dict[str, Any]:
    """Refines the decoder of a VariationalVocoder, and measures what it gives back.

    Args:
        vocoder: the run that it goes on from.
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        matching: what it costs to be heard as something else by the critic's features.
        game: what the two play.
        audio: what to train on.
        adam: the update rule.
        options: how the run is run.
        heard: what is measured in the end.
        samples: of those trained on, held-out ones to listen to.

    Raises:
      UsageError: the vocoder is of another rate.
    """
    model: Any = load(vocoder)
    if model.family.rate != audio.hertz:
        raise UsageError(
            f"{vocoder} is of {model.family.rate} Hz, and {audio.hertz} are asked for: give "
            f"--hertz {model.family.rate}."
        )
    family = dataclasses.replace(
        model.family, warm=0, matching_weight=matching, game=game
    )
    return sounding(
        lambda _: family,
        name="vocoder_refined",
        workdir=workdir,
        steps=steps,
        audio=audio,
        adam=adam,
        options=options,
        samples=samples,
        finish=heard.finish(audio),
        given={name: net for name, net in model.params.items() if name != "critic"},
    )


if __name__ == "__main__":
    launch(vocoder_refined)
