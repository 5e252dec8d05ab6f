"""Random access to the records of built corpora."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import tensorflow_datasets as tfds

from zoo.data.corpora.dedup import SPLITS
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError, ZooError
from zoo.files import data_root as data_root

VERSION = "1.2.0"  # version of the built data; raise it whenever a reader changes


@dataclass(frozen=True)
class Record:
    """A piece of music and its origin."""

    id: str
    style: str
    source: str
    _: KW_ONLY
    licence: str
    sequence: NoteSequence


def known_split(split: str) -> str:
    """Returns `split`; raises UsageError if it is not one of `SPLITS`."""
    if split not in SPLITS:
        raise UsageError(
            f"There is no split {split!r}: choose from {', '.join(SPLITS)}."
        )
    return split


class Records:
    """One split of the dataset in `folder`, opened on first access; can be pickled.

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
                f"The corpus in {self.folder} is too small for a {self.split} split: "
                "it needs at least three pieces that are not variants of each other."
            )
        return builder.as_data_source(self.split)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "split": self.split}

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.folder}, {self.split!r})"


class Split(Records, Sequence[Record]):
    """The pieces of one split, each read and parsed on access."""

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        example = self.source[range(len(self))[index]]
        return Record(
            example["id"].decode(),
            example["style"].decode(),
            example["source"].decode(),
            licence=example["licence"].decode(),
            sequence=NoteSequence.FromString(example["sequence"]),
        )
