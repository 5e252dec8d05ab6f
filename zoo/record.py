"""Frozen dataclasses as JSON and back, so that a checkpoint describes itself.

A value is recorded by its class and fields; only classes of the zoo, or ones handed over by the
caller, are ever built again: a record is data, and never names code to import from elsewhere.
"""

import dataclasses
import importlib
from collections.abc import Iterable
from typing import Any

from zoo.errors import ZooError

ROOMS = ("zoo.models.", "zoo.data.codecs.", "zoo.nn.")
Json = Any


def record(value: Any) -> Json:
    """The JSON of a dataclass, a tuple, or a plain value; nested as deep as it goes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: record(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init
        }
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **fields}
    if isinstance(value, tuple | list):
        return [record(item) for item in value]
    if isinstance(value, dict):
        return {key: record(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"a configuration holds plain values and dataclasses, not {type(value).__name__}"
    )


def restore(json: Json, known: Iterable[type] = ()) -> Any:
    """What `record` was given. `known` are classes from outside the zoo that may be built.

    Raises ZooError where the record names a class or a field this version has not.
    """
    if isinstance(json, list):
        return tuple(restore(item, known) for item in json)
    if not isinstance(json, dict):
        return json
    fields = {key: restore(item, known) for key, item in json.items() if key != "class"}
    if "class" not in json:
        return fields
    cls = find(json["class"], known)
    unknown = fields.keys() - {f.name for f in dataclasses.fields(cls)}
    if unknown:
        raise ZooError(
            f"the record of {cls.__name__} has fields this version does not know "
            f"({', '.join(sorted(unknown))}): another version of music-zoo wrote it, "
            "most likely a newer one; upgrade, or train anew."
        )
    return cls(**fields)


def find(path: str, known: Iterable[type]) -> type:
    for cls in known:
        if path == f"{cls.__module__}.{cls.__qualname__}":
            return cls
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name) if path.startswith(ROOMS) else None
    except (ModuleNotFoundError, AttributeError):
        found = None
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ZooError(
            f"the record names {path}, which this zoo has not: "
            "import your class and pass it as `known`, or upgrade music-zoo."
        )
    return found
