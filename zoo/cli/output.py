"""Options of the commands that write pieces: tempo, instruments and formats."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence


@dataclasses.dataclass(frozen=True)
class Output:
    """The sound and the files of the pieces that a command writes.

    Attributes:
      tempo: quarters per minute; by default those of the model or of the file.
      instrument: General MIDI names or numbers, separated by commas: one of all parts,
        or one for each.
      format: formats to write, of mid, wav, mp3, ogg, musicxml, abc, svg and png,
        separated by commas.
    """

    tempo: float | None = None
    instrument: str | None = None
    _: dataclasses.KW_ONLY
    format: str = "mid,wav,png"

    def write(
        self,
        pieces: "Sequence[NoteSequence]",
        folder: pathlib.Path,
        *,
        title: str,
        names: Sequence[str] = (),
    ) -> pathlib.Path:
        """Writes pieces and their page, whose path is returned.

        Raises:
          UsageError: one of the options is not valid.
        """
        from zoo.listen.arrange import at_tempo, with_instruments
        from zoo.listen.gallery import write_gallery

        if self.tempo is not None:
            pieces = [at_tempo(piece, self.tempo) for piece in pieces]
        if self.instrument is not None:
            players = self.instrument.split(",")
            pieces = [with_instruments(piece, players) for piece in pieces]
        formats = [name.strip() for name in self.format.split(",")]
        return write_gallery(pieces, folder, title=title, names=names, formats=formats)


Flat = Annotated[Output, arg(name="")]  # options without the prefix "output."
