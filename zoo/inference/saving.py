"""Writing a model: as a checkpoint of its own, or as one file of weights."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from zoo.core import Params
from zoo.errors import UsageError, require
from zoo.files import written_aside
from zoo.train.digests import digests
from zoo.train.meta import FORMAT, as_json, versions
from zoo.train.trees import tensor_shapes
from zoo.train.weights import SUFFIX, Precision, stored, write_weights

OF_FILES = ("digest", "format", "packed")  # fields that say how a record is stored


def save(
    path: pathlib.Path,
    params: Params,
    about: Mapping[str, Any],
    *,
    precision: Precision = "float32",
    extras: Mapping[str, np.ndarray],
) -> pathlib.Path:
    """Writes parameters and what is recorded of them; returns `path`.

    Args:
      path: a file that ends in .safetensors, or the directory to write; that must not
        hold checkpoints.
      params: the parameters of every network.
      about: the records of family, codec and task, and more.
      precision: the numbers to store parameters as.
      extras: other arrays of the model, by `FILE/NAME`.

    Raises:
      UsageError: `path` holds checkpoints already, or a parameter is too large.
    """
    about = {k: v for k, v in about.items() if k not in OF_FILES}
    if path.suffix == SUFFIX:
        with written_aside(path) as temporary:
            write_weights(temporary, params, about, precision=precision, extras=extras)
        return path
    require(
        precision != "int8",
        "a directory holds no parameters of int8: end the path in .safetensors.",
    )
    save_checkpoint(path, params, about, precision=precision)
    arrays: dict[str, dict[str, np.ndarray]] = {}
    for name, array in extras.items():
        file, _, key = name.partition("/")
        arrays.setdefault(file, {})[key] = array
    for file, group in arrays.items():
        np.savez(path / f"{file}.npz", **group)  # type: ignore[arg-type]
    return path


def save_checkpoint(
    path: pathlib.Path,
    params: Params,
    about: Mapping[str, Any],
    *,
    precision: Precision,
) -> None:
    """Writes a directory with a checkpoint of its own.

    Raises:
      UsageError: it holds checkpoints already.
    """
    import orbax.checkpoint as ocp  # slow to import

    if (path / "checkpoints").exists():
        raise UsageError(f"{path} holds checkpoints already: choose another directory.")
    params = jax.tree.map(lambda x: stored(np.asarray(x), precision)[0], params)
    about = as_json(
        {
            **{"format": FORMAT, "step": 0, "versions": versions(), **about},
            "tensors": tensor_shapes(params=params),
            "digests": digests({"ema": params}),
        }
    )
    items = {"ema": ocp.args.StandardSave(params), "meta": ocp.args.JsonSave(about)}
    folder = path.absolute() / "checkpoints" / str(about["step"])
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler("ema", "meta")) as writer:
        writer.save(folder, args=ocp.args.Composite(**items))
    for marker in path.rglob("commit_success.txt"):
        marker.unlink()  # it names a path of this machine
