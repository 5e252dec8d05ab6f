"""Publishes an experiment: runs it once for each seed, and commits what came of it.

python experiments/tools/repeat.py tunes_lstm --seeds 0 1 2
"""

import dataclasses
import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from zoo.runner.experiment import launch

from zoo.errors import UsageError
from zoo.runner.results import CURVES, curve, write

EXPERIMENTS = Path(__file__).parents[1]
RESULTS = EXPERIMENTS / "results"


def repeat(
    name: str,
    /,
    data: Path | None = None,
    given: dict[str, Path] | None = None,
    seeds: tuple[int, ...] = (0, 1, 2),
    workdir: Path = Path("runs/repeat"),
    results: Path = RESULTS,
    curves: Path = CURVES,
) -> None:
    """Writes results/NAME.json, means and spreads over seeds, and curves/NAME.jsonl, the curves.

    Args:
        name: an experiment: the name of a file beside this one.
        data: the file it reads, for those that need one.
        given: the runs it goes on from, for those that do, such as vae runs/music_vae_2bar.
        seeds: one run each.
        workdir: where the runs are kept; the same one goes on.
        results: where the published figures are.
        curves: where the published validation curves are.
    """
    files = {path.stem: path for path in EXPERIMENTS.glob("*/*.py")}
    if name not in files:
        known = ", ".join(sorted(stem for stem in files if "_" in stem))
        raise UsageError(f"there is no experiment {name}: choose from {known}.")
    sys.path.insert(0, str(files[name].parent))
    experiment = getattr(importlib.import_module(name), name)
    usual = inspect.signature(experiment).parameters
    homes = [workdir / f"{name}-{seed}" for seed in seeds]
    reads = {**({"data": data} if data else {}), **(given or {})}
    trains = "options" in usual
    seeded = lambda seed: (
        {"options": dataclasses.replace(usual["options"].default, seed=seed)}
        if trains
        else {"seed": seed}
    )
    runs = [
        experiment(**reads, **seeded(seed), workdir=home)
        for home, seed in zip(homes, seeds, strict=True)
    ]
    # files by their names alone: where they lie is nobody else's business
    words = ["--data", data.name] if data else []
    words += ["--given"] if given else []
    words += [word for key, path in (given or {}).items() for word in (key, path.name)]
    result = {
        "experiment": name,
        "metrics": {
            key: spread([run["metrics"][key] for run in runs])
            for key in runs[0]["metrics"]
        },
        "seconds": [run["seconds"] for run in runs],
        **{key: runs[0][key] for key in ("device", "versions", "date")},
        "command": " ".join(
            [
                "python experiments/tools/repeat.py",
                name,
                *words,
                "--seeds",
                *map(str, seeds),
            ]
        ),
    }
    write(results / f"{name}.json", result)
    if not trains:  # there is no curve of what is only measured
        return
    validated = [
        curve((home / "metrics.jsonl").read_text().splitlines()) for home in homes
    ]
    lines = [
        json.dumps({"step": step, "valid": [points[step] for points in validated]})
        for step in sorted(set.intersection(*(set(points) for points in validated)))
    ]
    (curves / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))


def spread(values: list[float]) -> dict[str, Any]:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "seeds": values,
    }


if __name__ == "__main__":
    launch(repeat)
