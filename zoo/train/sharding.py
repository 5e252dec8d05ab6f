"""Sharding of parameters and batches over a mesh of devices."""

import math
import re
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from zoo.core import Batch, Tree
from zoo.errors import UsageError

FSDP = "fsdp"  # in place of a spec: split the largest dimension over the data axis
# pairs of a regular expression over the path of a leaf and its spec; the first match
# is used
Placement = tuple[tuple[str, P | str], ...]

PLACEMENTS: dict[str, Placement] = {
    "replicate": ((".*", P()),),
    "fsdp": ((".*", FSDP),),
    # Megatron's column split: the last dimension of every matrix over the model axis
    "tensor": ((r"(kernel|embedding|weight)[^/]*$", P(None, "model")), (".*", P())),
}
MIN_SHARDED_SIZE = 2**8  # elements; smaller arrays are replicated


def mesh(*, model: int = 1, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Returns a mesh with the axes "data" and "model".

    Args:
      model: number of devices that share one copy of the parameters.
      devices: the devices; by default all devices of all hosts.

    Raises:
      UsageError: `model` does not divide the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    if model < 1 or len(devices) % model:
        raise UsageError(
            f"`model` is {model}, which does not divide the {len(devices)} devices: "
            "choose a divisor."
        )
    # JAX 0.10 defaults to Explicit axes, which would need annotations in every model
    return jax.make_mesh(
        (len(devices) // model, model),
        ("data", "model"),
        axis_types=(AxisType.Auto,) * 2,
        devices=devices,
    )


def place(
    mesh: Mesh, tree: Tree, placement: Placement = PLACEMENTS["replicate"]
) -> Tree:
    """Returns the sharding of every leaf of `tree` (arrays or their shapes)."""

    def sharding_of(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        matches = (spec for pattern, spec in placement if re.search(pattern, name))
        spec = next(matches, P())
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        if is_key or math.prod(leaf.shape) < MIN_SHARDED_SIZE:
            spec = P()
        elif isinstance(spec, str):
            spec = split_largest("data", mesh.shape["data"], leaf.shape)
        return NamedSharding(mesh, spec if divides(spec, mesh, leaf.shape) else P())

    return jax.tree_util.tree_map_with_path(sharding_of, tree)


def split_largest(axis: str, size: int, shape: tuple[int, ...]) -> P:
    """Returns the spec that splits the largest dimension that `size` divides."""
    for dim in sorted(range(len(shape)), key=lambda d: -shape[d]):
        if shape[dim] % size == 0:
            return P(*[axis if d == dim else None for d in range(len(shape))])
    return P()


def divides(spec: P, mesh: Mesh, shape: tuple[int, ...]) -> bool:
    """Returns whether an array of `shape` can be split evenly by `spec`."""
    return len(spec) <= len(shape) and all(
        axis is None or shape[dim] % mesh.shape[axis] == 0
        for dim, axis in enumerate(spec)
    )


def shard_batch(mesh: Mesh, batch: Batch) -> Batch:
    """Returns a global batch, split over the data axis, from each process's rows."""
    rows = NamedSharding(mesh, P("data"))
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(rows, np.asarray(x)),
        dict(batch),
    )
