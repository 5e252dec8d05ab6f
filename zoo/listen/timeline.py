"""What every picture of a sequence needs: its voices, its bars, the names of its pitches."""

import itertools
import math

import numpy as np

from zoo.data.proto import NoteSequence, metres, quarters
from zoo.errors import ZooError

Voice = list[NoteSequence.Note]

MOST_BARS = 10_000  # a hostile 1/64 could ask for more bar lines than there are pixels
NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def voices(sequence: NoteSequence) -> list[Voice]:
    """Notes by (instrument, program, percussion or not), each voice in order of onset.

    Raises:
        ZooError: there is no note to show.
    """
    if not sequence.notes:
        raise ZooError(
            "There is no note to draw in this score; sample or read a longer one."
        )

    def voice(note: NoteSequence.Note) -> tuple[int, int, bool]:
        return note.instrument, note.program, note.is_drum

    notes = sorted(sequence.notes, key=lambda n: (voice(n), n.start_time, n.pitch))
    return [list(group) for _, group in itertools.groupby(notes, voice)]


def bars(sequence: NoteSequence) -> np.ndarray:
    """Bar lines in quarters, float64 [n + 1]: the start of each bar up to the end of the last.

    A pickup is a first metre of one short bar, so its line falls where the first full bar begins.
    """
    last = max((note.end_time for note in sequence.notes), default=0.0)
    end = float(quarters(sequence)(np.array(last)))
    changes = [m for m in metres(sequence) if m.start < end] or metres(sequence)[:1]
    lines: list[float] = []
    for metre, stop in zip(
        changes, [m.start for m in changes[1:]] + [end], strict=True
    ):
        count = math.ceil((stop - metre.start) / metre.bar - 1e-6)
        lines += [
            metre.start + i * metre.bar
            for i in range(min(count, MOST_BARS - len(lines)))
        ]
    return np.array([*lines, max(end, lines[-1] + changes[-1].bar) if lines else end])


def has_pickup(sequence: NoteSequence) -> bool:
    """Whether the first bar is an upbeat: a metre of one bar, shorter than the bars that follow."""
    first, *rest = metres(sequence)
    return (
        bool(rest) and first.bar < rest[0].bar and abs(rest[0].start - first.bar) < 1e-3
    )


def pitch_name(pitch: int) -> str:
    """Scientific pitch notation of a MIDI pitch: 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def clock(seconds: float) -> str:
    """Minutes and seconds: 65.2 is 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
