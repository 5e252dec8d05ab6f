"""Pieces for any instruments, a note at a time: one row of what is known of each.

In the manner of the Octuple of Zeng et al. 2021 (MusicBERT, arXiv:2106.05630, section 3.2) and the
Compound Word of Hsiao et al. 2021 (arXiv:2101.02402). Deviations: no tempo, and bars are counted
from the note before as in the latter, so that a piece may be of any length.
"""

import difflib
import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.base import (
    BOUNDARY,
    BaseCodec,
    Fit,
    Notes,
    blank,
    losses,
    outside,
    up_to_end,
    write_notes,
)
from zoo.data.codecs.metre import Fraction, bar_steps, plain_name, spans
from zoo.data.codecs.players import DRUMS, PITCHES, read_players, together
from zoo.data.codecs.steps import METRES, NAMES, Steps
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.errors import UsageError

COLUMNS = ("metre", "bar", "position", "instrument", "pitch", "duration", "velocity")
INSTRUMENT, PITCH = COLUMNS.index("instrument"), COLUMNS.index("pitch")
LOUDEST = 127


@dataclass(frozen=True)
class Compound(BaseCodec):
    """A piece as int32 [t, 7], one row per note, ended by a row of BOUNDARY.

    Columns, 0 being BOUNDARY in each: `metre` 1 + its place in `metres`; `bar` 1 + the barlines
    since the note before, or since the start; `position` 1 + steps since the barline; `instrument`
    1 + its program, 129 drums; `pitch` 1 + its MIDI number; `duration` in steps; `velocity` 1 + its
    bin. Rows are in order of time, instrument and pitch. A metre is
    told where a note is: of bars without notes it may be lost.

    A pickup stands at the end of a first bar that rests fill; a later bar cut short has the metre
    of its length where that is one of `metres`, and else is filled with rests, too.

    Kept: pitch, rhythm in 16ths, metre, programs, drums, velocity by bins. Not kept: tempo, which
    of several tracks of a program a note is in, drum kits, rests after the last note.

    Raises:
      UsageError: fields that are no sizes, and what `Steps` raises of metres and steps.
    """

    metres: tuple[str, ...] = METRES
    steps_per_quarter: int = 4
    most_bars: int = 16  # barlines from a note to the next; a longer wait is shortened
    longest: int = 64  # steps of a note; a longer one is cut
    velocity_bins: int = 8
    off_grid: float = 0.25  # share of notes that may be bent to the grid or lost to it

    def __post_init__(self):
        if min(self.most_bars, self.longest) < 1 or not 1 <= self.velocity_bins <= 32:
            raise UsageError(
                "most_bars and longest are at least 1, velocity_bins within 1 to 32, not "
                f"{self.most_bars}, {self.longest} and {self.velocity_bins}"
            )
        _ = self.known  # which are metres

    @functools.cached_property
    def known(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        return Steps(steps_per_quarter=self.steps_per_quarter, metres=self.metres).known

    @functools.cached_property
    def _lengths(self) -> np.ndarray:
        """Steps of a bar of each metre."""
        return np.array(
            [bar_steps(metre, self.steps_per_quarter) for metre in self.known]
        )

    frame_shape = (len(COLUMNS),)

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
        """How many values each column may take, 0 included."""
        time = len(self.metres), self.most_bars + 1, int(self._lengths.max())
        return tuple(
            1 + n for n in (*time, DRUMS + 1, PITCHES, self.longest, self.velocity_bins)
        )

    @property
    def vocab(self) -> int:
        return max(self.sizes)

    def fit(self, sequence: NoteSequence) -> Fit:
        """The rows int32 [t, 7], and what was done.

        Raises `Refused`: `empty`, `malformed`, `long`, `off-grid`, `metre`.
        """
        notes, players, _, remarks = read_players(sequence, self.steps_per_quarter)
        remarks += losses(
            sequence, notes._replace(velocity=np.zeros(1))
        )  # velocities are kept
        programs = np.array([player.program for player in players])
        if len(players) > len(set(programs.tolist())):
            remarks.append(
                f"tracks: {len(players)} joined by program into {len({*programs})}"
            )
        notes = notes._replace(track=programs[notes.track])
        notes, bent = together(notes, self.off_grid, self.steps_per_quarter)
        notes = notes.take(np.lexsort((notes.pitch, notes.track, notes.onset)))
        bars, filled = self._bars(sequence, int(notes.onset[-1]))
        starts, metre, lead = np.array(bars).T
        bar = np.searchsorted(starts, notes.onset, side="right") - 1
        waits = np.diff(bar, prepend=0)
        shown = np.minimum(waits, self.most_bars)
        # a bar without notes may come back in another metre, and then what follows moves
        _, _, begins = self._layout(metre[bar], np.cumsum(shown))
        onset = begins + notes.onset - starts[bar] + lead[bar]
        lane = notes.track * PITCHES + notes.pitch
        held, cut_short = _until_struck(lane, onset, notes.offset - notes.onset)
        columns = (
            metre[bar],
            shown,
            notes.onset - starts[bar] + lead[bar],
            notes.track,
            notes.pitch,
            np.minimum(held, self.longest) - 1,
            (np.clip(notes.velocity, 1, LOUDEST) - 1) * self.velocity_bins // LOUDEST,
        )
        if late := np.sum(waits > self.most_bars):
            filled.append(f"rests: {late} of more than {self.most_bars} bars shortened")
        if cut_short:
            filled.append(f"trimmed: {cut_short} notes cut short where the next begins")
        if cut := np.sum(held > self.longest):
            filled.append(f"cut: {cut} notes longer than {self.longest} steps")
        rows = np.pad(
            1 + np.stack(columns, axis=1), ((0, 1), (0, 0)), constant_values=BOUNDARY
        )
        return Fit(rows.astype(np.int32), (*remarks, *bent, *filled))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """int32 [t, 7]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(self, array: np.ndarray, qpm: float = QPM) -> NoteSequence:
        """The music up to the first row that has a BOUNDARY, whatever the values.

        A bar is in the metre of its first note; one without notes in that of the bars around it,
        and of two in that of the shorter bar, for a short bar by itself might be one cut short. A
        value too large for its column is its largest, a position past its bar the bar's last. Each
        program is an instrument. A note that is struck anew ends there.
        """
        rows = self._rows(array)
        sequence, step = blank(qpm), 60 / qpm / self.steps_per_quarter
        if not len(rows):
            return sequence
        metre, waits, position, program, pitch, held, bins = (rows - 1).T
        bar = np.cumsum(waits)
        metre, starts, begins = self._layout(metre, bar)
        for at in np.flatnonzero(np.diff(metre, prepend=-1)).tolist():
            numerator, denominator = self.known[metre[at]]
            sequence.time_signatures.add(
                time=float(starts[at] * step),
                numerator=numerator,
                denominator=denominator,
            )
        onset = begins + np.minimum(position, self._lengths[metre[bar]] - 1)
        notes = Notes(onset, onset + 1 + held, pitch, self._velocities()[bins], program)
        notes, _ = together(notes, 1.0, self.steps_per_quarter)
        for i, number in enumerate(np.unique(program).tolist()):
            sequence.instrument_infos.add(instrument=i, name=instruments()[number])
            mine = notes.take(notes.track == number)
            columns = mine.onset * step, mine.offset * step, mine.pitch, mine.velocity
            part = zip(*(column.tolist() for column in columns), strict=True)
            write_notes(sequence, part, instrument=i, program=number % DRUMS)
            for note in sequence.notes[-len(mine.onset) :]:
                note.is_drum = number == DRUMS
        sequence.total_time = max(sequence.total_time, float(starts[-1] * step))
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch of no drum within 0 to 127."""
        pitch = self._rows(array)[self._pitched(array), PITCH] - 1
        return (
            range(-int(pitch.min()), PITCHES - int(pitch.max()))
            if pitch.size
            else range(1)
        )

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music, `semitones` higher but for drums.

        Raises `Refused` (`range`) out of `reach`.
        """
        moved, at = np.array(array, np.int32), self._pitched(array)
        pitch = self._rows(array)[at, PITCH] + semitones
        if semitones and not pitch.size:
            raise Refused(
                "range", "It has no pitched notes to be moved; transpose it by 0."
            )
        if pitch.size:
            outside(pitch - 1, 0, PITCHES - 1)
        moved[at, PITCH] = pitch
        return moved

    def grammar(self) -> None:
        """None: every array of rows is music, but for silence."""

    def value(self, column: str, name: str | int) -> int:
        """The value of `column` that `name` stands for, whatever its case.

        Names are those that `words` has, and numbers: of barlines, of steps from the barline,
        General MIDI programs 0..127, MIDI pitches, steps of a note, MIDI velocities.

        Raises `UsageError` for any other, naming the nearest.
        """
        words = self.words(_one_of(column, COLUMNS, "column"))
        known = {word.lower(): 1 + i for i, word in enumerate(words)}
        least = int(column == "duration")
        numbers = {str(least + i): 1 + i for i in range(len(words))}
        if column == "velocity":
            bins = np.arange(LOUDEST) * self.velocity_bins // LOUDEST
            numbers = {str(1 + i): 1 + k for i, k in enumerate(bins.tolist())}
        known |= numbers if column != "metre" else {}
        return known[_one_of(str(name).strip().lower(), known, column)]

    def words(self, column: str) -> list[str]:
        """The names of the values of a column, from 1 on."""
        size = self.sizes[COLUMNS.index(column)] - 1
        match column:
            case "metre":
                return list(self.metres)
            case "instrument":
                return list(instruments())
            case "pitch":
                return [f"{NAMES[i % 12]}{i // 12 - 1}" for i in range(size)]
            case "duration":
                return [f"length {1 + i}" for i in range(size)]
            case "velocity":
                return [f"velocity {loud}" for loud in self._velocities()]
        return [f"{'bar +' if column == 'bar' else 'step '}{i}" for i in range(size)]

    def describe(self, token: int) -> str:
        """`boundary`, or what the value says in each column that has it."""
        return self.describe_row(np.full(len(COLUMNS), token))

    def describe_row(self, row: np.ndarray) -> str:
        """`boundary`, or a note such as `3/4, bar +1, step 0, Flute, C4, length 4, velocity 72`."""
        if (np.asarray(row) == BOUNDARY).any():
            return "boundary"
        words = zip(map(self.words, COLUMNS), np.asarray(row).tolist(), strict=True)
        return ", ".join(
            names[value - 1] for names, value in words if value <= len(names)
        )

    def _layout(
        self, metre: np.ndarray, bar: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the metre of each bar, the start of each and of the end, and of each note's.

        Args:
          metre: the metre of each note, counted from 0.
          bar: the bar of each note, in ascending order.
        """
        noted, first = np.unique(bar, return_index=True)
        after = np.searchsorted(noted, np.arange(noted[-1] + 1))
        before = np.maximum(after - (noted[after] > np.arange(len(after))), 0)
        before, after = metre[first][before], metre[first][after]
        shorter = self._lengths[before] <= self._lengths[after]
        metres = np.where(shorter, before, after)
        starts = np.cumsum(np.append(0, self._lengths[metres]))
        return metres, starts, starts[bar]

    def _velocities(self) -> np.ndarray:
        """The middle of each bin."""
        middle = (2 * np.arange(self.velocity_bins) + 1) * LOUDEST
        return 1 + middle // (2 * self.velocity_bins)

    def _rows(self, array: np.ndarray) -> np.ndarray:
        """The rows [n, 7] before the first that has a BOUNDARY, of legal values."""
        rows = np.asarray(array).reshape(-1, len(COLUMNS)).astype(np.int64)
        ended = np.append((rows <= BOUNDARY).any(axis=1), True)
        return np.minimum(rows[: np.argmax(ended)], np.array(self.sizes) - 1)

    def _pitched(self, array: np.ndarray) -> np.ndarray:
        """Which rows are of notes that may be transposed, by number."""
        return np.flatnonzero(self._rows(array)[:, INSTRUMENT] <= DRUMS)

    def _bars(
        self, sequence: NoteSequence, last: int
    ) -> tuple[list[tuple[int, int, int]], list[str]]:
        """Of each bar up to step `last`: its start, its metre by place, the rests before it."""
        rate, bars, remarks, short = self.steps_per_quarter, [], [], 0
        stated = metres(sequence)
        # a pickup is known by the metre after it, even where no note is
        second = min(stated[:2][-1].start * rate, float(grid.LONGEST))
        end = 1 + max(last, int(np.floor(second + 0.5)))
        found = spans(stated, end, self.known, rate)
        for span, stop in zip(found, [*(x.start for x in found[1:]), end], strict=True):
            own, length = self.known.index(span.metre), bar_steps(span.metre, rate)
            bars += [(start, own, 0) for start in range(span.start, stop, length)]
            rest = (stop - span.start) % length
            if stop == end or not rest:
                continue
            name = plain_name(rest, rate)
            if len(bars) == 1:
                bars[0] = bars[0][0], own, length - rest
                remarks.append("pickup: rests fill the first bar")
            elif name in self.known:
                bars[-1] = bars[-1][0], self.known.index(name), 0
            else:
                short += 1
        return bars, remarks + (
            [f"filled: {short} short bars filled with rests"] if short else []
        )


def _until_struck(
    lane: np.ndarray, onset: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, int]:
    """Returns durations that end where the lane's next note begins, and how many were cut."""
    order = np.lexsort((onset, lane))
    same = np.diff(lane[order]) == 0
    free = np.where(same, np.diff(onset[order]), held[order][:-1])
    until = held.copy()
    until[order[:-1]] = np.minimum(held[order[:-1]], free)
    return until, int(np.sum(until < held))


@functools.cache
def instruments() -> tuple[str, ...]:
    """The names of the programs 0..127 of General MIDI, and of drums."""
    from pretty_midi.constants import INSTRUMENT_MAP  # type: ignore[import-untyped]

    return (*INSTRUMENT_MAP, "Drums")


def _one_of(name: str, names: Collection[str], what: str) -> str:
    if name in names:
        return name
    every = list(names)
    close = [word for word in every if name in word] or difflib.get_close_matches(
        name, every, 1
    )
    listed = every if len(every) < 20 else [*every[:3], "..", *every[-3:]]
    hint = f"there are {', '.join(listed)}"
    if close and name.strip("0123456789-"):  # no number is like another
        hint = f"did you mean {' or '.join(map(repr, close[:3]))}?"
    raise UsageError(f"there is no {what} called {name!r}; {hint}")
