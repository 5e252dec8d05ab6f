"""A comparison of the losses of critic and generator, on the same music and budget.

python experiments/games/musegan_pairings.py --workdir runs/musegan_pairings

A collapse shows in the training curve: in the share of generated duplicates, in the
spread of generated phrases in the critic's features, and in the critic's margin. Their
extremes stand beside the metrics of the final samples.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from musegan_chorales import MODEL, musegan_chorales

from zoo.nn.adversarial.losses import GAMES
from zoo.ranges import Seed, TrainingSteps
from zoo.runner import launch
from zoo.runner.results import provenance, write
from zoo.train.collapse import CollapseMonitor
from zoo.train.options import Options

METRICS = ("polyphonicity", "tonal_distance", "used_pitch_classes", "distinct_4")
SETTLED = 1000  # steps before which extremes are not counted


def musegan_pairings(
    workdir: Path = Path("runs/musegan_pairings"),
    steps: TrainingSteps = 20_000,
    games: tuple[str, ...] = tuple(GAMES),
    seed: Seed = 0,
) -> dict[str, Any]:
    """Trains the GAN of musegan_chorales with each pair of losses.

    Args:
        workdir: directory of the runs, one subdirectory each; the same one continues
            them.
        steps: training steps of each.
        games: names of the pairs of losses.
        seed: seed of each run.
    """
    options = Options(ema=0.99, save_every=2000, seed=seed)
    metrics: dict[str, float] = {}
    seconds = 0.0
    for game in games:
        home = workdir / game
        run = musegan_chorales(
            home,
            steps,
            model=dataclasses.replace(MODEL, game=game),
            options=options,
            samples=0,
        )
        extremes = training_extremes((home / "metrics.jsonl").read_text().splitlines())
        values = {**{name: run["metrics"][name] for name in METRICS}, **extremes}
        metrics |= {f"{name}_{game}": value for name, value in values.items()}
        seconds += run["seconds"]
    result = {"experiment": "musegan_pairings", "metrics": metrics}
    result |= provenance(seconds)
    write(workdir / "result.json", result)
    return result


def training_extremes(lines: list[str]) -> dict[str, float]:
    """Returns extremes of a run's metrics.jsonl, and the number of signs of
    collapse."""
    points = [json.loads(line) for line in lines]
    points = [point for point in points if "critic/gap" in point]
    monitor = CollapseMonitor()
    signs = sum(len(monitor.check(point["step"], point)) for point in points)
    late = [point for point in points if point["step"] >= SETTLED] or points
    return {
        "duplicates_most": max(point["critic/duplicates"] for point in late),
        "spread_least": min(point["critic/spread"] for point in late),
        "gap_most": max(point["critic/gap"] for point in late),
        "rejected_most": max(point["rejected"] for point in points),
        "signs": signs,
    }


if __name__ == "__main__":
    launch(musegan_pairings)
