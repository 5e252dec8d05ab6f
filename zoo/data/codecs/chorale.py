"""Four voices on a grid of 16ths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.base import BOUNDARY, Fit, Notes, losses
from zoo.data.codecs.metre import spans
from zoo.data.codecs.steps import HOLD, Steps
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused

VOICES = ("soprano", "alto", "tenor", "bass")
CHOIR = 52  # General MIDI program, counted from 0: choir aahs


def choir(
    sequence: NoteSequence,
    steps_per_quarter: int,
    off_grid: float,
    chords: float,
    bars: bool,
    parts: Sequence[str] = VOICES,
) -> tuple[list[Notes], int, list[str]]:
    """The voices of a piece as lines on the grid, highest first; its length; and remarks.

    `bars` says that the metre is kept, too; `parts` which voices there are. Raises `Refused`: what
    `grid.read_steps` raises, `voices`, `polyphonic`, `off-grid`.
    """
    notes, end, remarks = grid.read_steps(sequence, steps_per_quarter)
    remarks += losses(sequence, notes, bars=bars)
    names = np.unique(notes.track)
    if len(names) != len(parts):
        there = (
            "a chorale has four"
            if len(parts) == 4
            else f"{' and '.join(parts)} were expected"
        )
        raise Refused("voices", f"It has {len(names)} voices, where {there}.")
    voices = [notes.take(notes.track == name) for name in names]
    voices.sort(key=lambda voice: -voice.pitch.mean())
    laid = []
    for name, voice in zip(parts, voices, strict=True):
        line, dropped = grid.line(voice, chords)
        voice, bent = grid.snap(line, off_grid, steps_per_quarter)
        laid.append(voice)
        remarks += [f"{remark} in the {name}" for remark in dropped + bent]
    return laid, max(end, *(int(voice.offset[-1]) for voice in laid)), remarks


@dataclass(frozen=True)
class Chorale(Steps):
    """A four-part piece as int32 [t, 4]: soprano, alto, tenor, bass; one row per 16th.

    Each column is a stream of `Steps` tokens. A metre stands in a row of its own, the same token
    four times, and begins the count of bars anew; a row of four BOUNDARY ends the piece. Voices are
    the tracks (instrument, part, voice) in order of mean pitch.

    Kept: pitch, rhythm in 16ths, metre, pickup, ties, length. Not kept: key signature, tempo,
    velocity, fermatas, words.
    """

    frame_shape = (len(VOICES),)

    high: int = 84

    def fit(self, sequence: NoteSequence) -> Fit:
        """The rows int32 [t, 4], and what was done.

        Raises `Refused`: `empty`, `malformed`, `long`, `voices`, `polyphonic`, `off-grid`,
        `range`, `metre`.
        """
        grain = self.steps_per_quarter
        laid, end, remarks = choir(
            sequence, grain, self.off_grid, self.chords, bars=True
        )
        found = spans(metres(sequence), end, self.known, grain)
        where, tokens = self._metre_tokens(found)
        rows = np.stack([self._events(voice, end) for voice in laid], axis=1)
        rows = np.insert(rows, where, tokens[:, None], axis=0)
        return Fit(
            np.append(rows, np.full((1, 4), BOUNDARY, np.int32), axis=0), tuple(remarks)
        )

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """int32 [t, 4]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = CHOIR
    ) -> NoteSequence:
        """The music up to the first row whose soprano is BOUNDARY, whatever the tokens.

        The soprano decides what a row is: where it has no metre, another voice's metre or BOUNDARY
        is a HOLD.
        """
        rows = np.asarray(array).reshape(-1, len(VOICES))
        timed, found = self._parse(rows[:, 0])
        rows = rows[timed]
        rows = np.where(self._structural(rows), HOLD, rows)
        sequence = self._blank(found, len(rows), qpm)
        for i, name in enumerate(VOICES):
            sequence.instrument_infos.add(instrument=i, name=name)
            self._write(sequence, rows[:, i], instrument=i, program=program)
        return sequence

    def grammar(self) -> None:
        """None: every array of rows is music, but for silence."""
