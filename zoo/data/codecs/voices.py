"""The sounding pitches of four voices on a grid of 16ths."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import (
    VELOCITY,
    Fit,
    empty_sequence,
    fit_line,
    require_in_range,
    require_pitch_range,
    within,
    write_notes,
)
from zoo.data.codecs.chorale import CHOIR, VOICES, read_voices
from zoo.data.codecs.frames import FrameCodec
from zoo.data.codecs.names import pitch_name
from zoo.data.proto import QPM, NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError
from zoo.ranges import Pitch, Share, StepsPerQuarter, checked

SILENT = 0


@dataclass(frozen=True)
@checked
class Voices(FrameCodec):
    """A four-part piece as int32 [t, 4], one row for each 16th, from soprano to bass.

    Values: 0 is silence, 1 + pitch - low a pitch. The same pitch on consecutive rows is
    one note, so that onsets of repeated notes are not kept. Voices are the tracks
    (instrument, part, voice) in order of mean pitch. The chorale data sets with
    likelihoods per 16th have these arrays (Allan & Williams 2005; Huang et al. 2017);
    `tokens` and `pitches` convert from and to their MIDI pitches.

    Kept: pitch, rhythm in 16ths except for repetitions, length. Not kept: metre, key
    signature, tempo, velocity, fermatas, words.

    Attributes:
      low: lowest MIDI pitch. By default the range is C2 to C6.
      high: highest MIDI pitch.
      steps_per_quarter: steps in a quarter note.
      off_grid: maximum share of a voice's notes that are moved far or dropped.
      chords: maximum share of a voice's notes that are dropped or cut as chords.

    Raises:
      UsageError: an invalid range of pitches or number of steps.
    """

    frame_shape = (len(VOICES),)
    voices = len(VOICES)

    low: Pitch = 36
    high: Pitch = 84
    steps_per_quarter: StepsPerQuarter = 4
    _: KW_ONLY
    off_grid: Share = 0.25
    chords: Share = 0.1

    def __post_init__(self):
        require_pitch_range(self.low, self.high)

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def vocab(self) -> int:
        return self.high - self.low + 2

    @property
    def dimensions(self) -> Mapping[str, Any]:
        return {"vocab": self.vocab, "keys": self.vocab - 1, "voices": len(VOICES)}

    @property
    def lenient(self) -> "Voices":
        return dataclasses.replace(self, chords=1.0)

    def fit_primer(self, sequence: NoteSequence, missing: Sequence[str] = ()) -> Fit:
        """Encodes a piece of four voices, or of all except the `missing` ones.

        Raises:
          Refused: the piece cannot be encoded.
        """
        present = [voice for voice in VOICES if voice not in missing]
        tracks = {(x.instrument, x.part, x.voice) for x in sequence.notes}
        incomplete = missing and len(tracks) == len(present)
        if not incomplete and len(tracks) < len(VOICES):
            advice = "name the others as `rewrite`, to have them written"
            if missing:
                advice = f"give {' and '.join(present)} alone, or all four"
            raise Refused(
                "voices", f"It has {len(tracks)} of the four voices: {advice}."
            )
        voices = present if incomplete else VOICES
        return fit_line(self, lambda codec: codec.fit(sequence, voices))

    def region(
        self, array: np.ndarray, voices: Sequence[str], span: tuple[int, int]
    ) -> np.ndarray:
        if unknown := set(voices) - {*VOICES}:
            raise UsageError(
                f"there is no voice {min(unknown)}: choose from {', '.join(VOICES)}."
            )
        columns = np.isin(VOICES, voices or VOICES)
        return within(span, len(array))[:, None] & columns

    def fit(self, sequence: NoteSequence, voices: Sequence[str] = VOICES) -> Fit:
        """Encodes a piece as int32 [t, 4], with remarks.

        Args:
          sequence: the piece.
          voices: names of the voices that the piece has; the others are silent.

        Raises:
          Refused: `empty`, `malformed`, `long`, `voices`, `polyphonic`, `off-grid` or
            `range`.
        """
        return fit_aligned(lambda piece: self._fit(piece, voices), sequence, bars=False)

    def _fit(self, sequence: NoteSequence, voices: Sequence[str]) -> Fit:
        """Encodes a piece whose notes are on the grid."""
        lines, end, remarks = read_voices(
            sequence,
            self.steps_per_quarter,
            off_grid=self.off_grid,
            chords=self.chords,
            bars=False,
            voices=voices,
        )
        pitches = np.full((end, len(VOICES)), -1)
        repeated = 0
        for voice, notes in zip(voices, lines, strict=True):
            column = pitches[:, VOICES.index(voice)]
            rows = zip(*(x.tolist() for x in notes[:3]), strict=True)
            for onset, offset, pitch in rows:
                repeated += bool(onset and column[onset - 1] == pitch)
                column[onset:offset] = pitch
        if repeated:
            remarks.append(f"repeated: {repeated} notes joined to the one before them")
        return Fit(self.tokens(pitches), tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as int32 [t, 4]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = CHOIR
    ) -> NoteSequence:
        """Decodes any rows [t, 4]; consecutive steps of a pitch are one note.

        A token outside the vocabulary is silence.
        """
        pitches = self.pitches(array)
        edge = np.full((1, len(VOICES)), -2)
        changes = np.diff(pitches, axis=0, prepend=edge, append=edge) != 0
        step = 60 / qpm / self.steps_per_quarter
        sequence = empty_sequence(qpm)
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
        """Converts MIDI pitches [t, 4], -1 for silence, to rows of this codec.

        Raises:
          Refused: `range`: a pitch is not within low..high.
        """
        pitches = np.asarray(pitches).reshape(-1, len(VOICES))
        if (sounding := pitches[pitches >= 0]).size:
            require_in_range(sounding, self.low, self.high)
        return np.where(pitches < 0, SILENT, pitches - self.low + 1).astype(np.int32)

    def pitches(self, array: np.ndarray) -> np.ndarray:
        """Converts rows of this codec to MIDI pitches [t, 4], -1 for silence."""
        rows = np.asarray(array).reshape(-1, len(VOICES)).astype(np.int64)
        return np.where((rows > SILENT) & (rows < self.vocab), rows + self.low - 1, -1)

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches within low..high."""
        array = np.asarray(array)
        sounding = array[array > SILENT]
        if not sounding.size:
            return range(1)
        return range(1 - int(sounding.min()), self.vocab - int(sounding.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes rows.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        array = np.asarray(array)
        if semitones not in self.reach(array):
            pitches = array[array > SILENT] + self.low - 1
            require_in_range(pitches + semitones, self.low, self.high)
        return np.where(array > SILENT, array + semitones, SILENT).astype(np.int32)

    def grammar(self) -> None:
        """Returns None: any array of rows is legal."""

    def describe(self, token: int) -> str:
        """Returns `rest`, or a pitch as `C4`."""
        if int(token) == SILENT:
            return "rest"
        return pitch_name(int(token) + self.low - 1)
