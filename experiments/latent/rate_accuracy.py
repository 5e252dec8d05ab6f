"""What comes back of a phrase against what the code of it takes, over the price of the rate.

python experiments/latent/rate_accuracy.py --vae runs/music_vae_2bar --workdir runs/rate_accuracy

An accuracy says little without its rate (Alemi et al. 2018, arXiv:1711.00464). A MusicVAE that was
trained at a low price goes on at a higher one, then at one higher still: each model begins as the
one before it ended. One that is charged much from the beginning is long in learning to tell phrases
apart: after 2,500 steps from birth, `--beta 0.2` gave 0.49 of the steps, sampled, at 18 nats.
"""

import dataclasses
import inspect
import time
from pathlib import Path
from typing import Any

from music_vae_2bar import music_vae_2bar
from zoo.runner.experiment import held_out, launch

from zoo.evaluation.vae import PAIRS, apart, interpolated, phrases, reconstruction
from zoo.inference.latent_space import Space
from zoo.inference.model import load
from zoo.listen.curves import Panel, draw
from zoo.runner.results import provenance, write
from zoo.train.optim import Adam

FIGURES = {  # of the result, and what the picture calls them
    "accuracy_teacher_forced": "teacher-forced",
    "accuracy_sampled": "sampled",
    "kl": "rate, nats a phrase",
    "nll_64": "-log p(x), nats a phrase",
    "active": "active units",
    "between_cost": "one draw",
    "between_cost_best": "likeliest of 16",
}


def rate_accuracy(
    vae: Path,
    workdir: Path = Path("runs/rate_accuracy"),
    betas: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5, 1.0),
    steps: int = 1500,
    adam: Adam = Adam(1e-3),
    seed: int = 0,
) -> dict[str, Any]:
    """Trains a model for each beta; measures what comes back, the rate, and what lies between.

    Leaves rate_accuracy.png in `workdir`, and each run in a directory of its own there.

    Args:
        vae: the run of music_vae_2bar that they go on from, the first point of the curve.
        workdir: where everything is kept; the same one goes on.
        betas: what a nat of the rate costs, one after the other.
        steps: batches to train each model on.
        adam: the optimiser of each.
        seed: of each.
    """
    began = time.perf_counter()
    usual = inspect.signature(music_vae_2bar).parameters["options"].default
    runs, first = [vae], load(vae).about["family"]["beta"]
    for beta in betas:
        home = workdir / f"beta_{beta:g}"
        options = dataclasses.replace(usual, seed=seed, init_from=str(runs[-1]))
        more = {"adam": adam, "options": options, "samples": 0, "steered": 0}
        music_vae_2bar(home, steps, beta=beta, anneal=0.0, **more)
        runs.append(home)
    metrics: dict[str, float] = {}
    for beta, run in zip((first, *betas), runs, strict=True):
        figures = measured(run, seed)
        metrics |= {f"{name}_{beta:g}": figures[name] for name in FIGURES}
    result = {"experiment": "rate_accuracy", "metrics": metrics}
    result |= provenance(time.perf_counter() - began)
    write(workdir / "result.json", result)
    picture(metrics, (first, *betas), workdir / "rate_accuracy.png")
    return result


def measured(run: Path, seed: int) -> dict[str, float]:
    """What is said of one model, by held-out phrases."""
    model = load(run)
    corpus = model.about["music"]["corpus"]
    over = lambda split: held_out(model, corpus, split, 128)
    ends = apart(phrases(over("test")), 2 * PAIRS)
    between, _ = interpolated(Space(model), phrases(over("train")), ends)
    return reconstruction(model, over("test"), seed=seed) | between


def picture(metrics: dict[str, float], betas: tuple[float, ...], path: Path) -> None:
    """Accuracy, and the cost of what lies between, over the rate; a point for each beta."""
    rate = [metrics[f"kl_{beta:g}"] for beta in betas]
    of = lambda *names: {
        FIGURES[name]: (rate, [metrics[f"{name}_{beta:g}"] for beta in betas])
        for name in names
    }
    words = [f"beta {beta:g}" for beta in betas]
    accuracy = of("accuracy_teacher_forced", "accuracy_sampled")
    cost = of("between_cost", "between_cost_best")
    panels = [
        Panel(FIGURES["kl"], "steps that come back", accuracy, words),
        Panel(FIGURES["kl"], "cost between two, beyond theirs", cost, words),
    ]
    draw(panels, path)


if __name__ == "__main__":
    launch(rate_accuracy)
