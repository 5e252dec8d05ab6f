"""Trees of arrays by the paths of their leaves: names, shapes, places."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from zoo.core import Tree
from zoo.errors import UsageError, clipped, shown


def by_path(tree: Tree) -> dict[str, Any]:
    """Returns the leaves of a tree by their paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in leaves
    }


def tensor_shapes(**trees: Tree) -> dict[str, list[int]]:
    """Returns the shapes of parameters, and of an optimizer state, by path."""
    return {name: list(leaf.shape) for name, leaf in by_path(trees).items()}


def require_shapes(
    saved: Mapping[str, list[int]], expected: Mapping[str, list[int]], place: str
) -> None:
    """Raises UsageError unless tensors at `place` have the expected shapes.

    Items of it that are not expected may have any.
    """
    items = {name.partition("/")[0] for name in expected}
    saved = {k: v for k, v in saved.items() if k.partition("/")[0] in items}
    for name in sorted(expected.keys() | saved.keys()):
        if expected.get(name) != saved.get(name):
            found = shown(saved[name]) if name in saved else "none"
            raise UsageError(
                f"{clipped(name, 120)} has shape {found} in {place} and shape "
                f"{expected.get(name, 'none')} in this model and optimizer: use the "
                "options of that run, or another `workdir`."
            )


def shapes(tree: Tree, mesh: Mesh | None = None) -> Tree:
    """Returns the shapes and dtypes of `tree`, with shardings, as the form to restore.

    The sharding is replication over `mesh`, or the first local device.
    """
    sharding: jax.sharding.Sharding
    if mesh is None:
        sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    else:
        sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(jnp.shape(x), x.dtype, sharding=sharding), tree
    )
