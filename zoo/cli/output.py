"""Options of the commands that write pieces: tempo, instruments and formats."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from zoo.ranges import Tempo, checked

if TYPE_CHECKING:
    from zoo.data.proto import NoteSequence

FORMATS = "mid,wav,png"


@dataclasses.dataclass(frozen=True)
@checked
class Output:
    """The sound and the files of the pieces that a command writes.

    Attributes:
      tempo: quarters per minute; by default those of the model or of the file.
      instrument: General MIDI names or numbers, separated by commas: one of all parts,
        or one for each.
      format: formats to write, of mid, wav, mp3, ogg, musicxml, abc, svg and png,
        separated by commas.

    Raises:
      UsageError: one of them is not valid.
    """

    tempo: Tempo | None = None
    instrument: str | None = None
    _: dataclasses.KW_ONLY
    format: str = FORMATS

    def __post_init__(self) -> None:
        if self.instrument is None and self.format == FORMATS:
            return  # what follows is slow to import
        from zoo.data.codecs.names import require_one_of
        from zoo.listen import arrange, files

        for name in self.instruments:
            arrange.program(name)
        for name in self.formats:
            require_one_of(name, files.FORMATS, "format")

    @property
    def instruments(self) -> list[str]:
        """The names in `instrument`."""
        return _listed(self.instrument or "")

    @property
    def formats(self) -> list[str]:
        """The names in `format`."""
        return _listed(self.format)

    def write(
        self,
        pieces: "Sequence[NoteSequence]",
        folder: pathlib.Path,
        *,
        title: str,
        names: Sequence[str] = (),
    ) -> pathlib.Path:
        """Writes pieces and their page, whose path is returned."""
        from zoo.listen.arrange import with_instruments, with_tempo
        from zoo.listen.gallery import write_gallery

        if self.tempo is not None:
            pieces = [with_tempo(piece, self.tempo) for piece in pieces]
        if self.instruments:
            pieces = [with_instruments(piece, self.instruments) for piece in pieces]
        return write_gallery(
            pieces, folder, title=title, names=names, formats=self.formats
        )


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


Flat = Annotated[Output, arg(name="")]  # options without the prefix "output."
