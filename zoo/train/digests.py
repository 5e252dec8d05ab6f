"""Digests of arrays and records, by which a damaged checkpoint is recognised.

A digest is the CRC-32 of the bytes: it finds every damage to a single byte, and misses
one in four billion others. It is no protection from somebody who forges a checkpoint.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from zoo.core import Tree
from zoo.train.trees import by_path

DIGEST = "digest"  # the field of a record that holds the digest of all others


class Damaged(Exception):
    """A checkpoint does not hold what was written."""


def digest(array: Any, dtype: str | None = None) -> str:
    """Returns the dtype of an array and the CRC-32 of its bytes: `float32 8a3f00c1`.

    Args:
      array: the array; if other hosts have parts of it, all must call this.
      dtype: the dtype that it was written in, if it has been converted since.
    """
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        array = multihost_utils.process_allgather(array, tiled=True)
    values = np.asarray(array)
    if dtype is not None:
        values = values.astype(jax.numpy.dtype(dtype))
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return f"{values.dtype} {zlib.crc32(data.data):08x}"


def digests(tree: Tree) -> dict[str, str]:
    """Returns the digest of every array of a tree, by its path."""
    return {name: digest(leaf) for name, leaf in by_path(tree).items()}


def check_digests(tree: Tree, recorded: Mapping[str, str]) -> None:
    """Raises Damaged if an array of the tree differs from its recorded digest."""
    for name, leaf in by_path(tree).items():
        expected = recorded.get(name)
        if expected is None or not same(leaf, expected):
            raise Damaged(f"{name} is not what was written")


def same(array: Any, expected: str) -> bool:
    """Says whether an array has the expected digest."""
    try:
        return digest(array, expected.partition(" ")[0]) == expected
    except TypeError:  # the digest names no dtype
        return False


def with_digest(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record of plain values with the digest of its fields.

    Raises:
      TypeError: JSON cannot express it.
      ValueError: it contains itself.
    """
    plain = json.loads(json.dumps({k: v for k, v in record.items() if k != DIGEST}))
    return {**plain, DIGEST: record_digest(plain)}


def record_digest(plain: Mapping[str, Any]) -> str:
    """Returns the CRC-32 of a record's JSON."""
    text = json.dumps(plain, sort_keys=True)
    return f"{zlib.crc32(text.encode()):08x}"


def check_record(record: Mapping[str, Any]) -> None:
    """Raises Damaged if a record has a digest and other fields than it had then."""
    fields = {name: value for name, value in record.items() if name != DIGEST}
    if DIGEST in record and record[DIGEST] != record_digest(fields):
        raise Damaged("its meta is not what was written")
