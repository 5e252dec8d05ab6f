"""Writing a model as a checkpoint of its own."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from zoo.core import Params
from zoo.errors import UsageError
from zoo.train.checkpoint import as_json, tensor_shapes
from zoo.train.digests import digests
from zoo.train.meta import FORMAT, versions


def save(
    path: pathlib.Path, params: Params, about: Mapping[str, Any], *, half: bool
) -> pathlib.Path:
    """Writes parameters and what is recorded of them; returns `path`.

    Args:
      path: the directory to write; it must not hold checkpoints.
      params: the parameters of every network.
      about: the records of family, codec and task, and more.
      half: whether to store parameters in 16 bits.

    Raises:
      UsageError: `path` holds checkpoints already.
    """
    if (path / "checkpoints").exists():
        raise UsageError(f"{path} holds checkpoints already: choose another directory.")
    dtype = jnp.float16 if half else None
    params = jax.tree.map(lambda x: jnp.asarray(x, dtype), params)
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
    return path
