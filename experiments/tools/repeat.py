"""Publishes an experiment: runs it for several seeds, and writes means and curves.

python experiments/tools/repeat.py tunes_lstm --seeds 0 1 2
"""

import dataclasses
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.ranges import Seed
from zoo.runner import launch
from zoo.runner.results import CURVES, curve, write

EXPERIMENTS = Path(__file__).parents[1]
RESULTS = EXPERIMENTS / "results"


def repeat(
    name: str,
    /,
    corpus: str | None = None,
    runs: dict[str, Path] | None = None,
    seeds: tuple[Seed, ...] = (0, 1, 2),
    workdir: Path = Path("runs/repeat"),
    results: Path = RESULTS,
    curves: Path = CURVES,
) -> None:
    """Writes results/NAME.json, metrics over seeds, and the validation curves.

    Args:
        name: an experiment: the name of a file in experiments.
        corpus: a corpus, file or folder; by default the experiment's.
        runs: runs and files that the experiment starts from, by the names of its
            arguments, such as vae runs/music_vae_2bar.
        seeds: seeds, of one run each.
        workdir: directory of the runs; the same one continues them.
        results: directory of the published metrics.
        curves: directory of the published validation curves.
    """
    experiment = find(name)
    usual = {
        parameter.name: parameter.default
        for parameter in inspect.signature(experiment).parameters.values()
    }
    trains = "options" in usual
    arguments = {**with_corpus(usual, corpus), **(runs or {})}
    homes = [workdir / f"{name}-{seed}" for seed in seeds]
    outcomes = [
        experiment(**arguments, **with_seed(usual, seed), workdir=home)
        for home, seed in zip(homes, seeds, strict=True)
    ]
    first = outcomes[0]
    result = {
        "experiment": name,
        "metrics": {
            key: spread([outcome["metrics"][key] for outcome in outcomes])
            for key in first["metrics"]
        },
        "seconds": [outcome["seconds"] for outcome in outcomes],
        **{key: first[key] for key in ("device", "versions", "date")},
        "command": command(name, corpus, runs or {}, seeds),
    }
    write(results / f"{name}.json", result)
    if trains:
        write_curves(homes, curves / f"{name}.jsonl")


def find(name: str) -> Callable[..., dict[str, Any]]:
    """Returns an experiment.

    Raises:
      UsageError: there is none of this name.
    """
    files = {
        path.stem: path
        for path in EXPERIMENTS.glob("*/*.py")
        if path.parent != Path(__file__).parent
    }
    if name not in files:
        raise UsageError(
            f"there is no experiment {name}: choose from {', '.join(sorted(files))}."
        )
    sys.path.insert(0, str(files[name].parent))
    return getattr(importlib.import_module(name), name)


def with_corpus(usual: Mapping[str, Any], corpus: str | None) -> dict[str, Any]:
    """Returns the arguments by which an experiment reads `corpus`.

    Raises:
      UsageError: it reads none.
    """
    if corpus is None:
        return {}
    if "corpus" in usual:
        return {"corpus": corpus}
    if "task" not in usual:
        raise UsageError("the experiment reads no corpus: leave corpus out.")
    return {"task": dataclasses.replace(usual["task"], corpus=corpus)}


def with_seed(usual: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Returns the arguments by which an experiment has another seed."""
    if "options" not in usual:
        return {"seed": seed}
    return {"options": dataclasses.replace(usual["options"], seed=seed)}


def command(
    name: str, corpus: str | None, runs: Mapping[str, Path], seeds: tuple[int, ...]
) -> str:
    """Returns the command to publish, with paths by their last names alone."""
    words = ["python experiments/tools/repeat.py", name]
    if corpus is not None:
        scheme, _, path = corpus.rpartition(":")
        words += [
            "--corpus",
            f"{scheme}:{Path(path).name}" if scheme else Path(path).name,
        ]
    if runs:
        words += ["--runs"]
    for key, run in runs.items():
        words += [key, run.name]
    return " ".join([*words, "--seeds", *map(str, seeds)])


def write_curves(homes: list[Path], path: Path) -> None:
    """Writes the validation curves of runs at the steps that all of them have."""
    validated = [
        curve((home / "metrics.jsonl").read_text().splitlines()) for home in homes
    ]
    steps = sorted(set.intersection(*(set(points) for points in validated)))
    lines = [
        json.dumps({"step": step, "valid": [points[step] for points in validated]})
        for step in steps
    ]
    path.write_text("".join(line + "\n" for line in lines))


def spread(values: list[float]) -> dict[str, Any]:
    """Returns mean and standard deviation over seeds."""
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "seeds": values,
    }


if __name__ == "__main__":
    launch(repeat)
