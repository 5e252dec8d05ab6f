"""Style transfer of phrases: how often classifiers see the target, and the contour
kept.

python experiments/latent/style_transfer.py --vae runs/music_vae_styles \\
    --guide runs/style_guide --judge runs/style_classifier

The classifier that guides the search has another seed than the one that evaluates it. A
second evaluation is of another kind: a Markov chain per style, counted on real phrases.

Axes: n phrase, t step, y style.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.evaluation.vae import markov_cost, spaced
from zoo.inference.latent_space import LatentSpace
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.inference.style_classifier import StyleClassifier
from zoo.inference.style_transfer import StyleTransfer
from zoo.listen.gallery import write_gallery
from zoo.metrics.attributes import contour_correlation
from zoo.ranges import Examples, Pieces, Seed
from zoo.runner import launch
from zoo.runner.results import provenance, write

ORDER = 6  # of the chains: the best of 3, 4, 5, 6 and 8 on the validation split
SEMITONES = range(-4, 5, 2)  # transpositions of the phrases that chains count
BATCH = 256
Classify = Callable[[np.ndarray], np.ndarray]  # phrases [n, t] -> scores [n, y]


def style_transfer(
    vae: Path,
    guide: Path,
    judge: Path,
    workdir: Path = Path("runs/style_transfer"),
    corpus: str = "tunes+essen",
    n: Pieces = 32,
    seed: Seed = 0,
    samples: Examples = 2,
    accept_licence: bool = False,
) -> dict[str, Any]:
    """Transfers phrases of the test split from each style to every other.

    For each pair of styles, `judge_` and `chain_` are the share of phrases that a
    classifier assigns to the target (`_real_`: of real phrases to their own style),
    `contour_` the correlation of contours before and after, and `same_` the share of
    unchanged steps.

    Args:
        vae: run of music_vae_styles.
        guide: run of style_classifier that guides the search.
        judge: another run of style_classifier, for the evaluation.
        workdir: directory of the result and the samples.
        corpus: the corpus; the chains count its training split.
        n: phrases of each style.
        seed: seed of the search.
        samples: phrases to write, before and after, for each pair of styles.
        accept_licence: agree to the terms of weights for non-commercial use.
    """
    began = time.perf_counter()
    model, guiding, judging = (
        load(run, accept_licence=accept_licence) for run in (vae, guide, judge)
    )
    space = LatentSpace(model)
    transfer = StyleTransfer(space, StyleClassifier(guiding))
    train, test = (
        phrases_by_style(model, corpus, split) for split in ("train", "test")
    )
    classifiers: dict[str, Classify] = {
        "judge": StyleClassifier(judging),
        "chain": chain_classifier(space, train),
    }
    metrics: dict[str, float] = {}
    pieces: list[np.ndarray] = []
    for name, classify in classifiers.items():
        for y, style in enumerate(space.styles):
            metrics[f"{name}_real_{style}"] = share(classify(test[y]), y)
    for s, source in enumerate(space.styles):
        phrases = spaced(test[s], n)
        for y, target in enumerate(space.styles):
            if y == s:
                continue
            moved = transfer(phrases, target, seed)
            values = {
                **{name: share(rate(moved), y) for name, rate in classifiers.items()},
                "contour": contour_correlation(
                    moved, phrases, space.melody_codec
                ).mean(),
                "same": (moved == phrases).mean(),
            }
            pair = f"{source}_to_{target}"
            metrics |= {f"{name}_{pair}": float(x) for name, x in values.items()}
            for before, after in zip(phrases[:samples], moved[:samples], strict=True):
                pieces += [before, after]
            print(
                f"{pair}: judge {values['judge']:.2f}, contour {values['contour']:.2f}",
                file=sys.stderr,
            )
    metrics |= pair_means(metrics, (*classifiers, "contour", "same"))
    if pieces:
        title = "Phrases, each followed by its transfer to another style"
        music = [model.codec.decode(piece) for piece in pieces]
        write_gallery(music, workdir / "samples", title=title)
    result = {"experiment": "style_transfer", "metrics": metrics}
    result |= provenance(time.perf_counter() - began)
    write(workdir / "result.json", result)
    return result


def phrases_by_style(model: Model, corpus: str, split: str) -> list[np.ndarray]:
    """Returns the phrases [n, t] of a split, for each style of the model."""
    rows: list[list[np.ndarray]] = [[] for _ in model.styles]
    for batch in model.task.eval_batches(split, corpus=corpus, batch=BATCH):
        real = np.asarray(batch["mask"]).any(axis=1)
        for tokens, y in zip(batch["tokens"][real], batch["style"][real], strict=True):
            rows[y].append(tokens)
    return [np.stack(phrases) for phrases in rows]


def chain_classifier(space: LatentSpace, train: list[np.ndarray]) -> Classify:
    """Returns the log-likelihoods under a Markov chain for each style, per step."""
    codec, costs = space.melody_codec, []
    for rows in train:
        transposed = [
            codec.transpose(row, semitones)
            for row in rows
            for semitones in SEMITONES
            if semitones in codec.reach(row)
        ]
        costs.append(markov_cost(codec.vocab, np.stack(transposed), ORDER))
    return lambda music: -np.stack([cost(music) for cost in costs], axis=1)


def share(scores: np.ndarray, y: int) -> float:
    """Returns the share of phrases whose highest score [n, y] is that of style `y`."""
    return float((scores.argmax(axis=1) == y).mean())


def pair_means(
    metrics: Mapping[str, float], names: tuple[str, ...]
) -> dict[str, float]:
    """Returns the means of metrics over all pairs of styles."""
    return {
        name: float(
            np.mean(
                [
                    value
                    for key, value in metrics.items()
                    if key.startswith(name) and "_to_" in key
                ]
            )
        )
        for name in names
    }


if __name__ == "__main__":
    launch(style_transfer)
