"""Helpers that read ABC tunes and list their notes."""

from zoo.data.proto import NoteSequence, quarters
from zoo.data.scores.read import Piece, read_bytes

HEADER = "X:1\nT:A Tune\nM:4/4\nL:1/4\nK:C\n"


def tune(music: str, header: str = HEADER) -> Piece:
    (piece,) = read_bytes((header + music).encode(), "abc", "a.abc")
    return piece


def sequence(music: str, header: str = HEADER) -> NoteSequence:
    piece = tune(music, header)
    assert piece.sequence is not None, piece.refused
    return piece.sequence


def notes(of: NoteSequence) -> list[tuple[float, float, int]]:
    """Returns onset and duration in quarters, and pitch, of each note."""
    at = quarters(of)
    return [
        (
            round(float(at(x.start_time)), 6),
            round(float(at(x.end_time) - at(x.start_time)), 6),
            x.pitch,
        )
        for x in of.notes
    ]


def pitches(of: NoteSequence) -> list[int]:
    return [note.pitch for note in sorted(of.notes, key=lambda x: x.start_time)]
