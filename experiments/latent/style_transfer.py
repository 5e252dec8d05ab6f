"""Phrases moved to other styles: how often a judge is convinced, and how much of the line is kept.

python experiments/latent/style_transfer.py --vae runs/music_vae_styles --guide runs/style_guide \\
    --judge runs/style_classifier

The guide of the search is not the judge: it is a classifier of another seed. A second judge is of
another kind: a Markov chain for each style, counted on real phrases of it.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from zoo.runner.experiment import held_out, launch

from zoo.evaluation.vae import apart, chain
from zoo.inference.latent_space import Space
from zoo.inference.model import load
from zoo.inference.style_classifier import Judge
from zoo.inference.style_transfer import Transfer
from zoo.listen.gallery import write_gallery
from zoo.metrics.attributes import contour_correlation
from zoo.runner.results import provenance, write

ORDER = 6  # of the chains: of 3, 4, 5, 6 and 8 it tells phrases of the validation split apart best
KEYS = range(-4, 5, 2)  # semitones by which what they are counted on is moved


def style_transfer(
    vae: Path,
    guide: Path,
    judge: Path,
    workdir: Path = Path("runs/style_transfer"),
    corpus: str = "tunes+essen",
    n: int = 32,
    seed: int = 0,
    samples: int = 2,
) -> dict[str, Any]:
    """Moves held-out phrases of every style to every other, and measures what came of it.

    Of each pair of styles: `judge_` and `chain_`, the share that each takes for the target, where
    `_real_` is that of real phrases of a style; `contour_`, the correlation with the phrase; and
    `same_`, the share of steps that are as they were.

    Args:
        vae: the run of a MusicVAE that was told styles.
        guide: the run of a style_classifier that the search asks.
        judge: that of another, which says what came of it.
        workdir: where the result and the samples go.
        corpus: the phrases are from its test split; the chains are counted on the other.
        n: phrases of each style.
        seed: of the search.
        samples: pairs of phrase and outcome to write for each pair of styles.
    """
    began = time.perf_counter()
    model = load(vae)
    transfer = Transfer(Space(model), Judge(load(guide)))
    rows = {
        split: by_style(transfer.space, corpus, split) for split in ("train", "test")
    }
    judges: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "judge": Judge(load(judge)),
        "chain": chains(transfer.space, rows["train"]),
    }
    metrics: dict[str, float] = {}
    heard = []
    names = transfer.space.styles
    for name, ask in judges.items():
        for y, style in enumerate(names):
            metrics[f"{name}_real_{style}"] = share(ask(rows["test"][y]), y)
    for s, source in enumerate(names):
        of = apart(rows["test"][s], n)
        for y, target in enumerate(names):
            if y == s:
                continue
            pair, moved = f"{source}_to_{target}", transfer(of, target, seed)
            for name, ask in judges.items():
                metrics[f"{name}_{pair}"] = share(ask(moved), y)
            metrics[f"contour_{pair}"] = float(
                contour_correlation(moved, of, transfer.space.melody).mean()
            )
            metrics[f"same_{pair}"] = float((moved == of).mean())
            heard += [
                x
                for both in zip(of[:samples], moved[:samples], strict=True)
                for x in both
            ]
            print(
                f"{pair}: {metrics[f'judge_{pair}']:.2f}, {metrics[f'contour_{pair}']:.2f}"
            )
    for name in (*judges, "contour", "same"):
        every = [
            x for key, x in metrics.items() if key.startswith(name) and "_to_" in key
        ]
        metrics[name] = float(np.mean(every))
    if heard:
        music = [model.codec.decode(row) for row in heard]
        write_gallery(
            music,
            workdir / "samples",
            title="by turns a phrase and the same in another style",
        )
    result = {"experiment": "style_transfer", "metrics": metrics}
    result |= provenance(time.perf_counter() - began)
    write(workdir / "result.json", result)
    return result


def by_style(space: Space, corpus: str, split: str) -> list[np.ndarray]:
    """The phrases [n, t] of a split, of one style after the other."""
    rows: list[list[np.ndarray]] = [[] for _ in space.styles]
    for batch in held_out(space.model, corpus, split, 256):
        real = np.asarray(batch["mask"]).any(axis=1)
        for tokens, y in zip(batch["tokens"][real], batch["style"][real], strict=True):
            rows[y].append(tokens)
    return [np.stack(of) for of in rows]


def chains(space: Space, train: list[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """How likely phrases [n, t] are to each style's Markov chain, nats per step [n, y]."""
    codec, costs = space.melody, []
    for rows in train:
        keys = [
            codec.transpose(x, k) for x in rows for k in KEYS if k in codec.reach(x)
        ]
        costs.append(chain(space, np.stack(keys), ORDER))
    return lambda music: -np.stack([cost(music) for cost in costs], axis=1)


def share(held: np.ndarray, y: int) -> float:
    """The share of phrases that style `y` is the likeliest of, held [n, y]."""
    return float((held.argmax(axis=1) == y).mean())


if __name__ == "__main__":
    launch(style_transfer)
