"""A piece as columns of notes and bars, in quarters, for musical statistics."""

from typing import NamedTuple

import numpy as np

from zoo.data.proto import NoteSequence, metres, quarters

STEPS_PER_QUARTER = 24  # 96 to a bar of 4/4; 32nds and triplets are whole steps
TOLERANCE = 1e-3  # quarters within which times are equal


class NoteTable(NamedTuple):
    """The notes of a piece [n], sorted by onset and then by pitch; times in quarters.

    Attributes:
      onset: float64.
      offset: float64, at least one step after the onset.
      pitch: int64, MIDI number.
      drum: bool.
      track: int64, a number per instrument, part and voice.
      bars: [m, 2], beginning and end of each bar; the last one is complete.
    """

    onset: np.ndarray
    offset: np.ndarray
    pitch: np.ndarray
    drum: np.ndarray
    track: np.ndarray
    bars: np.ndarray

    def take(self, index: np.ndarray) -> "NoteTable":
        """Selects notes, and keeps all bars."""
        return NoteTable._make([*(column[index] for column in self[:-1]), self.bars])

    @property
    def pitched(self) -> "NoteTable":
        """The notes that are not drums."""
        return self.take(~self.drum)

    @property
    def pitched_or_drums(self) -> "NoteTable":
        """The pitched notes, or the drums if there are no others."""
        return self if self.drum.all() else self.pitched

    def durations_in_bars(self) -> np.ndarray:
        """Returns the quarters that each note sounds in each bar, float [m, n]."""
        start, stop = self.bars[:, :1], self.bars[:, 1:]
        durations = np.minimum(self.offset, stop) - np.maximum(self.onset, start)
        return np.where(durations > TOLERANCE, durations, 0.0)

    def bar_positions(self, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the bar of each onset, and its step in the bar; int [n].

        An onset is on the nearest step, which may be the first of the next bar. There
        are `rate` steps in a quarter.
        """
        onset = self.onset + 0.5 / rate
        bar = np.searchsorted(self.bars[:, 0], onset, side="right") - 1
        return bar, np.rint((self.onset - self.bars[bar, 0]) * rate).astype(np.int64)


def note_table(sequence: NoteSequence) -> NoteTable:
    """Returns the notes and bars of a piece."""
    notes = sequence.notes
    clock = quarters(sequence)
    onset = clock(np.array([x.start_time for x in notes]))
    offset = clock(np.array([x.end_time for x in notes]))
    offset = np.maximum(offset, onset + 1 / STEPS_PER_QUARTER)
    end = max([float(clock(np.array(sequence.total_time))), *offset.tolist()])
    tracks = [(x.instrument << 20) + (x.part << 10) + x.voice for x in notes]
    table = NoteTable(
        onset=onset,
        offset=offset,
        pitch=np.array([x.pitch for x in notes], np.int64),
        drum=np.array([x.is_drum for x in notes], bool),
        track=np.array(tracks, np.int64),
        bars=_bars(sequence, end),
    )
    return table.take(np.lexsort((table.pitch, np.rint(onset / TOLERANCE))))


def _bars(sequence: NoteSequence, end: float) -> np.ndarray:
    """Returns beginnings and ends [m, 2]; a new metre ends the bar before it."""
    changes = metres(sequence)
    stops = [min(metre.start, end) for metre in changes[1:]] + [end]
    starts = [
        np.arange(metre.start, stop - TOLERANCE, metre.bar)
        for metre, stop in zip(changes, stops, strict=True)
    ]
    lengths = np.repeat([metre.bar for metre in changes], [len(x) for x in starts])
    first = np.concatenate(starts)
    return np.stack([first, np.append(first[1:], first[-1:] + lengths[-1:])], axis=1)
