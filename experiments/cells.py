"""What tables are made of: the files in experiments/results, figures over seeds, Markdown."""

import json
from typing import Any

from zoo.results import RESULTS

Rows = list[list[str]]


def result(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def markdown(head: list[str], rows: Rows) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(figure: dict[str, Any]) -> str:
    """The mean over seeds, and where there are several how far they lie apart."""
    text = "{mean:.3f} ± {std:.3f}" if len(figure["seeds"]) > 1 else "{mean:.3f}"
    return text.format(**figure)
