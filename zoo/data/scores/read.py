"""Reads MIDI, ABC and MusicXML files as NoteSequences.

Resources are limited by `Limits`, and every piece that cannot be read has a reason.
Repeats are not expanded but stored as note_seq's section groups, which
`note_seq.sequences_lib.expand_section_groups` expands, without lyrics.
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.abc import read_book
from zoo.data.scores.limits import Limits, Piece
from zoo.data.scores.midi import read_midi
from zoo.data.scores.musicxml import read_musicxml
from zoo.errors import UsageError, printable

__all__ = ["SUFFIXES", "Limits", "Piece", "open_piece", "read", "read_bytes"]

SUFFIXES = {
    ".mid": "midi",
    ".midi": "midi",
    ".rmi": "midi",
    ".kar": "midi",
    ".abc": "abc",
    ".xml": "musicxml",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
}


def read(path: str | Path, limits: Limits = Limits()) -> list[Piece]:
    """Reads all pieces of a file, in order.

    If the file cannot be read as a whole, the result is a single refused piece. Tunes
    of an ABC book are named by number, `book1.abc#12`; other pieces by the file's name.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        suffixes = " ".join(SUFFIXES)
        return _refuse(
            path.name,
            "unknown-suffix",
            f"Not one of {suffixes}; rename it or leave it out.",
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
    """Reads the contents of a file as `read` does; `kind` is a value of `SUFFIXES`."""
    if len(data) > limits.bytes:
        return _refuse(
            name, "too-large", f"Over {limits.bytes:,} bytes; raise Limits.bytes."
        )
    if not data:
        return _refuse(
            name, "empty", "The file is empty; download it again or leave it out."
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
            name, "too-much-memory", "Reading exceeds the memory limit; split the file."
        )
    return [_check_piece(piece, limits) for piece in pieces]


def open_piece(path: str | Path) -> Piece:
    """Reads the first piece of a file that the user named.

    Its remarks count the other pieces of the file, too.

    Raises:
      UsageError: it cannot be read.
    """
    piece, *others = read(path)
    if piece.refused is not None:
        raise UsageError(f"{path} cannot be read. {piece.refused.detail}")
    if others:
        remarks = {**piece.remarks, "other-pieces": len(others)}
        piece = dataclasses.replace(piece, remarks=remarks)
    return piece


_PARSERS: dict[str, Callable[[bytes, Limits], tuple[NoteSequence, dict[str, int]]]] = {
    "midi": read_midi,
    "musicxml": read_musicxml,
}


def _refuse(name: str, reason: str, detail: str) -> list[Piece]:
    return [Piece(name, refused=Refused(reason, detail))]


def _check_piece(piece: Piece, limits: Limits) -> Piece:
    """Returns the piece with printable names, refused if it fails `check`."""
    if piece.sequence is None:
        return piece
    _clean_names(piece.sequence)
    try:
        check(piece.sequence, limits)
    except Refused as refused:
        return Piece(piece.name, refused=refused, remarks=piece.remarks)
    return piece


def _clean_names(sequence: NoteSequence) -> None:
    """Makes the titles, names and words of a sequence printable."""
    if sequence.HasField("sequence_metadata"):
        metadata = sequence.sequence_metadata
        metadata.title = printable(metadata.title)
        metadata.artist = printable(metadata.artist)
        for texts in (metadata.composers, metadata.genre):
            texts[:] = map(printable, texts)
    sequence.collection_name = printable(sequence.collection_name)
    for info in (*sequence.part_infos, *sequence.instrument_infos):
        info.name = printable(info.name)
    for annotation in sequence.text_annotations:
        annotation.text = printable(annotation.text)


def check(sequence: NoteSequence, limits: Limits) -> None:
    """Raises Refused for a sequence without notes, invalid or beyond `limits`."""
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
                "pitch-range", f"Pitch {note.pitch} is not in 0..127; correct the file."
            )
        if not 0 <= note.start_time < note.end_time <= limits.duration:
            raise Refused(
                "note-times",
                f"A note lasts from {note.start_time} to {note.end_time}; correct the "
                "file.",
            )
    for tempo in sequence.tempos:
        if not (math.isfinite(tempo.qpm) and 1 <= tempo.qpm <= 10_000):
            raise Refused(
                "tempo-range",
                f"A tempo of {tempo.qpm:g} quarters per minute; correct the file.",
            )
    for metre in sequence.time_signatures:
        if metre.numerator < 1 or metre.denominator < 1:
            raise Refused(
                "metre-range",
                f"A metre of {metre.numerator}/{metre.denominator}; correct the file.",
            )
