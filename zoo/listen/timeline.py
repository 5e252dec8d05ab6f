"""Voices, bar lines and pitch names of a NoteSequence."""

import itertools

import numpy as np

from zoo.data.bars import bar_lines
from zoo.data.proto import NoteSequence, metres, quarters
from zoo.errors import ZooError

Voice = list[NoteSequence.Note]

PITCH_CLASSES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def require_notes(sequence: NoteSequence) -> None:
    """Raises ZooError for a piece without notes."""
    if not sequence.notes:
        raise ZooError("the piece has no notes to plot: choose a longer one.")


def voices(sequence: NoteSequence) -> list[Voice]:
    """Returns the notes grouped by (instrument, program, percussion), by onset.

    Raises:
      ZooError: the sequence has no notes.
    """
    require_notes(sequence)

    def voice(note: NoteSequence.Note) -> tuple[int, int, bool]:
        return note.instrument, note.program, note.is_drum

    notes = sorted(sequence.notes, key=lambda n: (voice(n), n.start_time, n.pitch))
    return [list(group) for _, group in itertools.groupby(notes, voice)]


def bars(sequence: NoteSequence) -> np.ndarray:
    """Returns the bar lines in quarters, float64 [n + 1], including the last.

    A pickup is a short first bar with a metre of its own.
    """
    last = max((note.end_time for note in sequence.notes), default=0.0)
    return bar_lines(sequence, float(quarters(sequence)(np.array(last))))


def has_pickup(sequence: NoteSequence) -> bool:
    """Returns whether the first bar is an upbeat.

    An upbeat is a metre of one bar that is shorter than the bars that follow.
    """
    first, *rest = metres(sequence)
    if not rest:
        return False
    return first.bar < rest[0].bar and abs(rest[0].start - first.bar) < 1e-3


def bar_number(sequence: NoteSequence, time: float) -> int:
    """Returns the number of the bar at a time in seconds; a pickup is 0."""
    beat = float(quarters(sequence)(np.array(time)))
    index = int(np.searchsorted(bars(sequence), beat + 1e-3, side="right")) - 1
    return index + (0 if has_pickup(sequence) else 1)


def pitch_name(pitch: int) -> str:
    """Returns the scientific pitch notation of a MIDI pitch: 60 is C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def clock(seconds: float) -> str:
    """Returns minutes and seconds: 65.2 is 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
