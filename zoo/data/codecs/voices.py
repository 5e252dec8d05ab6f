"""The pitches of four voices on a grid of 16ths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.codecs.base import (
    VELOCITY,
    BaseCodec,
    Fit,
    blank,
    outside,
    within,
    write_notes,
)
from zoo.data.codecs.chorale import CHOIR, VOICES, choir
from zoo.data.codecs.steps import NAMES
from zoo.data.proto import QPM, NoteSequence
from zoo.errors import UsageError

SILENT = 0


@dataclass(frozen=True)
class Voices(BaseCodec):
    """A four-part piece as int32 [t, 4]: the pitch that soprano, alto, tenor and bass sound.

    One row per 16th. 0 is silence, 1 + pitch - low a pitch; the same pitch on successive rows is
    one held note, so that the onsets of repeated notes are not kept. Voices are the tracks
    (instrument, part, voice) in order of mean pitch. These are the arrays of the chorale data sets
    that score likelihoods per 16th (Allan & Williams 2005; Huang et al. 2017); `tokens` and
    `pitches` go from theirs to these and back.

    Kept: pitch, rhythm in 16ths but for repetitions, length. Not kept: metre, key signature, tempo,
    velocity, fermatas, words.
    """

    low: int = 36  # MIDI numbers: C2 to C6
    high: int = 84
    steps_per_quarter: int = 4
    off_grid: float = (
        0.25  # share of a voice's notes that may be bent to the grid or lost to it
    )
    chords: float = 0.1  # share of a voice's notes that may be dropped or cut as chords

    def __post_init__(self):
        if not 0 <= self.low <= self.high <= 127:
            raise UsageError(
                f"pitches {self.low} to {self.high} are no range within 0 to 127"
            )
        if self.steps_per_quarter < 1:
            raise UsageError(
                f"steps_per_quarter is at least 1, not {self.steps_per_quarter}"
            )

    frame_shape = (len(VOICES),)

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def vocab(self) -> int:
        return self.high - self.low + 2

    @property
    def dimensions(self) -> Mapping[str, Any]:
        return {"vocab": self.vocab, "keys": self.vocab - 1, "voices": len(VOICES)}

    def encode_primer(
        self, sequence: NoteSequence, missing: Sequence[str] = ()
    ) -> np.ndarray:
        """Encodes a piece of four voices, or of all but the `missing` ones.

        Raises:
          Refused: the piece does not fit.
        """
        present = [voice for voice in VOICES if voice not in missing]
        tracks = {(x.instrument, x.part, x.voice) for x in sequence.notes}
        incomplete = missing and len(tracks) == len(present)
        return self.fit(sequence, present if incomplete else VOICES).array

    def region(
        self, array: np.ndarray, voices: Sequence[str], span: tuple[int, int]
    ) -> np.ndarray:
        if unknown := set(voices) - {*VOICES}:
            raise UsageError(
                f"there is no voice {min(unknown)}: rewrite some of {', '.join(VOICES)}."
            )
        columns = np.isin(VOICES, voices or VOICES)
        return within(span, len(array))[:, None] & columns

    def fit(self, sequence: NoteSequence, parts: Sequence[str] = VOICES) -> Fit:
        """The rows int32 [t, 4], and what was done. Voices not among `parts` are silent.

        Raises `Refused`: `empty`, `malformed`, `long`, `voices`, `polyphonic`, `off-grid`, `range`.
        """
        grain, loose = self.steps_per_quarter, (self.off_grid, self.chords)
        voices, end, remarks = choir(sequence, grain, *loose, bars=False, parts=parts)
        pitches = np.full((end, len(VOICES)), -1)
        repeated = 0
        for part, notes in zip(parts, voices, strict=True):
            column = pitches[:, VOICES.index(part)]
            for onset, offset, pitch in zip(
                *(x.tolist() for x in notes[:3]), strict=True
            ):
                repeated += bool(onset and column[onset - 1] == pitch)
                column[onset:offset] = pitch
        if repeated:
            remarks.append(
                f"repeated: {repeated} notes run on from the one before them"
            )
        return Fit(self.tokens(pitches), tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """int32 [t, 4]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = CHOIR
    ) -> NoteSequence:
        """The music of any rows [t, 4]: a note wherever a pitch begins, held for as long as it is.

        A token above the vocabulary is silence.
        """
        pitches = self.pitches(array)
        edge = np.full((1, len(VOICES)), -2)
        changes = np.diff(pitches, axis=0, prepend=edge, append=edge) != 0
        step = 60 / qpm / self.steps_per_quarter
        sequence = blank(qpm)
        sequence.total_time = len(pitches) * step
        for i, name in enumerate(VOICES):
            sequence.instrument_infos.add(instrument=i, name=name)
            times = np.flatnonzero(changes[:, i])
            columns = times[:-1] * step, times[1:] * step, pitches[times[:-1], i]
            notes = zip(*(column.tolist() for column in columns), strict=True)
            sounding = ((*note, VELOCITY) for note in notes if note[2] >= 0)
            write_notes(sequence, sounding, instrument=i, program=program)
        return sequence

    def tokens(self, pitches: np.ndarray) -> np.ndarray:
        """MIDI numbers [t, 4], -1 where a voice is silent, as rows of this codec.

        Raises `Refused` (`range`) where a pitch is not within low..high.
        """
        pitches = np.asarray(pitches).reshape(-1, len(VOICES))
        if (sounding := pitches[pitches >= 0]).size:
            outside(sounding, self.low, self.high)
        return np.where(pitches < 0, SILENT, pitches - self.low + 1).astype(np.int32)

    def pitches(self, array: np.ndarray) -> np.ndarray:
        """Rows of this codec as MIDI numbers [t, 4], -1 where a voice is silent."""
        rows = np.asarray(array).reshape(-1, len(VOICES)).astype(np.int64)
        return np.where((rows > SILENT) & (rows < self.vocab), rows + self.low - 1, -1)

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch within low..high."""
        array = np.asarray(array)
        sounding = array[array > SILENT]
        if not sounding.size:
            return range(1)
        return range(1 - int(sounding.min()), self.vocab - int(sounding.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music, `semitones` higher. Raises `Refused` (`range`) out of `reach`."""
        array = np.asarray(array)
        if semitones not in self.reach(array):
            outside(
                array[array > SILENT] + self.low - 1 + semitones, self.low, self.high
            )
        return np.where(array > SILENT, array + semitones, SILENT).astype(np.int32)

    def grammar(self) -> None:
        """None: every array of rows is music, but for silence."""

    def describe(self, token: int) -> str:
        """`rest`, or a pitch such as `C4`."""
        if int(token) == SILENT:
            return "rest"
        octave, name = divmod(int(token) + self.low - 1, 12)
        return f"{NAMES[name]}{octave - 1}"
