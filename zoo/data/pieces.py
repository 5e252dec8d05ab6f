"""Encoded pieces: arrays of different lengths, with labels and per-piece columns."""

import abc
import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import overload

import numpy as np


class Pieces(Sequence[np.ndarray]):
    """A sequence of encoded pieces [t, ...].

    Attributes:
      lengths: number of events or frames of each piece, int [n].
      shape: shape of one event or frame: () for tokens, (88,) for piano rolls.
      columns: arrays [n, ...] by name. A batch carries the row of each of its pieces
        besides `tokens` and `mask`.
    """

    lengths: np.ndarray
    shape: tuple[int, ...]
    columns: Mapping[str, np.ndarray] = MappingProxyType({})

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    @abc.abstractmethod
    def __getitem__(self, index): ...

    @abc.abstractmethod
    def labels(self, kind: str) -> list[str]:
        """Returns the style, mode or metre of each piece, "" if it is unknown."""

    @property
    def digest(self) -> str:
        """A digest of the arrays in their order, by which a run knows its corpus."""
        total = Digest()
        for array in self:
            total.add(array)
        return total.text

    @property
    def most_at_once(self) -> int:
        """The most values above 0 in one frame, such as the notes of a chord."""
        return max((count_at_once(array) for array in self), default=0)


class Digest:
    """A digest of arrays that are added one by one."""

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=8)

    def add(self, array: np.ndarray) -> None:
        """Adds an array, with its shape."""
        self.hash.update(f"{array.dtype.name} {array.shape}\n".encode())
        self.hash.update(np.ascontiguousarray(array).data)

    @property
    def text(self) -> str:
        """The digest of all arrays so far, in hexadecimal."""
        return self.hash.hexdigest()


def count_at_once(frames: np.ndarray) -> int:
    """Returns the most values above 0 in one of `frames` [t, ...]."""
    counts = (frames > 0).reshape(len(frames), -1).sum(axis=1)
    return int(counts.max(initial=0))


class InMemoryPieces(Pieces):
    """Pieces held in memory, without labels."""

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        columns: Mapping[str, np.ndarray] = MappingProxyType({}),
    ):
        self.arrays, self.columns = list(arrays), columns
        self.lengths = np.array([len(array) for array in arrays])
        self.shape = self.arrays[0].shape[1:]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index):
        return self.arrays[index]

    def labels(self, kind: str) -> list[str]:
        """Returns "" for each piece."""
        return [""] * len(self)
