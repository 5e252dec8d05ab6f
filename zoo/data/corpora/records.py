"""Built corpora, read: any piece of a split by its number."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import tensorflow_datasets as tfds

from zoo.data.corpora.dedup import SPLITS
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError, ZooError

VERSION = "1.1.0"  # of what is built: to be raised whenever a reader reads differently


@dataclass(frozen=True)
class Record:
    """A piece of music and where it comes from."""

    id: str
    style: str
    source: str
    licence: str
    sequence: NoteSequence


def data_root() -> Path:
    """Where corpora are built: $ZOO_DATA, else a folder in the user's cache."""
    named = os.environ.get("ZOO_DATA")
    return (
        Path(named).expanduser()
        if named
        else Path.home() / ".cache" / "music-zoo" / "data"
    )


def known_split(split: str) -> str:
    """Returns `split`; raises UsageError if it is not one of `SPLITS`."""
    if split not in SPLITS:
        raise UsageError(
            f"There is no split {split!r}: choose from {', '.join(SPLITS)}."
        )
    return split


class Records:
    """One split of the dataset in `folder`; costs nothing until the first record is read, and can
    be pickled.

    Raises:
      UsageError: there is no such split.
    """

    def __init__(self, folder: Path, split: str):
        self.folder, self.split = folder, known_split(split)

    @cached_property
    def source(self) -> Sequence[dict[str, Any]]:
        builder = tfds.builder_from_directory(self.folder)
        if self.split not in builder.info.splits:
            raise ZooError(
                f"The corpus in {self.folder} is too small for a {self.split} split: it needs at "
                "least three pieces that are not variants of each other."
            )
        return builder.as_data_source(self.split)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "split": self.split}

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.folder}, {self.split!r})"


class Split(Records, Sequence[Record]):
    """The pieces of one split, each read and parsed when asked for."""

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        found = self.source[range(len(self))[index]]
        texts = {
            name: found[name].decode() for name in ("id", "style", "source", "licence")
        }
        return Record(**texts, sequence=NoteSequence.FromString(found["sequence"]))
