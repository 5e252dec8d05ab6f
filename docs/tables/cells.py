"""Common parts of all tables: result files, metrics over seeds, Markdown tables."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"

Rows = list[list[str]]


def result(name: str) -> dict[str, Any]:
    """Returns the published result of the experiment `name`."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def means(name: str) -> dict[str, float]:
    """Returns the mean over seeds of each metric of an experiment."""
    return {key: metric["mean"] for key, metric in result(name)["metrics"].items()}


def code(name: str) -> str:
    """Formats the name of an experiment.

    It is not a link, because the site of the documentation has no source files.
    """
    return f"`{name}`"


def spread(metric: dict[str, Any]) -> str:
    """Formats a mean over seeds, with the standard deviation if there are several."""
    text = "{mean:.3f} ± {std:.3f}" if len(metric["seeds"]) > 1 else "{mean:.3f}"
    return text.format(**metric)


def run_cells(published: dict[str, Any], metric: str) -> list[str]:
    """Returns the number of seeds, the longest run, and the device of an experiment."""
    seeds = len(published["metrics"][metric]["seeds"])
    return [str(seeds), f"{max(published['seconds']):.0f} s", published["device"]]


RUN_HEAD = ["seeds", "time per run", "device"]
