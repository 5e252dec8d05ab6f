"""Helpers that write MusicXML and list the notes that are read from it."""

import specimens

from zoo.data.proto import NoteSequence, quarters
from zoo.data.scores.read import Piece, read_bytes

COMMON = "<time><beats>4</beats><beat-type>4</beat-type></time>"
C_MAJOR = "<key><fifths>0</fifths><mode>major</mode></key>"


def attributes(inside: str = "", key: str = C_MAJOR, time: str = COMMON) -> str:
    return f"<attributes><divisions>2</divisions>{key}{time}{inside}</attributes>"


def note(pitch: str | None, duration: float, *marks: str, voice: str = "1") -> str:
    """Returns a note such as `note("Bb4", 2)`, in eighths; `marks` are elements."""
    sound = "<rest/>"
    if pitch:
        alter = {"": 0, "b": -1, "#": 1}[pitch[1:-1]]
        sound = f"<pitch><step>{pitch[0]}</step><alter>{alter}</alter>"
        sound += f"<octave>{pitch[-1]}</octave></pitch>"
    first = "".join(mark for mark in marks if mark in ("<cue/>", "<chord/>"))
    last = "".join(mark for mark in marks if mark not in ("<cue/>", "<chord/>"))
    length = f"<duration>{duration}</duration>"
    return f"<note>{first}{sound}{length}<voice>{voice}</voice>{last}</note>"


def line(*pitches: str, duration: float = 2) -> str:
    return "".join(note(pitch, duration) for pitch in pitches)


def score(*parts: list[str], about: tuple[str, ...] = ()) -> bytes:
    """Returns a score of parts, each a list of measures."""
    listed = [*about, *[""] * (len(parts) - len(about))]
    heads = "".join(
        f'<score-part id="P{i}"><part-name>part {i}</part-name>{x}</score-part>'
        for i, x in enumerate(listed)
    )
    bodies = "".join(
        f'<part id="P{i}">{specimens.measures(*measures)}</part>'
        for i, measures in enumerate(parts)
    )
    text = f"<score-partwise><part-list>{heads}</part-list>{bodies}</score-partwise>"
    return text.encode()


def piece(*parts: list[str], about: tuple[str, ...] = ()) -> Piece:
    (found,) = read_bytes(score(*parts, about=about), "musicxml", "x")
    return found


def sequence(*parts: list[str], about: tuple[str, ...] = ()) -> NoteSequence:
    found = piece(*parts, about=about)
    assert found.sequence is not None, found.refused
    return found.sequence


def notes(of: NoteSequence) -> list[tuple[float, float, int]]:
    """Returns onset and duration in quarters, and pitch."""
    at = quarters(of)
    times = [(float(at(x.start_time)), float(at(x.end_time))) for x in of.notes]
    return [
        (round(start, 4), round(end - start, 4), x.pitch)
        for (start, end), x in zip(times, of.notes, strict=True)
    ]


def pitches(of: NoteSequence) -> list[int]:
    return [note.pitch for note in of.notes]


def transpose(chromatic: int, inside: str = "", number: str = "") -> str:
    return f"<transpose{number}><chromatic>{chromatic}</chromatic>{inside}</transpose>"
