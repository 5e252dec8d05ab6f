"""What tables are made of: the files in experiments/results, figures over seeds, Markdown."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"

Rows = list[list[str]]


def result(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def link(name: str) -> str:
    """Links the name of an experiment to its file."""
    [path] = (ROOT / "experiments").glob(f"*/{name}.py")
    return f"[`{name}`]({path.relative_to(ROOT)})"


def markdown(head: list[str], rows: Rows) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(figure: dict[str, Any]) -> str:
    """The mean over seeds, and where there are several how far they lie apart."""
    text = "{mean:.3f} ± {std:.3f}" if len(figure["seeds"]) > 1 else "{mean:.3f}"
    return text.format(**figure)
