"""Weights in one safetensors file: averaged parameters, and the record of their model.

The record is that of a checkpoint, as JSON in the metadata. It holds the digest of
every tensor. A tensor `params/NAME` of int8 has a scale for each of its last axis in
`scales/NAME`. Instead of one of whole numbers that are mostly 0, the file holds their
places and themselves, in `places/` and `numbers/`; "packed" in the record says how, and
tensors with the same places share them. Other arrays of a model are in `extras/`, such
as the vectors of steering.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as as_bytes

from zoo.core import Params
from zoo.errors import UsageError, ZooError
from zoo.train.digests import Damaged, check_digests, digests
from zoo.train.meta import FORMAT, as_json, check_meta, versions
from zoo.train.packed import packed, unpacked
from zoo.train.trees import by_path, require_shapes, tensor_shapes

SUFFIX = ".safetensors"
RECORD = "music-zoo"  # the key of the record in the metadata
MIN_QUANTISED = 1024  # elements of a tensor that int8 makes smaller
STEPS = 127  # of int8, on each side of 0
Precision = Literal["float32", "float16", "bfloat16", "int8"]


class WeightFile:
    """A file of weights.

    Attributes:
      path: the file.
      about: its record.

    Raises:
      UsageError: there is no such file.
      ZooError: it is damaged, is no file of weights, or a newer version wrote it.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        if not path.is_file():
            raise UsageError(f"there is no file {path}: give the path of weights.")
        try:
            with safe_open(path, "np") as file:
                text = (file.metadata() or {}).get(RECORD)
            if text is None:
                raise ZooError(
                    f"{path} holds no model of the zoo: give a file that `Model.save` "
                    "or zoo ship has written."
                )
            self.about = check_meta(json.loads(text), path)
        except (SafetensorError, ValueError, RecursionError) as error:
            raise self.damaged("its header cannot be read") from error
        except Damaged as error:
            raise self.damaged(str(error)) from error

    def params(self, like: Params) -> Params:
        """Returns the parameters, with the shapes, dtypes and shardings of `like`.

        Raises:
          UsageError: the tensors of the file have other shapes.
          ZooError: they are not what was written.
        """
        require_shapes(
            self.about["tensors"], tensor_shapes(params=like), str(self.path)
        )
        arrays = self.leaves()

        def placed(path: Any, leaf: Any) -> jax.Array:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            if arrays.get(name, np.empty(0)).shape != leaf.shape:
                raise self.damaged(f"{name} is not what was written")
            return jax.device_put(arrays[name].astype(leaf.dtype), leaf.sharding)

        return jax.tree_util.tree_map_with_path(placed, like)

    def leaves(self) -> dict[str, np.ndarray]:
        """Returns every parameter by its path, for any family.

        Raises:
          ZooError: one of them is not what was written.
        """
        arrays, scales = self.arrays("params/"), self.arrays("scales/")
        plain = {
            name: array * scales[name] if name in scales else array
            for name, array in arrays.items()
        }
        return plain | self.unpacked()

    def unpacked(self) -> dict[str, np.ndarray]:
        """Returns the parameters that are packed, by their paths.

        Raises:
          ZooError: one of them is not what was written.
        """
        places, numbers = self.arrays("places/"), self.arrays("numbers/")
        shapes = self.about["tensors"]
        try:
            return {
                name: unpacked(
                    places[about["places"]],
                    numbers[name],
                    about,
                    shapes[f"params/{name}"],
                )
                for name, about in self.about.get("packed", {}).items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self.damaged("its packed tensors cannot be read") from error

    def extras(self) -> dict[str, np.ndarray]:
        """Returns the other arrays of the model by name."""
        return self.arrays("extras/")

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Returns the tensors whose names begin with `prefix`, by the rest of them.

        Raises:
          ZooError: one of them is not what was written.
        """
        try:
            with safe_open(self.path, "np") as file:
                names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
                arrays = {name: file.get_tensor(name) for name in names}
            check_named(arrays, self.about.get("digests", {}))
        except SafetensorError as error:
            raise self.damaged("its tensors cannot be read") from error
        except Damaged as error:
            raise self.damaged(str(error)) from error
        return {name.removeprefix(prefix): array for name, array in arrays.items()}

    def damaged(self, why: str) -> ZooError:
        """Returns the error of a file that does not hold what was written."""
        return ZooError(
            f"{self.path} is damaged ({why}): take a copy that is whole, or install "
            "music-zoo again if the file came with it."
        )


def check_named(arrays: Mapping[str, np.ndarray], recorded: Mapping[str, str]) -> None:
    """Raises Damaged if an array differs from the digest recorded by its name."""
    for name, array in arrays.items():
        check_digests({name: array}, recorded)


def write_weights(
    path: pathlib.Path,
    params: Params,
    about: Mapping[str, Any],
    *,
    precision: Precision,
    extras: Mapping[str, np.ndarray],
) -> None:
    """Writes parameters, their record and further arrays.

    Raises:
      UsageError: a parameter is too large for `precision`.
    """
    arrays: dict[str, np.ndarray] = {}
    records: dict[str, Any] = {}
    owners: dict[bytes, str] = {}  # of places, by their bytes
    for name, leaf in by_path(params).items():
        if (pack := packed(np.asarray(leaf))) is not None:
            owner = owners.setdefault(pack.places.tobytes(), name)
            arrays[f"places/{owner}"] = pack.places
            arrays[f"numbers/{name}"] = pack.numbers
            records[name] = {**pack.about, "places": owner}
            continue
        array, scale = stored(np.asarray(leaf), precision)
        if not np.isfinite(array.astype(np.float32)).all():
            raise UsageError(
                f"{name} has numbers that {array.dtype} cannot hold: choose "
                "`precision=float32`."
            )
        arrays[f"params/{name}"] = array
        if scale is not None:
            arrays[f"scales/{name}"] = scale
    arrays |= {f"extras/{name}": np.asarray(x) for name, x in extras.items()}
    arrays = {name: np.asarray(x, order="C") for name, x in arrays.items()}
    header = {"format": FORMAT, "step": 0, "versions": versions(), **about}
    tensors = {"tensors": tensor_shapes(params=params), "digests": digests(arrays)}
    if records:
        tensors["packed"] = records
    write_arrays(path, arrays, {**header, **tensors})


def write_arrays(
    path: pathlib.Path, arrays: Mapping[str, np.ndarray], record: Mapping[str, Any]
) -> None:
    """Writes arrays and the record of their model, as they are."""
    text = json.dumps(as_json(record))
    path.write_bytes(as_bytes(dict(arrays), {RECORD: text}))


def reread(array: np.ndarray, precision: Precision) -> np.ndarray:
    """Returns an array as it is after it was written and read."""
    if packed(array) is not None:
        return array
    narrow, scale = stored(array, precision)
    values = narrow.astype(array.dtype)
    return values if scale is None else (values * scale).astype(array.dtype)


def stored(
    array: np.ndarray, precision: Precision
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns an array as it is stored, and the scales [n] of its last axis if int8.

    Whole numbers and truth values are kept as they are. Of int8 are matrices alone.
    """
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return array, None
    if precision != "int8":
        with np.errstate(over="ignore"):  # the caller looks for infinities
            return array.astype(jnp.dtype(precision)), None
    if array.ndim < 2 or array.size < MIN_QUANTISED:
        return array.astype(np.float16), None
    scale = np.abs(array).max(axis=tuple(range(array.ndim - 1))) / STEPS
    scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
    return np.rint(array / scale).astype(np.int8), scale
