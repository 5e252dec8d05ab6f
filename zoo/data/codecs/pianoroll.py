"""Piano rolls: keys on a grid of 16ths."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import (
    VELOCITY,
    Fit,
    discard_remarks,
    empty_sequence,
    require_in_range,
    require_pitch_range,
    write_notes,
)
from zoo.data.codecs.frames import FrameCodec
from zoo.data.proto import QPM, NoteSequence
from zoo.ranges import Pitch, Share, StepsPerQuarter, checked

OFF, ON, ONSET = 0, 1, 2


@dataclass(frozen=True)
@checked
class Pianoroll(FrameCodec):
    """A piece as uint8 [t, keys], one row for each 16th, one column for each key.

    Values: 0 off, 1 sustained, 2 onset. A key that is sustained but was off before is
    an onset, too. Without `onsets`, values are 0 off and 1 on, and a note that is
    repeated without a gap is one longer note.

    Kept: pitch, rhythm in 16ths, length. Not kept: metre, tempo, velocity, program,
    voices.

    Attributes:
      low: lowest MIDI pitch. By default the range is the piano's, A0 to C8.
      high: highest MIDI pitch.
      steps_per_quarter: steps in a quarter note.
      onsets: whether onsets have a value of their own.
      off_grid: maximum share of notes that quantisation may move far or drop.

    Raises:
      UsageError: an invalid range of pitches or number of steps.
    """

    low: Pitch = 21
    high: Pitch = 108
    steps_per_quarter: StepsPerQuarter = 4
    _: KW_ONLY
    onsets: bool = True
    off_grid: Share = 0.25

    def __post_init__(self):
        require_pitch_range(self.low, self.high)

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
        """Number of keys."""
        return self.high - self.low + 1

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece as uint8 [t, keys], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long`, `off-grid` or `range`.
        """
        return fit_aligned(self._fit, sequence, bars=False)

    def _fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece whose notes are on the grid."""
        notes, end, remarks = grid.read_steps(sequence, self.steps_per_quarter)
        remarks += discard_remarks(sequence, notes, bars=False)
        notes, grid_remarks = grid.snap(
            notes, self.off_grid, self.steps_per_quarter, lines=False
        )
        remarks += grid_remarks
        require_in_range(notes.pitch, self.low, self.high)
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
            remarks.append(f"repeated: {repeated} notes joined to the one before them")
        return Fit(roll, tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as uint8 [t, keys]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """Decodes any roll [t, keys]; without `onsets` any value above 0 is on."""
        roll = np.asarray(array).reshape(-1, self.keys)
        on = np.pad(roll > OFF, ((1, 1), (0, 0)))
        begins = on[1:] & ~on[:-1]
        if self.onsets:
            begins[:-1] |= roll >= ONSET
        # steps at which a key changes, key by key; the last row of each is one
        changes = np.flatnonzero((begins | ~on[1:]).T)
        struck = np.flatnonzero(begins.T)
        key, onset = np.divmod(struck, len(begins))
        offset = changes[np.searchsorted(changes, struck, side="right")] % len(begins)
        sequence = empty_sequence(qpm)
        step = 60 / qpm / self.steps_per_quarter
        sequence.total_time = len(roll) * step
        order = np.lexsort((key, onset))
        columns = onset * step, offset * step, key + self.low
        rows = zip(*(column[order].tolist() for column in columns), strict=True)
        notes = ((*row, VELOCITY) for row in rows)
        write_notes(sequence, notes, program=program)
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches within low..high."""
        sounding = np.flatnonzero(np.asarray(array).any(axis=0))
        if not sounding.size:
            return range(1)
        return range(-int(sounding[0]), self.keys - int(sounding[-1]))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes a roll.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        if semitones not in self.reach(array):
            sounding = np.flatnonzero(array.any(axis=0))
            pitches = sounding + self.low + semitones
            require_in_range(pitches, self.low, self.high)
        return np.roll(array, semitones, axis=1)

    def grammar(self) -> None:
        """Returns None: any roll is legal."""

    def describe(self, token: int) -> str:
        """Returns `off`, `on` or `onset`."""
        return ("off", "on", "onset")[int(token)]
