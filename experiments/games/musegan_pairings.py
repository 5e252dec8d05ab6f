"""Every way to pair a critic with its generator, on the same music and for as long.

python experiments/games/musegan_pairings.py --workdir runs/musegan_pairings

Whether a game goes wrong is in what it logs: how many of what the generator writes are duplicates,
how far they lie apart to the critic, and how sure that is. The most and the least of these, beside
figures of what is written in the end, are the answer.
"""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

from musegan_chorales import musegan_chorales
from zoo.runner.experiment import launch

from zoo.nn.adversarial.losses import GAMES
from zoo.runner.results import provenance, write
from zoo.train.collapse import CollapseMonitor

FIGURES = ("polyphonicity", "tonal_distance", "used_pitch_classes", "distinct_4")
SETTLED = 1000  # steps that a game takes to begin


def musegan_pairings(
    workdir: Path = Path("runs/musegan_pairings"),
    steps: int = 20_000,
    games: tuple[str, ...] = tuple(GAMES),
    seed: int = 0,
) -> dict[str, Any]:
    """Plays each game with the configuration of musegan_chorales.

    Args:
        workdir: where everything is kept, each run in a directory of its own; the same one goes on.
        steps: batches to train each model on.
        games: the pairings, by name.
        seed: of each.
    """
    usual = inspect.signature(musegan_chorales).parameters["options"].default
    options = dataclasses.replace(usual, seed=seed)
    metrics: dict[str, float] = {}
    seconds = 0.0
    for game in games:
        home = workdir / game
        run = musegan_chorales(home, steps, game=game, options=options, samples=0)
        found = {name: run["metrics"][name] for name in FIGURES}
        found |= watched((home / "metrics.jsonl").read_text().splitlines())
        metrics |= {f"{name}_{game}": value for name, value in found.items()}
        seconds += run["seconds"]
    result = {"experiment": "musegan_pairings", "metrics": metrics}
    result |= provenance(seconds)
    write(workdir / "result.json", result)
    return result


def watched(lines: list[str]) -> dict[str, float]:
    """The most and least of what a run has logged, updates refused and signs of collapse."""
    monitor = CollapseMonitor()
    points = [json.loads(line) for line in lines]
    points = [point for point in points if "critic/gap" in point]
    signs = sum(len(monitor.check(point["step"], point)) for point in points)
    late = [point for point in points if point["step"] >= SETTLED] or points
    of = lambda name: [point[f"critic/{name}"] for point in late]
    return {
        "duplicates_most": max(of("duplicates")),
        "spread_least": min(of("spread")),
        "gap_most": max(of("gap")),
        "rejected_most": max(point["rejected"] for point in points),
        "signs": signs,
    }


if __name__ == "__main__":
    launch(musegan_pairings)
