"""Four voices on a grid of 16ths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import BOUNDARY, Fit, Notes, discard_remarks
from zoo.data.codecs.metre import barred_sequence, metre_spans
from zoo.data.codecs.steps import HOLD, Steps
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.ranges import Pitch, checked

VOICES = ("soprano", "alto", "tenor", "bass")
CHOIR = 52  # General MIDI program, counted from 0: choir aahs


def read_voices(
    sequence: NoteSequence,
    steps_per_quarter: int,
    *,
    off_grid: float,
    chords: float,
    bars: bool,
    voices: Sequence[str] = VOICES,
) -> tuple[list[Notes], int, list[str]]:
    """Reads the voices of a piece as quantised lines, the highest first.

    Args:
      sequence: the piece.
      steps_per_quarter: steps in a quarter note.
      off_grid: maximum share of a voice's notes that are moved far or dropped.
      chords: maximum share of a voice's notes that are dropped or cut as chords.
      bars: whether the codec keeps the metre.
      voices: names of the voices that the piece has.

    Returns:
      The notes of each voice, the length in steps, and remarks.

    Raises:
      Refused: `voices`: the piece has another number of tracks; `polyphonic`;
        `off-grid`; and as `grid.read_steps`.
    """
    notes, end, remarks = grid.read_steps(sequence, steps_per_quarter)
    remarks += discard_remarks(sequence, notes, bars=bars)
    tracks = np.unique(notes.track)
    if len(tracks) != len(voices):
        expected = "a chorale has four"
        if len(voices) != 4:
            expected = f"{' and '.join(voices)} were expected"
        raise Refused("voices", f"It has {len(tracks)} voices, where {expected}.")
    parts = [notes.take(notes.track == track) for track in tracks]
    parts.sort(key=lambda part: -part.pitch.mean())
    lines = []
    for name, part in zip(voices, parts, strict=True):
        line, line_remarks = grid.upper_line(part, chords)
        line, grid_remarks = grid.snap(line, off_grid, steps_per_quarter)
        lines.append(line)
        remarks += [f"{remark} in the {name}" for remark in line_remarks + grid_remarks]
    return lines, max(end, *(int(line.offset[-1]) for line in lines)), remarks


@dataclass(frozen=True)
@checked
class Chorale(Steps):
    """A four-part piece as int32 [t, 4], one row for each 16th, from soprano to bass.

    Each column is a stream of `Steps` tokens. A metre is a row of its own, the same
    token four times, and begins a count of bars. A row of four BOUNDARY ends the piece.
    Voices are the tracks (instrument, part, voice) in order of mean pitch.

    Kept: pitch, rhythm in 16ths, metre, pickup, ties, length. Not kept: key signature,
    tempo, velocity, fermatas, words.
    """

    frame_shape = (len(VOICES),)
    voices = len(VOICES)

    high: Pitch = 84

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece as int32 [t, 4], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long`, `voices`, `polyphonic`, `off-grid`,
            `range` or `metre`.
        """
        return fit_aligned(self._fit, sequence)

    def _fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece whose notes are on the grid."""
        lines, end, remarks = read_voices(
            sequence,
            self.steps_per_quarter,
            off_grid=self.off_grid,
            chords=self.chords,
            bars=True,
        )
        spans = metre_spans(
            metres(sequence), end, self.fractions, self.steps_per_quarter
        )
        starts, tokens = self._metre_tokens(spans)
        rows = np.stack([self._events(line, end) for line in lines], axis=1)
        rows = np.insert(rows, starts, tokens[:, None], axis=0)
        last = np.full((1, len(VOICES)), BOUNDARY, np.int32)
        return Fit(np.append(rows, last, axis=0), tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as int32 [t, 4]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = CHOIR
    ) -> NoteSequence:
        """Decodes any rows, up to the first whose soprano is BOUNDARY.

        A row is a metre only if its soprano is one. A metre or BOUNDARY in another
        voice alone is a HOLD.
        """
        rows = np.asarray(array).reshape(-1, len(VOICES))
        timed, spans = self._parse(rows[:, 0])
        rows = rows[timed]
        rows = np.where(self._structural(rows), HOLD, rows)
        sequence = barred_sequence(spans, len(rows), self.steps_per_quarter, qpm)
        for i, name in enumerate(VOICES):
            sequence.instrument_infos.add(instrument=i, name=name)
            self._write(sequence, rows[:, i], instrument=i, program=program)
        return sequence

    def grammar(self) -> None:
        """Returns None: any array of rows is legal."""
