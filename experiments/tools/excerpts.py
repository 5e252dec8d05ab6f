"""Trains the classifier in whose features the leaderboard computes Fréchet distances.

python experiments/tools/excerpts.py tunes --workdir runs/excerpts_tunes

It tells real excerpts from corrupted ones. The file that it writes belongs in
zoo/evaluation/classifiers.
"""

import time
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from zoo.evaluation.arena import ARENAS
from zoo.evaluation.excerpt_classifier import ExcerptTraining
from zoo.evaluation.excerpt_corruptions import CORRUPTIONS, labelled
from zoo.inference.model import Model
from zoo.ranges import Bars, Seed
from zoo.runner import launch
from zoo.runner.results import provenance, write
from zoo.tasks import Phrases
from zoo.train.weights import SUFFIX

CLASSES = "real", *CORRUPTIONS
CODECS: dict[str, Any] = {"tunes": "phrase", "chorales": "quartet"}


def excerpts(
    arena: Literal["tunes", "chorales"],
    /,
    workdir: Path = Path("runs/excerpts"),
    bars: Bars = 8,
    training: ExcerptTraining = ExcerptTraining(1500, 112, decay=0.01),
    seed: Seed = 0,
) -> dict[str, Any]:
    """Trains a classifier of corruptions on the train split of an arena.

    Args:
        arena: the kind of music.
        workdir: the directory to write.
        bars: bars of an excerpt.
        training: the network, and how it is trained.
        seed: seed of the corruptions and the training.
    """
    began, rng = time.perf_counter(), np.random.default_rng(seed)
    kind = ARENAS[arena](bars)
    sets = {
        split: labelled(kind, kind.real(kind.corpus, (split,)).arrays, rng)
        for split in ("train", "validation", "test")
    }
    tokens, label = kind.tokens(sets["train"][0]), sets["train"][1]
    family = training.classifier(CLASSES, kind.length, kind.steps_per_quarter)
    every = np.ones((1, len(label)), bool)
    stacked = training(family, tokens, label, trained=every, seed=seed)
    params = jax.tree.map(lambda x: x[0], stacked)
    metrics: dict[str, float] = {}
    for split, (arrays, style) in sets.items():
        batch = {
            "tokens": kind.tokens(arrays),
            "style": style,
            "mask": np.ones((len(style), 1), bool),
        }
        _, found = family.loss(params, batch, jax.random.key(0), None)
        metrics |= {f"{split}_{k}": float(found[k]) for k in ("nll", "accuracy")}
    name = f"excerpts_{arena}"
    task = Phrases(corpus=kind.corpus, codec=CODECS[arena], bars=bars)
    result = {"experiment": name, "metrics": metrics}
    result |= provenance(time.perf_counter() - began)
    result["command"] = f"python experiments/tools/excerpts.py {arena} --bars {bars}"
    about = {"experiment": name, "step": training.steps, "seed": seed}
    model = Model(family, params, task=task, about={**about, "result": result})
    model.save(workdir / f"{name}{SUFFIX}", precision="float16")
    write(workdir / "result.json", result)
    print(metrics)
    return result


if __name__ == "__main__":
    launch(excerpts)
