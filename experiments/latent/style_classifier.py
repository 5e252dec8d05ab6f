"""Tells styles apart by two bars of a tune: the judge of what models of styles write.

python experiments/latent/style_classifier.py --workdir runs/style_classifier
"""

from pathlib import Path
from typing import Any

from zoo.runner.experiment import Bars, launch, phrases

from zoo.inference.style_classifier import Judge
from zoo.models import LatentClassifier
from zoo.train.optim import Adam
from zoo.train.options import Options


def style_classifier(
    workdir: Path = Path("runs/style_classifier"),
    steps: int = 2000,
    width: int = 128,
    layers: int = 1,
    dropout: float = 0.3,
    bars: Bars = Bars("tunes+essen", styles=("irish", "german", "chinese")),
    adam: Adam = Adam(1e-3),
    options: Options = Options(ema=0.99, save_every=250),
    name: str = "style_classifier",
) -> dict[str, Any]:
    """Trains a classifier of phrases, and measures how often it is right about each style.

    Args:
        workdir: where everything about the run is kept; the same one goes on.
        steps: batches to train on.
        width: units of the LSTMs that read, one each way, and of the layers after them.
        layers: those layers.
        dropout: fraction of activations left out in training.
        bars: the corpus and how it is cut; its label may be style, mode or metre.
        adam: the optimiser.
        options: how the run is run.
        name: what the result is called.
    """
    return phrases(
        lambda codec: LatentClassifier(
            bars.styles,
            codec.vocab,
            codec.length,
            width=width,
            layers=layers,
            dropout=dropout,
        ),
        name=name,
        workdir=workdir,
        steps=steps,
        bars=bars,
        adam=adam,
        options=options,
        samples=0,
        finish=lambda model, whole: Judge(model).recalls(whole("test")),
    )


if __name__ == "__main__":
    launch(style_classifier)
