"""Pieces for any instruments as a sequence of notes, each a row of attributes.

The rows follow the Octuple of Zeng et al. 2021 (MusicBERT, arXiv:2106.05630, section
3.2) and the Compound Word of Hsiao et al. 2021 (arXiv:2101.02402). Deviations: there is
no tempo, and bars are counted from the previous note, as in the latter, so that a piece
may have any length.
"""

import functools
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import (
    BOUNDARY,
    BaseCodec,
    Fit,
    Notes,
    discard_remarks,
    empty_sequence,
    require_in_range,
    up_to_end,
    write_notes,
)
from zoo.data.codecs.metre import Fraction, bar_steps, metre_spans, plain_name
from zoo.data.codecs.names import instruments, pitch_name, require_one_of
from zoo.data.codecs.players import DRUMS, PITCHES, read_players, snap_tracks
from zoo.data.codecs.steps import METRES, parse_metres
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.ranges import Bars, Count, Range, Share, StepsPerQuarter, checked

COLUMNS = ("metre", "bar", "position", "instrument", "pitch", "duration", "velocity")
INSTRUMENT, PITCH = COLUMNS.index("instrument"), COLUMNS.index("pitch")
MAX_VELOCITY, MAX_VELOCITY_BINS = 127, 32


@dataclass(frozen=True)
@checked
class Compound(BaseCodec):
    """A piece as int32 [t, 7], one row for each note, ended by a row of BOUNDARY.

    Columns, each of which is 0 in a row of BOUNDARY:

    - `metre`: 1 + its index in `metres`;
    - `bar`: 1 + the number of barlines since the previous note, or since the start;
    - `position`: 1 + the number of steps since the barline;
    - `instrument`: 1 + its program, or 129 for drums;
    - `pitch`: 1 + its MIDI number;
    - `duration`: its number of steps;
    - `velocity`: 1 + its bin.

    Rows are in ascending order of time, instrument and pitch. Metres are recorded with
    notes only: the metre of bars without notes may be lost.

    A pickup is the end of a first bar that begins with rests. A later bar that is cut
    short gets the metre of its length if that is one of `metres`, and otherwise ends
    with rests.

    Kept: pitch, rhythm in 16ths, metre, programs, drums, binned velocity. Not kept:
    tempo, the tracks of one program, drum kits, rests after the last note.

    Attributes:
      metres: metres that can be encoded.
      steps_per_quarter: steps in a quarter note.
      max_bars: maximum number of barlines between notes; longer rests are shortened.
      max_duration: maximum number of steps of a note; longer notes are cut.
      velocity_bins: number of bins of velocity.
      off_grid: maximum share of notes that quantisation may move far or drop.

    Raises:
      UsageError: a size that is too small or too large, or an invalid metre or number
        of steps.
    """

    metres: tuple[str, ...] = METRES
    steps_per_quarter: StepsPerQuarter = 4
    max_bars: Bars = 16
    _: KW_ONLY
    max_duration: Count = 64
    velocity_bins: Annotated[int, Range(1, MAX_VELOCITY_BINS)] = 8
    off_grid: Share = 0.25

    def __post_init__(self):
        _ = self.fractions  # raises if a metre is invalid

    @functools.cached_property
    def fractions(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        return parse_metres(self.metres, self.steps_per_quarter)

    @functools.cached_property
    def _bar_lengths(self) -> np.ndarray:
        """Steps in a bar of each metre."""
        rate = self.steps_per_quarter
        return np.array([bar_steps(metre, rate) for metre in self.fractions])

    frame_shape = (len(COLUMNS),)
    lists_notes = True

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def dimensions(self) -> Mapping[str, Any]:
        return {"sizes": self.sizes}

    def prefix(self, array: np.ndarray) -> np.ndarray:
        """Returns an encoded piece without its last row, which ends it."""
        return array[:-1]

    def event_mask(self, rows: np.ndarray) -> np.ndarray:
        return up_to_end(rows)

    def constraint(self, **values: str | int) -> np.ndarray:
        tokens = {name: self.value(name, value) for name, value in values.items()}
        return np.array([tokens.get(name, BOUNDARY) for name in COLUMNS], np.int32)

    def corruptions(
        self, rows: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        mixed = super().corruptions(rows, rng)
        pitch = np.array(COLUMNS) == "pitch"
        pitches = np.where(pitch, mixed["mixed_notes"], rows)
        return {**mixed, "mixed_pitches": pitches}

    @property
    def columns(self) -> tuple[str, ...]:
        return COLUMNS

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each column, 0 included."""
        time = len(self.metres), self.max_bars + 1, int(self._bar_lengths.max())
        note = DRUMS + 1, PITCHES, self.max_duration, self.velocity_bins
        return tuple(1 + n for n in (*time, *note))

    @property
    def vocab(self) -> int:
        return max(self.sizes)

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece as int32 [t, 7], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long`, `off-grid` or `metre`.
        """
        return fit_aligned(self._fit, sequence)

    def _fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece whose notes are on the grid."""
        notes, remarks = self._read(sequence)
        bars, bar_remarks = self._bars(sequence, int(notes.onset[-1]))
        remarks += bar_remarks
        starts, metre, lead = np.array(bars).T
        bar = np.searchsorted(starts, notes.onset, side="right") - 1
        advance = np.diff(bar, prepend=0)
        kept_advance = np.minimum(advance, self.max_bars)
        position = notes.onset - starts[bar] + lead[bar]
        # A bar without notes may be decoded in another metre, which moves the onsets
        # after it. Notes must not last into the next in the decoded piece.
        _, _, begins = self._layout(metre[bar], np.cumsum(kept_advance))
        lane = notes.track * PITCHES + notes.pitch
        duration, trimmed = _until_struck(
            lane, begins + position, notes.offset - notes.onset
        )
        columns = (
            metre[bar],
            kept_advance,
            position,
            notes.track,
            notes.pitch,
            np.minimum(duration, self.max_duration) - 1,
            self._velocity_bin(notes.velocity),
        )
        if shortened := np.sum(advance > self.max_bars):
            remarks.append(
                f"rests: {shortened} of more than {self.max_bars} bars shortened"
            )
        if trimmed:
            remarks.append(grid.trim_remark(trimmed))
        if cut := np.sum(duration > self.max_duration):
            remarks.append(f"cut: {cut} notes longer than {self.max_duration} steps")
        rows = 1 + np.stack(columns, axis=1)
        rows = np.pad(rows, ((0, 1), (0, 0)), constant_values=BOUNDARY)
        return Fit(rows.astype(np.int32), tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as int32 [t, 7]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(self, array: np.ndarray, qpm: float = QPM) -> NoteSequence:
        """Decodes any values, up to the first row that contains a BOUNDARY.

        The metre of a bar is that of its first note. A bar without notes has the
        shorter of the metres of the bars around it, because a short bar alone might be
        one that is cut. A value that is too large for its column is reduced to the
        largest one, and a position after the end of its bar to the last of the bar.
        Each program is an instrument. A note ends where its pitch is struck again.
        """
        rows = self._rows(array)
        sequence, step = empty_sequence(qpm), 60 / qpm / self.steps_per_quarter
        if not len(rows):
            return sequence
        metre, advance, position, program, pitch, duration, velocity_bin = (rows - 1).T
        bar = np.cumsum(advance)
        bar_metres, starts, begins = self._layout(metre, bar)
        for i in np.flatnonzero(np.diff(bar_metres, prepend=-1)).tolist():
            numerator, denominator = self.fractions[bar_metres[i]]
            sequence.time_signatures.add(
                time=float(starts[i] * step),
                numerator=numerator,
                denominator=denominator,
            )
        last = self._bar_lengths[bar_metres[bar]] - 1
        onset = begins + np.minimum(position, last)
        notes = Notes(
            onset=onset,
            offset=onset + 1 + duration,
            pitch=pitch,
            velocity=self._bin_velocities()[velocity_bin],
            track=program,
        )
        notes, _ = snap_tracks(notes, 1.0, self.steps_per_quarter)
        for i, number in enumerate(np.unique(program).tolist()):
            sequence.instrument_infos.add(instrument=i, name=instruments()[number])
            own = notes.take(notes.track == number)
            columns = own.onset * step, own.offset * step, own.pitch, own.velocity
            part = zip(*(column.tolist() for column in columns), strict=True)
            write_notes(sequence, part, instrument=i, program=number % DRUMS)
            for note in sequence.notes[-len(own.onset) :]:
                note.is_drum = number == DRUMS
        sequence.total_time = max(sequence.total_time, float(starts[-1] * step))
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches but drums in range."""
        pitch = self._rows(array)[self._pitched(array), PITCH] - 1
        if not pitch.size:
            return range(1)
        return range(-int(pitch.min()), PITCHES - int(pitch.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes all notes but drums.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        moved, pitched = np.array(array, np.int32), self._pitched(array)
        pitch = self._rows(array)[pitched, PITCH] + semitones
        if semitones and not pitch.size:
            raise Refused(
                "range", "It has no pitched notes to transpose; transpose it by 0."
            )
        if pitch.size:
            require_in_range(pitch - 1, 0, PITCHES - 1)
        moved[pitched, PITCH] = pitch
        return moved

    def grammar(self) -> None:
        """Returns None: any array of rows is legal."""

    def value(self, column: str, name: str | int) -> int:
        """Returns the value of `column` with a name, in any case, or with a number.

        Names are those of `words`. Numbers are barlines, steps since the barline,
        General MIDI programs 0..127, MIDI pitches, steps of duration, and MIDI
        velocities.

        Raises:
          UsageError: an unknown name or number.
        """
        words = self.words(require_one_of(column, COLUMNS, "column"))
        values = {word.lower(): 1 + i for i, word in enumerate(words)}
        if column == "velocity":
            bins = self._velocity_bin(np.arange(1, 1 + MAX_VELOCITY))
            values |= {str(1 + i): 1 + k for i, k in enumerate(bins.tolist())}
        elif column != "metre":
            first = int(column == "duration")
            values |= {str(first + i): 1 + i for i in range(len(words))}
        return values[require_one_of(str(name).strip().lower(), values, column)]

    def words(self, column: str) -> list[str]:
        """Returns the names of the values of a column, from 1 on."""
        size = self.sizes[COLUMNS.index(column)] - 1
        match column:
            case "metre":
                return list(self.metres)
            case "instrument":
                return list(instruments())
            case "pitch":
                return [pitch_name(pitch) for pitch in range(size)]
            case "duration":
                return [f"length {1 + i}" for i in range(size)]
            case "velocity":
                return [f"velocity {velocity}" for velocity in self._bin_velocities()]
        return [f"{'bar +' if column == 'bar' else 'step '}{i}" for i in range(size)]

    def describe(self, token: int) -> str:
        """Returns `boundary`, or the names of a value in all columns that have it."""
        return self.describe_row(np.full(len(COLUMNS), token))

    def describe_row(self, row: np.ndarray) -> str:
        """Returns `boundary`, or the names of a note's values.

        A note is `3/4, bar +1, step 0, Flute, C4, length 4, velocity 72`.
        """
        if (np.asarray(row) == BOUNDARY).any():
            return "boundary"
        words = zip(map(self.words, COLUMNS), np.asarray(row).tolist(), strict=True)
        return ", ".join(
            names[value - 1] for names, value in words if value <= len(names)
        )

    def _read(self, sequence: NoteSequence) -> tuple[Notes, list[str]]:
        """Returns quantised notes in the order of rows, by program, and remarks."""
        notes, players, _, remarks = read_players(sequence, self.steps_per_quarter)
        without_velocity = notes._replace(velocity=np.zeros(1))  # which the codec keeps
        remarks += discard_remarks(sequence, without_velocity)
        programs = np.array([player.program for player in players])
        count = len(set(programs.tolist()))
        if len(players) > count:
            remarks.append(f"tracks: {len(players)} joined by program into {count}")
        notes = notes._replace(track=programs[notes.track])
        notes, grid_remarks = snap_tracks(notes, self.off_grid, self.steps_per_quarter)
        order = np.lexsort((notes.pitch, notes.track, notes.onset))
        return notes.take(order), remarks + grid_remarks

    def _layout(
        self, metre: np.ndarray, bar: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lays out the bars of a piece from the metres and bars of its notes.

        Args:
          metre: index of the metre of each note.
          bar: index of the bar of each note, in ascending order.

        Returns:
          The metre of each bar; the start of each bar, and the end, in steps; and the
          start of the bar of each note.
        """
        noted, first = np.unique(bar, return_index=True)
        after = np.searchsorted(noted, np.arange(noted[-1] + 1))
        before = np.maximum(after - (noted[after] > np.arange(len(after))), 0)
        before, after = metre[first][before], metre[first][after]
        shorter = self._bar_lengths[before] <= self._bar_lengths[after]
        bar_metres = np.where(shorter, before, after)
        starts = np.cumsum(np.append(0, self._bar_lengths[bar_metres]))
        return bar_metres, starts, starts[bar]

    def _velocity_bin(self, velocity: np.ndarray) -> np.ndarray:
        """Returns the bin of each MIDI velocity."""
        velocity = np.clip(velocity, 1, MAX_VELOCITY)
        return (velocity - 1) * self.velocity_bins // MAX_VELOCITY

    def _bin_velocities(self) -> np.ndarray:
        """Returns the velocity in the middle of each bin."""
        middle = (2 * np.arange(self.velocity_bins) + 1) * MAX_VELOCITY
        return 1 + middle // (2 * self.velocity_bins)

    def _rows(self, array: np.ndarray) -> np.ndarray:
        """Returns the rows [n, 7] before the first with a BOUNDARY, of legal values."""
        rows = np.asarray(array).reshape(-1, len(COLUMNS)).astype(np.int64)
        ended = np.append((rows <= BOUNDARY).any(axis=1), True)
        return np.minimum(rows[: np.argmax(ended)], np.array(self.sizes) - 1)

    def _pitched(self, array: np.ndarray) -> np.ndarray:
        """Returns the indices of the rows of notes other than drums."""
        return np.flatnonzero(self._rows(array)[:, INSTRUMENT] <= DRUMS)

    def _bars(
        self, sequence: NoteSequence, last: int
    ) -> tuple[list[tuple[int, int, int]], list[str]]:
        """Returns the bars up to step `last`, and remarks.

        A bar is its start, the index of its metre, and the number of steps of rest
        before it.
        """
        rate, bars, remarks, filled = self.steps_per_quarter, [], [], 0
        stated = metres(sequence)
        # a pickup is recognised by the metre after it, even if no note follows
        second = min(stated[:2][-1].start * rate, float(grid.MAX_STEPS))
        end = 1 + max(last, int(np.floor(second + 0.5)))
        spans = metre_spans(stated, end, self.fractions, rate)
        stops = [*(span.start for span in spans[1:]), end]
        for span, stop in zip(spans, stops, strict=True):
            metre = self.fractions.index(span.metre)
            length = bar_steps(span.metre, rate)
            bars += [(start, metre, 0) for start in range(span.start, stop, length)]
            rest = (stop - span.start) % length
            if stop == end or not rest:
                continue
            name = plain_name(rest, rate)
            if len(bars) == 1:
                bars[0] = bars[0][0], metre, length - rest
                remarks.append("pickup: rests fill the first bar")
            elif name in self.fractions:
                bars[-1] = bars[-1][0], self.fractions.index(name), 0
            else:
                filled += 1
        if filled:
            remarks.append(f"filled: {filled} short bars filled with rests")
        return bars, remarks


def _until_struck(
    lane: np.ndarray, onset: np.ndarray, duration: np.ndarray
) -> tuple[np.ndarray, int]:
    """Cuts durations where the next note of the lane begins; returns their number, too.

    Args:
      lane: the lane of each note: its track and pitch.
      onset: the onset of each note.
      duration: the duration of each note.
    """
    order = np.lexsort((onset, lane))
    same = np.diff(lane[order]) == 0
    until_next = np.where(same, np.diff(onset[order]), duration[order][:-1])
    cut = duration.copy()
    cut[order[:-1]] = np.minimum(duration[order[:-1]], until_next)
    return cut, int(np.sum(cut < duration))
