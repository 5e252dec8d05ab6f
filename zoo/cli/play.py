"""`zoo play`: score files, heard and seen."""

import pathlib
from typing import TYPE_CHECKING

from tyro.conf import Positional

from zoo.cli.output import Flat, Output
from zoo.cli.scores import print_counts
from zoo.errors import UsageError, printable
from zoo.ranges import Pieces

MAX_NAMES = 3  # of files in a title

if TYPE_CHECKING:
    from zoo.data.scores.limits import Piece


def play(
    files: Positional[tuple[pathlib.Path, ...]],
    /,
    n: Pieces = 8,
    out: pathlib.Path = pathlib.Path("played"),
    output: Flat = Output(),
) -> None:
    """Render score files: a page that plays them, with WAV, MIDI and engraved scores.

    Args:
        files: MIDI, ABC or MusicXML files.
        n: maximum number of pieces, of books with many.
        out: the directory to write.
        output: sound and files of the pieces.
    """
    from zoo.data.scores.read import read

    found = [piece for path in files for piece in read(path)]
    pieces = [piece for piece in found if piece.sequence is not None]
    for piece in found:
        if piece.refused is not None:
            print(printable(f"{piece.name} is left out: {piece.refused.detail}"))
        print_counts(piece)
    if not pieces:
        names = ", ".join(map(str, files)) or "no file was named"
        raise UsageError(
            f"there is no piece to play ({names}): name MIDI, ABC or MusicXML files."
        )
    chosen = pieces[:n]
    page = output.write(
        [piece.sequence for piece in chosen if piece.sequence is not None],
        out,
        title=_title(files),
        names=[_name(piece) for piece in chosen],
    )
    left = f" (the first of {len(pieces)})" if len(pieces) > n else ""
    print(f"{len(chosen)} pieces{left} in {out}; open {page}")


def _title(files: tuple[pathlib.Path, ...]) -> str:
    """Returns the names of the first files."""
    named = ", ".join(path.stem for path in files[:MAX_NAMES])
    return named + (", ..." if len(files) > MAX_NAMES else "")


def _name(piece: "Piece") -> str:
    """Returns the title of a piece, or the name of its file."""
    title = piece.sequence.sequence_metadata.title if piece.sequence else ""
    return title or piece.name
