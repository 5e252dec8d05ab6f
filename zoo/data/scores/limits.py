"""How much one file may ask of the machine, and what comes of reading it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused


@dataclass(frozen=True)
class Limits:
    """Bounds on one file; whatever exceeds one is refused with a reason.

    The defaults hold any real score with room to spare and keep a corrupt one within a few hundred
    megabytes. `seconds` and `memory` need a process of their own: `zoo.data.corpora.workers` applies them.
    """

    bytes: int = 16 << 20  # of the file, and of what a compressed one unpacks to
    ticks: int = 10_000_000  # of the longest MIDI track: 16 bytes of table for each
    notes: int = 100_000  # in a piece
    pieces: int = 20_000  # in a file
    parts: int = 64  # voices or parts in a piece
    duration: float = 4 * 3600.0  # of music, in seconds
    seconds: float = 30.0  # of wall clock
    memory: int = 2 << 30  # bytes, beyond what a worker holds before its first file


@dataclass(frozen=True)
class Piece:
    """One piece of a file: `sequence`, or why there is none.

    `remarks` counts what was met and left out or mended: grace notes, bars of irregular length.
    """

    name: str
    sequence: NoteSequence | None = None
    refused: Refused | None = None
    remarks: Mapping[str, int] = field(default_factory=dict)
