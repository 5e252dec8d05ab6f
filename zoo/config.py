"""Records of frozen dataclasses as JSON, so that a checkpoint describes itself.

A value is recorded by the name of its class and its fields. Only classes of the zoo, or
ones that the caller hands over, are built from a record: it is data, and never names
code to import from elsewhere.
"""

import dataclasses
import functools
import importlib
import json
import math
import pathlib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from zoo.errors import ZooError, clipped, shown
from zoo.files import without_home
from zoo.upgrades import upgraded

HOMES = ("zoo.models", "zoo.data.codecs", "zoo.tasks")  # whose classes are restored
Json = Any


def record(value: Any) -> Json:
    """Returns the JSON of a dataclass, a tuple or a plain value, however nested.

    The path of the user's home is written ~.

    Raises:
      TypeError: it holds something else.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: record(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.init and field.metadata.get("recorded", True)
        }
        return {"class": name_of(type(value)), **fields}
    if isinstance(value, tuple | list):
        return [record(item) for item in value]
    if isinstance(value, dict):
        return {key: record(item) for key, item in value.items()}
    if isinstance(value, str):
        return without_home(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(
        "a configuration holds plain values and dataclasses, not "
        f"{type(value).__name__}"
    )


def current(recorded: Json) -> Json:
    """Returns a record of any version as this version would have written it."""
    if isinstance(recorded, str):
        return without_home(recorded)
    if isinstance(recorded, list):
        return [current(item) for item in recorded]
    if not isinstance(recorded, dict):
        return recorded
    fields = {key: current(value) for key, value in recorded.items()}
    return upgraded(fields) if isinstance(fields.get("class"), str) else fields


def restore(
    recorded: Json, known: Iterable[type] = (), version: str | None = None
) -> Any:
    """Builds what `record` was given.

    Args:
      recorded: the record, of any version.
      known: classes from outside the zoo that may be built.
      version: the music-zoo that wrote the record, for errors.

    Raises:
      ZooError: the record names a class or a field that this version does not have.
    """
    return build(current(recorded), known, version)


def build(recorded: Json, known: Iterable[type], version: str | None) -> Any:
    """Builds the value of a current record; see `restore`."""
    if isinstance(recorded, list):
        return tuple(build(item, known, version) for item in recorded)
    if not isinstance(recorded, dict):
        return recorded
    fields = {k: build(v, known, version) for k, v in recorded.items() if k != "class"}
    if "class" not in recorded:
        return fields
    cls = find(recorded["class"], known, version)
    unknown = fields.keys() - {x.name for x in dataclasses.fields(cls) if x.init}
    if unknown:
        listed = clipped(", ".join(sorted(unknown)), 120)
        raise ZooError(
            f"the record of {cls.__name__} has fields this version does not know "
            f"({listed}): {writer(version)} wrote it; upgrade, or train again."
        )
    wrong = [k for k, v in fields.items() if not conforms(v, hints(cls).get(k, Any))]
    if wrong:
        raise ZooError(
            f"the record of {cls.__name__} has {wrong[0]} {shown(fields[wrong[0]])}, "
            "which is none of the values it may have: take a copy that is whole, or "
            "train again."
        )
    try:
        return cls(**fields)
    except Exception as error:  # a record may hold anything
        raise ZooError(
            f"the record of {cls.__name__} cannot be used ({cause(error)}): take a "
            "copy that is whole, or train again."
        ) from error


def cause(error: Exception) -> str:
    """Returns why a value cannot be built, in words of the zoo."""
    if isinstance(error, ZooError):
        return clipped(str(error).partition(":")[0].replace("`", ""), 160)
    return "its fields are incomplete or do not fit together"


@functools.cache
def hints(cls: type) -> Mapping[str, Any]:
    """Returns the types of a class's fields, as far as they are known."""
    try:
        return typing.get_type_hints(cls)
    except NameError:  # a class of the caller's names types that it does not import
        return {}


def conforms(value: Any, hint: Any) -> bool:
    """Says whether a restored value may stand in a field of a type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value in inner
    if origin in (typing.Union, types.UnionType):
        return any(conforms(value, kind) for kind in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = inner[:1] * len(value) if inner[-1:] == (...,) else inner
        return len(value) == len(kinds) and all(map(conforms, value, kinds))
    if hint is float:
        return isinstance(value, int | float) and -math.inf < value < math.inf
    try:
        return hint is Any or isinstance(value, origin or hint)
    except TypeError:  # a protocol that cannot be checked
        return True


def name_of(cls: type) -> str:
    """Returns the name that a class is recorded by: its own, if it is the zoo's."""
    own = cls.__module__.startswith("zoo.")
    return cls.__qualname__ if own else f"{cls.__module__}.{cls.__qualname__}"


def find(path: str, known: Iterable[type], version: str | None = None) -> type:
    """Returns the class that a record names.

    Raises:
      ZooError: there is none, or it is not one of the zoo's dataclasses.
    """
    for cls in known:
        if path in (name_of(cls), f"{cls.__module__}.{cls.__qualname__}"):
            return cls
    if not isinstance(path, str):
        raise ZooError("the record names no class: take a copy that is whole.")
    if "." not in path:
        for home in HOMES:
            found = getattr(importlib.import_module(home), path, None)
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                return found
    raise ZooError(
        f"the record names the class {clipped(path)}, which this version does not "
        f"have: {writer(version)} wrote it; upgrade music-zoo, or import your class "
        "and pass it as `known`."
    )


def writer(version: str | None) -> str:
    """Returns the version that wrote a record, in words."""
    return (
        f"music-zoo {clipped(version)}" if version else "another version of music-zoo"
    )


def write(path: pathlib.Path, value: Json) -> None:
    """Writes a value as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(value, indent=2) + "\n")
    unfinished.replace(path)
