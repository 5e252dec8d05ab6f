"""Scores that a command reads, with what reading them left out."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import UsageError, as_options, printable

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


def open_score(path: pathlib.Path, metre: str | None = None) -> "NoteSequence":
    """Reads the first piece of a file, and prints what was left out or corrected.

    Args:
      path: the file.
      metre: the metre of the piece, in place of those that it states.

    Raises:
      UsageError: it cannot be read, or `metre` is not one.
    """
    from zoo.data.bars import state_metre
    from zoo.data.scores.read import open_piece

    piece = open_piece(path)
    print_counts(path.name, piece.remarks)
    assert piece.sequence is not None
    if metre:
        state_metre(piece.sequence, metre)
    return piece.sequence


def print_counts(name: str, remarks: Mapping[str, int]) -> None:
    """Prints what was left out or corrected when a piece was read, with its name."""
    counts = [f"{n} {remark.replace('-', ' ')}" for remark, n in remarks.items()]
    if counts:
        print(printable(f"{name}: left out or corrected: {', '.join(counts)}"))


def print_remarks(path: pathlib.Path, remarks: Iterable[str]) -> None:
    """Prints what encoding the piece of a file changed or left out."""
    for remark in remarks:
        print(printable(as_options(f"{path.name}: {remark}")))


def open_text(text: str) -> str:
    """Returns a text, or what is in it if it is the name of a .txt file.

    Raises:
      UsageError: there is no such file, or it is no text.
    """
    path = pathlib.Path(text)
    if path.suffix != ".txt":
        return text
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UsageError(
            f"{text} cannot be read: {error.strerror}; name a text file, or give words."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{text} is no text in UTF-8: name a text file, or give words."
        ) from error
