"""Frozen dataclasses as JSON and back, so that a checkpoint describes itself.

A value is recorded by its class and fields; only classes of the zoo, or ones handed over by the
caller, are ever built again: a record is data, and never names code to import from elsewhere.
"""

import dataclasses
import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any

from zoo.errors import ZooError

HOMES = ("zoo.models", "zoo.data.codecs", "zoo.tasks")  # whose classes are restored
RENAMED: dict[str, str] = {}  # classes, by the names that older versions recorded
RENAMED_FIELDS: dict[str, dict[str, str]] = {  # fields of a class, likewise
    "LatentDiffusion": {"drop": "style_dropout"},
    "LatentMDN": {"drop": "style_dropout"},
    "MuseGAN": {
        "chords": "polyphonic",
        "every": "critic_steps",
        "given": "conditioning",
        "reader": "critic_width",
    },
    "MusicVAE": {
        "anneal": "kl_anneal",
        "each": "free_per_latent",
        "free": "free_nats",
        "schedule": "sampling_schedule",
    },
    "SeqGAN": {
        "every": "critic_steps",
        "heat": "temperature",
        "lessons": "likelihood_every",
        "trail": "policy_rate",
        "tutor": "critic_warmup",
        "warm": "warmup",
    },
}
Json = Any


def record(value: Any) -> Json:
    """The JSON of a dataclass, a tuple, or a plain value; nested as deep as it goes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: record(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if f.init
        }
        return {"class": name_of(type(value)), **fields}
    if isinstance(value, tuple | list):
        return [record(item) for item in value]
    if isinstance(value, dict):
        return {key: record(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"a configuration holds plain values and dataclasses, not {type(value).__name__}"
    )


def restore(json: Json, known: Iterable[type] = (), version: str | None = None) -> Any:
    """Builds what `record` was given.

    Args:
      json: the record; classes go by the names that any version gave them.
      known: classes from outside the zoo that may be built.
      version: the music-zoo that wrote the record, for errors.

    Raises:
      ZooError: the record names a class or a field that this version does not have.
    """
    if isinstance(json, list):
        return tuple(restore(item, known, version) for item in json)
    if not isinstance(json, dict):
        return json
    fields = {k: restore(v, known, version) for k, v in json.items() if k != "class"}
    if "class" not in json:
        return fields
    cls = find(json["class"], known, version)
    renamed = RENAMED_FIELDS.get(cls.__name__, {})
    fields = {renamed.get(key, key): value for key, value in fields.items()}
    unknown = fields.keys() - {f.name for f in dataclasses.fields(cls)}
    if unknown:
        raise ZooError(
            f"the record of {cls.__name__} has fields this version does not know "
            f"({', '.join(sorted(unknown))}): {writer(version)} wrote it; upgrade, or "
            "train again."
        )
    return cls(**fields)


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
    module, _, name = path.rpartition(".")
    name = RENAMED.get(name, name)
    homes = [home for home in HOMES if importlib.util.find_spec(home)]
    if module in ("", "zoo") or module.startswith("zoo."):  # older versions wrote it
        for home in homes:
            found = getattr(importlib.import_module(home), name, None)
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                return found
    raise ZooError(
        f"the record names the class {path}, which this version does not have: "
        f"{writer(version)} wrote it; upgrade music-zoo, or import your class and pass "
        "it as `known`."
    )


def writer(version: str | None) -> str:
    return f"music-zoo {version}" if version else "another version of music-zoo"
