"""Publishes an experiment: runs it once for each seed, and commits what came of it.

python experiments/repeat.py tunes_lstm --seeds 0 1 2
"""

import dataclasses
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.experiment import launch
from zoo.results import RESULTS, curve, write

HERE = Path(__file__).parent


def repeat(
    name: str,
    /,
    data: Path | None = None,
    seeds: tuple[int, ...] = (0, 1, 2),
    workdir: Path = Path("runs/repeat"),
    results: Path = RESULTS,
) -> None:
    """Writes results/NAME.json, means and spreads over seeds, and results/NAME.jsonl, the curves.

    Args:
        name: an experiment: the name of a file beside this one.
        data: the file it reads, for those that need one.
        seeds: one run each.
        workdir: where the runs are kept; the same one goes on.
        results: where the published figures are.
    """
    if not (HERE / f"{name}.py").exists():
        known = ", ".join(sorted(path.stem for path in HERE.glob("*_*.py")))
        raise UsageError(f"there is no experiment {name}: choose from {known}.")
    experiment = getattr(importlib.import_module(name), name)
    usual = inspect.signature(experiment).parameters["options"].default
    homes = [workdir / f"{name}-{seed}" for seed in seeds]
    given = {} if data is None else {"data": data}
    runs = [
        experiment(**given, workdir=home, options=dataclasses.replace(usual, seed=seed))
        for home, seed in zip(homes, seeds, strict=True)
    ]
    result = {
        "experiment": name,
        "metrics": {
            key: spread([run["metrics"][key] for run in runs]) for key in runs[0]["metrics"]
        },
        "seconds": [run["seconds"] for run in runs],
        **{key: runs[0][key] for key in ("device", "versions", "date")},
        # the file by its name alone: where it lies is nobody else's business
        "command": f"python experiments/repeat.py {name}{f' --data {data.name}' if data else ''} "
        f"--seeds {' '.join(map(str, seeds))}",
    }
    write(results / f"{name}.json", result)
    curves = [curve((home / "metrics.jsonl").read_text().splitlines()) for home in homes]
    lines = [
        json.dumps({"step": step, "valid": [points[step] for points in curves]})
        for step in sorted(set.intersection(*(set(points) for points in curves)))
    ]
    (results / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))


def spread(values: list[float]) -> dict[str, Any]:
    return {"mean": float(np.mean(values)), "std": float(np.std(values)), "seeds": values}


if __name__ == "__main__":
    launch(repeat)
