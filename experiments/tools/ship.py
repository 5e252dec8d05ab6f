"""Writes the weights that ship with the package: the averaged parameters in 16 bits.

python experiments/tools/ship.py runs/repeat/tunes_lstm-0
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import zoo
from zoo.data.corpora.registry import corpus
from zoo.inference.loading import WEIGHTS
from zoo.inference.model import Model
from zoo.runner import launch
from zoo.runner.results import write


def ship(run: Path, /, to: Path = WEIGHTS) -> None:
    """Writes the parameters of a run's best step, and a card, by its experiment's name.

    Args:
        run: directory of a run.
        to: directory of the shipped weights.
    """
    model = zoo.load(run)
    home = to / model.about["experiment"]
    shutil.rmtree(home, ignore_errors=True)
    model.save(home, half=True)
    result = json.loads((run / "result.json").read_text())
    write(home / "card.json", {**weigh(home), **terms(model), "result": result})


def weigh(home: Path) -> dict[str, Any]:
    """Returns the size of shipped weights, and a digest of their files, sorted by
    name."""
    files = sorted(
        path for path in home.rglob("*") if path.is_file() and path.name != "card.json"
    )
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return {"bytes": sum(path.stat().st_size for path in files), "sha256": digest}


def terms(model: Model) -> dict[str, Any]:
    """Returns the corpus that a model was trained on, and the licences of its
    sources."""
    spec = model.task.corpus
    licences = {source.name: source.licence for source in corpus(spec).sources}
    return {"corpus": spec, "licences": licences}


if __name__ == "__main__":
    launch(ship)
