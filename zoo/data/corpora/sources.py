"""The files of a corpus, and where they come from."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from zoo.data.refusal import Refused

OWN_LICENCE = "Not stated: these are your own files, under your own terms."


@dataclass(frozen=True)
class File:
    """A file of a corpus.

    Attributes:
      path: its location.
      key: its name in records, the path relative to the source.
      style: its style label.
      size: in bytes.
      modified: modification time in nanoseconds; 0 for files of an installed package or
        of a public archive.
      split: the split of the collection that it belongs to; "" if there is none.
    """

    path: Path
    key: str
    style: str
    _: KW_ONLY
    size: int
    modified: int = 0
    split: str = ""


@dataclass(frozen=True)
class Source:
    """Files of one origin.

    Attributes:
      voices: keeps only pieces with this number of voices.
      notice: printed when the corpus is built.
      refused: names of files and folders that cannot be opened, with the reason.
      metre: the metre of all pieces; "" if each has those that it states.
    """

    name: str
    files: tuple[File, ...]
    _: KW_ONLY
    citation: str
    licence: str
    voices: int | None = None
    notice: str = ""
    refused: tuple[tuple[str, Refused], ...] = ()
    metre: str = ""
