"""Encoded pieces: arrays of different lengths, with labels and per-piece columns."""

import abc
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
