"""A piece as columns of notes and bars, in quarters: what musical statistics are counted on."""

from typing import NamedTuple

import numpy as np

from zoo.data.proto import NoteSequence, metres, quarters

STEPS_PER_QUARTER = (
    24  # per quarter: 96 to a bar of 4/4, on which 32nds and triplets are whole
)
TOLERANCE = 1e-3  # quarters: what lies closer is at the same time


class NoteTable(NamedTuple):
    """The notes of a piece [n], by onset and then from low to high; times in quarters."""

    onset: np.ndarray  # float64
    offset: np.ndarray  # at least one of `STEPS` later
    pitch: np.ndarray  # int64, MIDI number
    drum: np.ndarray  # bool
    track: np.ndarray  # int64, one number per instrument, part and voice
    bars: np.ndarray  # [m, 2]: where each begins and ends, the last one whole

    def take(self, index: np.ndarray) -> "Score":
        """These notes alone, and all of the bars."""
        return NoteTable._make([*(column[index] for column in self[:-1]), self.bars])

    @property
    def pitched(self) -> "Score":
        return self.take(~self.drum)

    @property
    def heard(self) -> "Score":
        """The pitched notes, or, where there are none, the drums."""
        return self if self.drum.all() else self.pitched

    def within(self) -> np.ndarray:
        """For how many quarters each note sounds in each bar, float [m, n]."""
        start, stop = self.bars[:, :1], self.bars[:, 1:]
        last = np.minimum(self.offset, stop) - np.maximum(self.onset, start)
        return np.where(last > TOLERANCE, last, 0.0)

    def places(self, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """The bar in which each note is struck, and the step of it, `rate` to a quarter; int [n].

        A note is struck on the nearest step, which may be the first of the next bar.
        """
        bar = (
            np.searchsorted(self.bars[:, 0], self.onset + 0.5 / rate, side="right") - 1
        )
        return bar, np.rint((self.onset - self.bars[bar, 0]) * rate).astype(np.int64)


def note_table(sequence: NoteSequence) -> NoteTable:
    """The notes and bars of a piece; bars go on until it ends."""
    notes = sequence.notes
    clock = quarters(sequence)
    onset = clock(np.array([x.start_time for x in notes]))
    offset = np.maximum(
        clock(np.array([x.end_time for x in notes])), onset + 1 / STEPS_PER_QUARTER
    )
    end = max([float(clock(np.array(sequence.total_time))), *offset.tolist()])
    tracks = [(x.instrument << 20) + (x.part << 10) + x.voice for x in notes]
    score = NoteTable(
        onset,
        offset,
        np.array([x.pitch for x in notes], np.int64),
        np.array([x.is_drum for x in notes], bool),
        np.array(tracks, np.int64),
        _bars(sequence, end),
    )
    return score.take(np.lexsort((score.pitch, np.rint(onset / TOLERANCE))))


def _bars(sequence: NoteSequence, end: float) -> np.ndarray:
    """Beginnings and ends [m, 2]; a metre that begins within a bar cuts it short."""
    found = metres(sequence)
    stops = [min(metre.start, end) for metre in found[1:]] + [end]
    starts = [
        np.arange(metre.start, stop - TOLERANCE, metre.bar)
        for metre, stop in zip(found, stops, strict=True)
    ]
    lengths = np.repeat([metre.bar for metre in found], [len(x) for x in starts])
    first = np.concatenate(starts)
    return np.stack([first, np.append(first[1:], first[-1:] + lengths[-1:])], axis=1)
