"""A sung line as a sequence of phonemes, each a row of attributes.

The rows are those of singing synthesis: phoneme, pitch and duration of its note, and
whether the note is slurred (Y. Wang et al.: Opencpop, Interspeech 2022, section 2.4).
Deviation: the durations of phonemes are no part of a score, and are left out.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import (
    BOUNDARY,
    VELOCITY,
    BaseCodec,
    Fit,
    discard_remarks,
    empty_sequence,
    require_in_range,
    up_to_end,
    write_notes,
)
from zoo.data.codecs.names import pitch_name
from zoo.data.lyrics import EXTENDS, Syllable, syllabic, write_lyrics
from zoo.data.proto import QPM, NoteSequence, quarters
from zoo.data.refusal import Refused
from zoo.data.text.inventory import PHONEMES, is_vowel
from zoo.data.text.lyric_words import LaidSyllable, laid_syllables
from zoo.data.text.reading import ENGINES
from zoo.ranges import Count, Share, StepsPerQuarter, checked

COLUMNS = ("phoneme", "pitch", "duration", "slur", "boundary")
PHONEME, PITCH, DURATION, SLUR, EDGE = range(len(COLUMNS))
SILENCE, FIRST_PHONEME = 1, 2
NEW, SLURRED = 1, 2
WITHIN, SYLLABLE, WORD = 1, 2, 3
NAMES = {
    "phoneme": ("silence", *PHONEMES),
    "slur": ("new", "slurred"),
    "boundary": ("within a syllable", "syllable", "word"),
}
CHOIR = 52  # General MIDI program, counted from 0: choir aahs


class _Note(NamedTuple):
    """A note in steps; `syllable` is the number of its syllable."""

    onset: int
    offset: int
    pitch: int
    syllable: int


@dataclass(frozen=True)
@checked
class Sung(BaseCodec):
    """A sung line as int32 [t, 5], one row for each phoneme, ended by BOUNDARY.

    Columns, each of which is 0 in a row of BOUNDARY:

    - `phoneme`: 1 for silence, else 2 + its number among those of ARPAbet;
    - `pitch`: 1 + the MIDI number of its note; 1 in silence;
    - `duration`: the steps of its note, or of the silence;
    - `slur`: 2 on a further note of a melisma, which repeats the vowel; else 1;
    - `boundary`: 3 on the first phoneme of a word, 2 of a syllable within one, else 1.

    Consonants after the vowel come after all its notes. The line is the first that has
    lyrics. Decoded lyrics are phonemes in braces.

    Kept: phonemes, words, pitch, rhythm in twelfths of a quarter, rests between notes.
    Not kept: spelling, tempo, metre, velocity, notes that are not sung.

    Attributes:
      steps_per_quarter: steps in a quarter note.
      max_duration: maximum number of steps of a row; longer notes are cut.
      off_grid: maximum share of notes that quantisation may move far.
      engine: what pronounces the words, "cmudict" or "espeak".
    """

    steps_per_quarter: StepsPerQuarter = 12
    max_duration: Count = 192
    _: KW_ONLY
    off_grid: Share = 0.25
    engine: str = ENGINES[0]

    frame_shape = (len(COLUMNS),)
    lists_notes = True
    voices = 1

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each column, 0 included."""
        return 2 + len(PHONEMES), 129, 1 + self.max_duration, 3, 4

    @property
    def vocab(self) -> int:
        """Number of values of the largest column."""
        return max(self.sizes)

    @property
    def dimensions(self) -> Mapping[str, Any]:
        return {"sizes": self.sizes}

    def prefix(self, array: np.ndarray) -> np.ndarray:
        """Returns an encoded piece without its last row, which ends it."""
        return array[:-1]

    def event_mask(self, rows: np.ndarray) -> np.ndarray:
        return up_to_end(rows)

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece as int32 [t, 5], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long`, `words`, `off-grid`; and as
            `zoo.data.text.reading.read`.
          ZooError: the dictionary, or espeak-ng, is not installed.
        """
        return fit_aligned(self._fit, sequence, bars=False)

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as int32 [t, 5]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def _fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece whose notes are on the grid."""
        notes, _, remarks = grid.read_steps(sequence, self.steps_per_quarter)
        remarks += discard_remarks(sequence, notes, bars=False)
        laid = laid_syllables(sequence, self.engine)
        line, line_remarks = self._line(sequence, laid)
        remarks += line_remarks
        if unsung := len(notes.onset) - len(line):
            remarks.append(f"unsung: {unsung} notes without words left out")
        rows: list[list[int]] = []
        at = index = 0
        for number, syllable in enumerate(laid):
            first = index
            while index < len(line) and line[index].syllable == number:
                index += 1
            rows += self._syllable(syllable, line[first:index], at)
            at = line[index - 1].offset
        rows.append([BOUNDARY] * len(COLUMNS))
        return Fit(np.array(rows, np.int32), tuple(remarks))

    def _line(
        self, sequence: NoteSequence, laid: Sequence[LaidSyllable]
    ) -> tuple[list[_Note], list[str]]:
        """Returns the sung notes in whole steps, and remarks.

        Raises:
          Refused: `off-grid`.
        """
        numbers = [(i, k) for k, one in enumerate(laid) for i in one.notes]
        notes = [sequence.notes[i] for i, _ in numbers]
        times = [(x.start_time, x.end_time) for x in notes]
        steps = quarters(sequence)(np.array(times)) * self.steps_per_quarter
        found: list[_Note] = []
        strays = cut = 0
        for (onset, offset), note, (_, syllable) in zip(
            steps.tolist(), notes, numbers, strict=True
        ):
            begin = round(onset)
            if found:
                last = found[-1]
                begin = max(begin, last.onset + 1)
                found[-1] = last._replace(offset=min(last.offset, begin))
            strays += abs(onset - begin) > grid.ON_GRID
            end = max(round(offset), begin + 1)
            cut += end - begin > self.max_duration
            end = min(end, begin + self.max_duration)
            found.append(_Note(begin, end, note.pitch, syllable))
        if strays > self.off_grid * len(found):
            raise Refused(
                "off-grid",
                f"{strays} of {len(found)} notes lie off the grid of "
                f"{self.steps_per_quarter} steps per quarter; align them first.",
            )
        return found, [f"cut: {cut} long notes"] if cut else []

    def _syllable(
        self, laid: LaidSyllable, notes: Sequence[_Note], at: int
    ) -> list[list[int]]:
        """Returns the rows of a syllable, and of the silence from step `at` on."""
        spoken = laid.spoken
        tokens = [FIRST_PHONEME + PHONEMES.index(x) for x in spoken.phonemes]
        vowels = (i for i, x in enumerate(spoken.phonemes) if is_vowel(x))
        vowel = next(vowels, len(tokens) - 1)
        inside = spoken.lyric.syllabic in ("middle", "end")
        rows = self._silence(notes[0].onset - at)
        for place in range(vowel + 1):
            edge = WITHIN if place else (SYLLABLE if inside else WORD)
            rows.append(_row(tokens[place], notes[0], NEW, edge))
        for before, note in itertools.pairwise(notes):
            rows += self._silence(note.onset - before.offset)
            rows.append(_row(tokens[vowel], note, SLURRED, WITHIN))
        return rows + [_row(x, notes[-1], NEW, WITHIN) for x in tokens[vowel + 1 :]]

    def _silence(self, steps: int) -> list[list[int]]:
        """Returns rows of silence."""
        full, rest = divmod(max(steps, 0), self.max_duration)
        lengths = [self.max_duration] * full + [rest] * bool(rest)
        return [[SILENCE, 1, length, NEW, WITHIN] for length in lengths]

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = CHOIR
    ) -> NoteSequence:
        """Decodes any rows, up to the first with a BOUNDARY.

        A slurred row or one that begins a syllable is a note. The phonemes of others
        belong to the syllable before them. Values above those of a column are its
        largest.
        """
        step = 60 / qpm / self.steps_per_quarter
        columns: list[tuple[float, float, int, int]] = []
        syllables: list[list[str]] = []
        inside: list[bool] = []
        begins: list[bool] = []
        at = 0
        for phoneme, pitch, duration, slur, edge in self._rows(array).tolist():
            if phoneme == SILENCE:
                at += duration
                continue
            new = edge > WITHIN or not syllables
            if new:
                syllables.append([])
                inside.append(edge == SYLLABLE and len(syllables) > 1)
            if new or slur == SLURRED:
                columns.append((at * step, (at + duration) * step, pitch - 1, VELOCITY))
                begins.append(new)
                at += duration
            if new or slur != SLURRED:
                syllables[-1].append(PHONEMES[phoneme - FIRST_PHONEME])
        sequence = empty_sequence(qpm)
        write_notes(sequence, columns, program=program)
        sequence.total_time = max(sequence.total_time, at * step)
        texts = iter(
            Syllable(f"{{{' '.join(names)}}}", syllabic(own, after))
            for names, own, after in zip(
                syllables, inside, [*inside[1:], False], strict=True
            )
        )
        write_lyrics(sequence, [next(texts) if new else EXTENDS for new in begins])
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches within 0..127."""
        rows = self._rows(array)
        pitch = rows[rows[:, PHONEME] != SILENCE, PITCH] - 1
        return (
            range(-int(pitch.min()), 128 - int(pitch.max())) if pitch.size else range(1)
        )

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes a piece.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        rows = self._rows(array)
        sounding = np.flatnonzero(rows[:, PHONEME] != SILENCE)
        pitch = rows[sounding, PITCH] - 1 + semitones
        if semitones not in self.reach(array) and pitch.size:
            require_in_range(pitch, 0, 127)
        moved = np.array(array, np.int32).reshape(-1, len(COLUMNS))
        moved[sounding, PITCH] = 1 + pitch
        return moved

    def grammar(self) -> None:
        """Returns None: any array of rows is legal."""

    def words(self, column: str) -> list[str]:
        """Returns the names of the values of a column, from 1 on."""
        if column in NAMES:
            return list(NAMES[column])
        if column == "pitch":
            return [pitch_name(pitch) for pitch in range(128)]
        return [f"length {1 + i}" for i in range(self.max_duration)]

    def describe(self, token: int) -> str:
        """Returns `boundary`, or the names of a value in all columns that have it."""
        if token == BOUNDARY:
            return "boundary"
        words = map(self.words, COLUMNS)
        return ", ".join(names[token - 1] for names in words if token <= len(names))

    def _rows(self, array: np.ndarray) -> np.ndarray:
        """Returns the rows [n, 5] before the first with a BOUNDARY, of legal values."""
        rows = np.asarray(array).reshape(-1, len(COLUMNS)).astype(np.int64)
        ended = np.append((rows <= BOUNDARY).any(axis=1), True)
        return np.minimum(rows[: np.argmax(ended)], np.array(self.sizes) - 1)


def _row(phoneme: int, note: _Note, slur: int, edge: int) -> list[int]:
    return [phoneme, 1 + note.pitch, note.offset - note.onset, slur, edge]
