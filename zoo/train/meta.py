"""The record of a checkpoint, `meta`: its header, and its fields checked on reading.

A checkpoint may come from anyone. Fields are therefore checked before they are used.
"""

import importlib.metadata
import math
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from zoo.errors import UsageError, ZooError
from zoo.train.digests import check_record, with_digest

FORMAT = 1
VERSION = re.compile(r"\d[\w.+!-]{0,30}")
MAX_DEPTH = 32  # of lists and objects in one another
MAX_SIZE = 2**62  # bytes of an array, and more than any machine has
PACKAGES = ("music-zoo", "jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def versions() -> dict[str, str]:
    """Returns the installed version of each package in `PACKAGES`."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_seconds(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0


def is_loss(value: Any) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)


def is_record(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_text, value.values()))


def is_shape(value: Any) -> bool:
    whole = isinstance(value, list) and all(map(is_whole, value))
    return whole and math.prod(value) < MAX_SIZE


def are_shapes(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_shape, value.values()))


def are_records(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(x, dict) for x in value.values())


FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "tensors": are_shapes,
    "digests": is_table,
    "versions": is_table,
    "step": is_whole,
    "seed": is_whole,
    "seconds": is_seconds,
    "valid": is_loss,
    "experiment": is_text,
    "family": is_record,
    "codec": is_record,
    "task": is_record,
    "packed": are_records,
    "music": is_record,
}


def depth_exceeds(value: Any, limit: int) -> bool:
    """Says whether lists and objects are nested more than `limit` deep."""
    level = [value]
    for _ in range(limit + 1):
        inner = [x.values() if isinstance(x, dict) else x for x in level]
        level = [x for xs in inner for x in xs if isinstance(x, dict | list)]
        if not level:
            return False
    return True


def upgrade(meta: Mapping[str, Any]) -> str:
    """Returns the advice on what to install to read a record of a newer format."""
    written = meta.get("versions")
    version = written.get("music-zoo") if isinstance(written, dict) else None
    known = isinstance(version, str) and VERSION.fullmatch(version)
    if not known or version == versions()["music-zoo"]:
        return "upgrade music-zoo"
    return f"install music-zoo {version} or later"


def check_meta(meta: Any, path: pathlib.Path) -> dict[str, Any]:
    """Returns the meta of the checkpoint at `path`, if it may be used.

    Raises:
      ZooError: it is not one of the zoo's, or was written by a newer version.
      Damaged: it is not what was written.
    """
    if not isinstance(meta, dict) or not {"format", "tensors"} <= meta.keys():
        raise ZooError(f"{path} is not a checkpoint of the zoo.")
    if not is_whole(meta["format"]):
        raise ZooError(
            f"{path} is not a checkpoint of the zoo: its format is no whole number."
        )
    if meta["format"] > FORMAT:
        raise ZooError(
            f"{path} has format {meta['format']}, and this version reads formats up to "
            f"{FORMAT}: {upgrade(meta)}."
        )
    if depth_exceeds(meta, MAX_DEPTH):
        raise ZooError(f"{path} is not a checkpoint of the zoo: its meta is too deep.")
    check_record(meta)
    for name, holds in FIELDS.items():
        if name in meta and not holds(meta[name]):
            raise ZooError(
                f"{path} records no usable {name}: take a copy that is whole, or train "
                "again."
            )
    return meta


def as_json(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `meta` as JSON with its digest.

    Raises:
      UsageError: JSON cannot express it.
    """
    try:
        return with_digest(meta)
    except (TypeError, ValueError) as error:
        raise UsageError(
            "`meta` holds more than JSON can express: give numbers, texts, lists and "
            "dictionaries."
        ) from error
