"""Reconstruction accuracy against rate, over the weight of the KL divergence.

python experiments/latent/rate_accuracy.py --vae runs/music_vae_2bar

An accuracy says little without its rate (Alemi et al. 2018, arXiv:1711.00464). A
MusicVAE trained at a low beta is trained on at a higher one, then at one higher still:
each model starts from the one before. Trained at a high beta from the beginning, a
model is slow to distinguish phrases: with `--beta 0.2` it reconstructed 0.49 of the
steps after 2,500 training steps, sampled, at 18 nats.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import music_vae_2bar

from zoo.evaluation.vae import (
    PAIRS,
    interpolated,
    markov_cost,
    phrases,
    reconstruction,
    shuffled,
    spaced,
)
from zoo.inference.latent_space import LatentSpace
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.listen.curves import Panel, plot_curves
from zoo.ranges import Seed, TrainingSteps, Weight
from zoo.runner import launch
from zoo.runner.results import provenance, write
from zoo.train.optim import Adam

BATCH = 128
METRICS = {  # and their names in the figure
    "accuracy_teacher_forced": "teacher-forced",
    "accuracy_sampled": "sampled",
    "kl": "rate, nats per phrase",
    "nll_64": "-log p(x), nats per phrase",
    "active": "active units",
    "between_cost": "one sample",
    "between_cost_best": "likeliest of 16",
}


def rate_accuracy(
    vae: Path,
    workdir: Path = Path("runs/rate_accuracy"),
    betas: tuple[Weight, ...] = (0.05, 0.1, 0.2, 0.5, 1.0),
    steps: TrainingSteps = 1500,
    optimizer: Adam = Adam(1e-3),
    seed: Seed = 0,
    accept_licence: bool = False,
) -> dict[str, Any]:
    """Trains a model for each beta; evaluates accuracy, rate and interpolation.

    Leaves rate_accuracy.png in `workdir`, and each run in a subdirectory.

    Args:
        vae: run of music_vae_2bar that the first model starts from: the first point of
            the curve.
        workdir: directory of the runs; the same one continues them.
        betas: final weights of the KL divergence, in order.
        steps: training steps of each model.
        optimizer: the update rule.
        seed: seed of each run.
        accept_licence: agree to the terms of weights for non-commercial use.
    """
    began = time.perf_counter()
    start = load(vae, accept_licence=accept_licence)
    runs, models = [vae], [start]
    for beta in betas:
        home = workdir / f"beta_{beta:g}"
        music_vae_2bar.music_vae_2bar(
            home,
            steps,
            model=dataclasses.replace(music_vae_2bar.MODEL, beta=beta, kl_anneal=0.0),
            optimizer=optimizer,
            options=dataclasses.replace(
                music_vae_2bar.OPTIONS,
                seed=seed,
                init_from=str(runs[-1]),
                accept_licence=accept_licence,
            ),
            samples=0,
            steered=0,
        )
        runs.append(home)
        models.append(load(home))
    first = start.family.beta
    metrics: dict[str, float] = {}
    for beta, model in zip((first, *betas), models, strict=True):
        values = evaluated(model, seed)
        metrics |= {f"{name}_{beta:g}": values[name] for name in METRICS}
    result = {"experiment": "rate_accuracy", "metrics": metrics}
    result |= provenance(time.perf_counter() - began)
    write(workdir / "result.json", result)
    plot(metrics, (first, *betas), workdir / "rate_accuracy.png")
    return result


def evaluated(model: Model, seed: int) -> dict[str, float]:
    """Returns the metrics of a model's reconstructions and interpolations."""
    train, test = (
        phrases(model.task.eval_batches(split, batch=BATCH))
        for split in ("train", "test")
    )
    ends = shuffled(spaced(test, 2 * PAIRS))
    cost = markov_cost(model.codec.vocab, train)
    between, _ = interpolated(LatentSpace(model), cost, ends)
    batches = model.task.eval_batches("test", batch=BATCH)
    return {**reconstruction(model, batches, seed=seed), **between}


def plot(metrics: dict[str, float], betas: tuple[float, ...], path: Path) -> None:
    """Plots accuracy and the cost of interpolations over the rate, a point per beta."""
    rate = [metrics[f"kl_{beta:g}"] for beta in betas]

    def curves(*names: str) -> dict[str, tuple[list[float], list[float]]]:
        return {
            METRICS[name]: (rate, [metrics[f"{name}_{beta:g}"] for beta in betas])
            for name in names
        }

    labels = [f"beta {beta:g}" for beta in betas]
    accuracy = curves("accuracy_teacher_forced", "accuracy_sampled")
    cost = curves("between_cost", "between_cost_best")
    panels = [
        Panel(METRICS["kl"], "share of steps reconstructed", accuracy, words=labels),
        Panel(METRICS["kl"], "excess cost of interpolations", cost, words=labels),
    ]
    plot_curves(panels, path)


if __name__ == "__main__":
    launch(rate_accuracy)
