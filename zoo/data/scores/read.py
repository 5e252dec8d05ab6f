"""Files into NoteSequences: MIDI, ABC and MusicXML, within limits and with a reason for every drop.

Repeats stay as written, with note_seq's section groups beside them:
`note_seq.sequences_lib.expand_section_groups` plays them.
"""

import math
from collections.abc import Callable
from pathlib import Path

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.abc import read_book
from zoo.data.scores.limits import Limits, Piece
from zoo.data.scores.midi import read_midi
from zoo.data.scores.musicxml import read_musicxml
from zoo.errors import UsageError

__all__ = ["SUFFIXES", "Limits", "Piece", "first", "read", "read_bytes"]

SUFFIXES = {
    ".mid": "midi",
    ".midi": "midi",
    ".abc": "abc",
    ".xml": "musicxml",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
}


def read(path: str | Path, limits: Limits = Limits()) -> list[Piece]:
    """All pieces of a file, in order; one refused piece if the file as a whole cannot be read.

    A book of ABC names its tunes by number, `book1.abc#12`; other pieces have the file's name.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = " ".join(SUFFIXES)
        return _refuse(
            path.name, "unknown-suffix", f"Not one of {known}; rename or leave it out."
        )
    try:
        with path.open("rb") as file:
            data = file.read(limits.bytes + 1)
    except OSError as error:
        return _refuse(
            path.name, "unreadable", f"{path}: {error.strerror or error}; check it."
        )
    return read_bytes(data, kind, path.name, limits)


def read_bytes(
    data: bytes, kind: str, name: str, limits: Limits = Limits()
) -> list[Piece]:
    """`read` for the contents of a file whose `kind` is a value of `SUFFIXES`."""
    if len(data) > limits.bytes:
        return _refuse(
            name, "too-large", f"Over {limits.bytes:,} bytes; raise Limits.bytes."
        )
    if not data:
        return _refuse(
            name, "empty", "The file is empty; fetch it again or leave it out."
        )
    try:
        if kind == "abc":
            pieces = read_book(data, name, limits)
        else:
            sequence, remarks = _PARSERS[kind](data, limits)
            pieces = [Piece(name, sequence, remarks=remarks)]
    except Refused as refused:
        return [Piece(name, refused=refused)]
    except MemoryError:
        return _refuse(
            name, "too-much-memory", "Reading it runs out of memory; split the file."
        )
    return [_checked(piece, limits) for piece in pieces]


def first(path: str | Path, limits: Limits = Limits()) -> NoteSequence:
    """The first piece of a file. Raises Refused where there is none to be had."""
    piece = read(path, limits)[0]
    if piece.sequence is None:
        assert piece.refused is not None
        raise Refused(
            piece.refused.reason, f"{path} cannot be read. {piece.refused.detail}"
        )
    return piece.sequence


def asked(path: str | Path) -> NoteSequence:
    """As `first`, for a file that someone named: raises UsageError where there is no piece."""
    try:
        return first(path)
    except Refused as refused:
        raise UsageError(str(refused)) from refused


_PARSERS: dict[str, Callable[[bytes, Limits], tuple[NoteSequence, dict[str, int]]]] = {
    "midi": read_midi,
    "musicxml": read_musicxml,
}


def _refuse(name: str, reason: str, detail: str) -> list[Piece]:
    return [Piece(name, refused=Refused(reason, detail))]


def _checked(piece: Piece, limits: Limits) -> Piece:
    """The piece, refused if its sequence holds what no codec should have to meet."""
    if piece.sequence is None:
        return piece
    try:
        check(piece.sequence, limits)
    except Refused as refused:
        return Piece(piece.name, refused=refused, remarks=piece.remarks)
    return piece


def check(sequence: NoteSequence, limits: Limits) -> None:
    """Refuse a sequence without notes, beyond limits, or with values no music has."""
    if not sequence.notes:
        raise Refused("no-notes", "There are no notes in it; leave it out.")
    if len(sequence.notes) > limits.notes:
        raise Refused(
            "too-many-notes", f"Over {limits.notes:,} notes; raise Limits.notes."
        )
    if not sequence.total_time <= limits.duration:
        raise Refused(
            "too-long",
            f"{sequence.total_time:.0f} seconds of music; raise Limits.duration.",
        )
    for note in sequence.notes:
        if not 0 <= note.pitch <= 127:
            raise Refused(
                "pitch-range", f"Pitch {note.pitch} is not in MIDI's 0..127; mend it."
            )
        if not 0 <= note.start_time < note.end_time <= limits.duration:
            raise Refused(
                "note-times", f"A note lasts from {note.start_time} to {note.end_time}."
            )
    for tempo in sequence.tempos:
        if not (math.isfinite(tempo.qpm) and 1 <= tempo.qpm <= 10_000):
            raise Refused(
                "tempo-range", f"A tempo of {tempo.qpm:g} quarters per minute; mend it."
            )
    for metre in sequence.time_signatures:
        if metre.numerator < 1 or metre.denominator < 1:
            raise Refused(
                "metre-range",
                f"A metre of {metre.numerator}/{metre.denominator}; mend it.",
            )
