"""Where arrays live. Models never see this: placement is a property of the state, not the maths."""

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
Rules = tuple[
    tuple[str, P | str], ...
]  # (regex over the leaf's path, spec); the first match wins

RULES: dict[str, Rules] = {
    "replicate": ((".*", P()),),
    "fsdp": ((".*", FSDP),),
    # Megatron's column split: the last dimension of every matrix over the model axis
    "tensor": ((r"(kernel|embedding|weight)[^/]*$", P(None, "model")), (".*", P())),
}
SMALL = 2**8  # elements: below this an array stays whole


def mesh(*, model: int = 1, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """`devices`, or all of all hosts, `model` of them to each copy of the parameters."""
    devices = jax.devices() if devices is None else devices
    if model < 1 or len(devices) % model:
        raise UsageError(
            f"--model {model} does not divide the {len(devices)} devices: choose one that does."
        )
    # 0.10 defaults to Explicit axes, under which gathers would need annotating in every model
    return jax.make_mesh(
        (len(devices) // model, model),
        ("data", "model"),
        axis_types=(AxisType.Auto,) * 2,
        devices=devices,
    )


def place(mesh: Mesh, tree: Tree, rules: Rules = RULES["replicate"]) -> Tree:
    """A tree of shardings for `tree` (arrays, or the shapes `jax.eval_shape` gives)."""

    def one(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        spec = next((spec for pattern, spec in rules if re.search(pattern, name)), P())
        if (
            jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            or math.prod(leaf.shape) < SMALL
        ):
            spec = P()
        elif isinstance(spec, str):
            spec = largest("data", mesh.shape["data"], leaf.shape)
        return NamedSharding(mesh, fitting(spec, mesh, leaf.shape))

    return jax.tree_util.tree_map_with_path(one, tree)


def largest(axis: str, size: int, shape: tuple[int, ...]) -> P:
    """Splits the largest dimension that divides evenly."""
    for dim in sorted(range(len(shape)), key=lambda d: -shape[d]):
        if shape[dim] % size == 0:
            return P(*[axis if d == dim else None for d in range(len(shape))])
    return P()


def fitting(spec: P, mesh: Mesh, shape: tuple[int, ...]) -> P:
    """`spec`, or whole where the array has not the dimensions or the divisibility it asks for."""
    fits = len(spec) <= len(shape) and all(
        axis is None or shape[dim] % mesh.shape[axis] == 0
        for dim, axis in enumerate(spec)
    )
    return spec if fits else P()


def spread(mesh: Mesh, batch: Batch) -> Batch:
    """This process's rows of a batch, as its part of one global array split over the data axis."""
    where = NamedSharding(mesh, P("data"))
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(where, np.asarray(x)),
        dict(batch),
    )
