"""Limits on the resources that one file may use, and the result of reading it."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused


@dataclass(frozen=True)
class Limits:
    """Limits on one file; a file or piece that exceeds one of them is refused.

    The defaults suit any real score, and keep the memory for a corrupt one within a few
    hundred megabytes. `seconds` and `memory` can only be enforced in a separate
    process, which `zoo.data.corpora.workers` does.
    """

    bytes: int = 16 << 20  # size of the file, compressed and uncompressed
    ticks: int = 10_000_000  # length of a MIDI track
    notes: int = 100_000  # notes of a piece
    _: KW_ONLY
    pieces: int = 20_000  # pieces of a file
    parts: int = 64  # voices or parts of a piece
    duration: float = 4 * 3600.0  # duration of the music, in seconds
    seconds: float = 30.0  # wall-clock time for reading, in seconds
    memory: int = 2 << 30  # bytes that reading may add to a worker's memory


@dataclass(frozen=True)
class Piece:
    """One piece of a file: its `sequence`, or the error `refused`.

    `remarks` counts what was left out or corrected: grace notes, irregular bars.
    """

    name: str
    sequence: NoteSequence | None = None
    refused: Refused | None = None
    _: KW_ONLY
    remarks: Mapping[str, int] = field(default_factory=dict)
