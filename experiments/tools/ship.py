"""Makes the weights that ship with the package: what sampling needs of a run, at half precision.

python experiments/tools/ship.py runs/repeat/tunes_lstm-0
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from zoo.runner.experiment import launch

import zoo
from zoo.inference.model import WEIGHTS
from zoo.runner.results import write


def ship(run: Path, /, to: Path = WEIGHTS) -> None:
    """Writes the averaged parameters of a run's best step, and a card, under its experiment's name.

    Args:
        run: a directory that training has written.
        to: where weights are kept.
    """
    model = zoo.load(run)
    home = to / model.about["experiment"]
    shutil.rmtree(home, ignore_errors=True)
    half = jax.tree.map(lambda x: x.astype(jnp.float16), model.params)
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler("ema", "meta")) as writer:
        items = {
            "ema": ocp.args.StandardSave(half),
            "meta": ocp.args.JsonSave(model.about),
        }
        path = home.absolute() / "checkpoints" / str(model.about["step"])
        writer.save(path, args=ocp.args.Composite(**items))
    for marker in home.rglob("commit_success.txt"):
        marker.unlink()  # names a path of this machine
    result = json.loads((run / "result.json").read_text())
    write(home / "card.json", {**weigh(home), **terms(model.about), "result": result})


def weigh(home: Path) -> dict[str, Any]:
    """The size of shipped weights, and a digest of their files in order of their names."""
    files = sorted(
        path for path in home.rglob("*") if path.is_file() and path.name != "card.json"
    )
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return {"bytes": sum(path.stat().st_size for path in files), "sha256": digest}


def terms(about: dict[str, Any]) -> dict[str, Any]:
    """What the corpus was, and on what terms each of its sources comes."""
    from zoo.data.corpora.registry import corpus

    spec = about["music"]["corpus"]
    return {
        "corpus": spec,
        "licences": {s.name: s.licence for s in corpus(spec).sources},
    }


if __name__ == "__main__":
    launch(ship)
