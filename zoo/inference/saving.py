"""Writing a model as a checkpoint of its own."""

import pathlib
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from zoo.config import record
from zoo.errors import UsageError
from zoo.train.checkpoint import FORMAT, by_path, versions

if TYPE_CHECKING:
    from zoo.inference.model import Model


def save(model: "Model", path: pathlib.Path, *, half: bool = False) -> pathlib.Path:
    """Writes what `zoo.load` needs of a model; returns `path`.

    Args:
      model: the model.
      path: the directory to write; it must not hold checkpoints.
      half: whether to store parameters in 16 bits.

    Raises:
      UsageError: `path` holds checkpoints already.
    """
    if (path / "checkpoints").exists():
        raise UsageError(f"{path} holds checkpoints already: choose another directory.")
    dtype = jnp.float16 if half else None
    params = jax.tree.map(lambda x: jnp.asarray(x, dtype), model.params)
    tensors = {f"params/{k}": list(x.shape) for k, x in by_path(params).items()}
    own = {"format": FORMAT, "step": 0, "versions": versions(), "tensors": tensors}
    about = {**own, **model.about}
    about["family"] = record(model.family)
    about["codec"] = record(model.codec)
    if model.task is not None:
        about["task"] = record(model.task)
    items = {"ema": ocp.args.StandardSave(params), "meta": ocp.args.JsonSave(about)}
    folder = path.absolute() / "checkpoints" / str(about["step"])
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler("ema", "meta")) as writer:
        writer.save(folder, args=ocp.args.Composite(**items))
    for marker in path.rglob("commit_success.txt"):
        marker.unlink()  # it names a path of this machine
    return path
