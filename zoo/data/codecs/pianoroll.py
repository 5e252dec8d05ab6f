"""Piano keys by time steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.base import (
    VELOCITY,
    BaseCodec,
    Fit,
    blank,
    losses,
    outside,
    write_notes,
)
from zoo.data.proto import QPM, NoteSequence
from zoo.errors import UsageError

OFF, ON, ONSET = 0, 1, 2


@dataclass(frozen=True)
class Pianoroll(BaseCodec):
    """A piece as uint8 [t, 88]: a row per 16th, a column per key low..high.

    0 off, 1 sustained, 2 onset; where `onsets` is false, 0 off and 1 on, and a note repeated
    without a gap is one longer note. A sustained key that was off before begins there.

    Kept: pitch, rhythm in 16ths, length. Not kept: metre, tempo, velocity, program, voices.
    """

    low: int = 21  # MIDI numbers: A0 to C8
    high: int = 108
    steps_per_quarter: int = 4
    onsets: bool = True
    off_grid: float = 0.25  # share of notes that may be bent to the grid or lost to it

    def __post_init__(self):
        if not 0 <= self.low <= self.high <= 127:
            raise UsageError(
                f"pitches {self.low} to {self.high} are no range within 0 to 127"
            )
        if self.steps_per_quarter < 1:
            raise UsageError(
                f"steps_per_quarter is at least 1, not {self.steps_per_quarter}"
            )

    @property
    def vocab(self) -> int:
        return 3 if self.onsets else 2

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def frame_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.keys,)

    @property
    def dimensions(self) -> Mapping[str, Any]:
        return {"keys": self.keys}

    @property
    def keys(self) -> int:
        return self.high - self.low + 1

    def fit(self, sequence: NoteSequence) -> Fit:
        """The roll uint8 [t, keys], and what was done.

        Raises `Refused`: `empty`, `malformed`, `long`, `off-grid`, `range`.
        """
        notes, end, remarks = grid.read_steps(sequence, self.steps_per_quarter)
        remarks += losses(sequence, notes, bars=False)
        notes, bent = grid.snap(
            notes, self.off_grid, self.steps_per_quarter, lines=False
        )
        outside(notes.pitch, self.low, self.high)
        roll = np.zeros((max(end, int(notes.offset.max())), self.keys), np.uint8)
        key = notes.pitch - self.low
        columns = zip(
            notes.onset.tolist(), notes.offset.tolist(), key.tolist(), strict=True
        )
        repeated = 0
        for onset, offset, k in columns:
            repeated += bool(onset and roll[onset - 1, k])
            roll[onset:offset, k] = ON
        if self.onsets:
            roll[notes.onset, key] = ONSET
        elif repeated:
            bent.append(f"repeated: {repeated} notes run on from the one before them")
        return Fit(roll, tuple(remarks + bent))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """uint8 [t, keys]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """The music of any roll [t, keys]; without `onsets` every value above 0 is on."""
        roll = np.asarray(array).reshape(-1, self.keys)
        on = np.pad(roll > OFF, ((1, 1), (0, 0)))
        begins = on[1:] & ~on[:-1]
        if self.onsets:
            begins[:-1] |= roll >= ONSET
        changes = np.flatnonzero(
            (begins | ~on[1:]).T
        )  # key by key, the last row of each among them
        struck = np.flatnonzero(begins.T)
        key, onset = np.divmod(struck, len(begins))
        offset = changes[np.searchsorted(changes, struck, side="right")] % len(begins)
        sequence = blank(qpm)
        step = 60 / qpm / self.steps_per_quarter
        sequence.total_time = len(roll) * step
        order = np.lexsort((key, onset))
        columns = (
            (x[order].tolist()) for x in (onset * step, offset * step, key + self.low)
        )
        notes = ((*note, VELOCITY) for note in zip(*columns, strict=True))
        write_notes(sequence, notes, program=program)
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch within low..high."""
        sounding = np.flatnonzero(np.asarray(array).any(axis=0))
        if not sounding.size:
            return range(1)
        return range(-int(sounding[0]), self.keys - int(sounding[-1]))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music, `semitones` higher. Raises `Refused` (`range`) out of `reach`."""
        if semitones not in self.reach(array):
            sounding = np.flatnonzero(array.any(axis=0))
            outside(sounding + self.low + semitones, self.low, self.high)
        return np.roll(array, semitones, axis=1)

    def grammar(self) -> None:
        """None: every roll is music, but for silence."""

    def describe(self, token: int) -> str:
        """`off`, `on` or `onset`."""
        return ("off", "on", "onset")[int(token)]
