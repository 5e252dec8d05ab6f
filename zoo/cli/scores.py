"""Scores that a command reads, with what reading them left out."""

import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zoo.errors import as_options, printable

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence
    from zoo.data.scores.limits import Piece


def open_score(path: pathlib.Path) -> "NoteSequence":
    """Reads the first piece of a file, and prints what was left out or corrected.

    Raises:
      UsageError: it cannot be read.
    """
    from zoo.data.scores.read import open_piece

    piece = open_piece(path)
    print_counts(piece)
    assert piece.sequence is not None
    return piece.sequence


def print_counts(piece: "Piece") -> None:
    """Prints what was left out or corrected in a piece that was read."""
    counts = [f"{n} {name.replace('-', ' ')}" for name, n in piece.remarks.items()]
    if counts:
        print(printable(f"{piece.name}: left out or corrected: {', '.join(counts)}"))


def print_remarks(path: pathlib.Path, remarks: Iterable[str]) -> None:
    """Prints what encoding the piece of a file changed or left out."""
    for remark in remarks:
        print(as_options(f"{path.name}: {remark}"))
