"""The vocabulary that Melody and Chorale share: the events of one step of the grid."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from zoo.data.bars import SIGNATURE
from zoo.data.codecs.base import (
    BOUNDARY,
    VELOCITY,
    BaseCodec,
    Notes,
    require_in_range,
    require_pitch_range,
    write_notes,
)
from zoo.data.codecs.metre import Fraction, Span, bar_steps
from zoo.data.codecs.names import pitch_name
from zoo.data.proto import QPM, NoteSequence
from zoo.errors import UsageError
from zoo.ranges import Pitch, Share, StepsPerQuarter, checked

METRES = (
    *("2/4", "3/4", "4/4", "5/4", "6/4", "7/4"),
    *("2/2", "3/2", "4/2", "6/2", "3/1", "4/1"),
    *("3/8", "4/8", "5/8", "6/8", "7/8", "9/8", "12/8"),
)
HOLD, REST, METRE = 1, 2, 3  # METRE is the token of the first metre


@dataclass(frozen=True)
@checked
class Steps(BaseCodec):
    """Vocabulary and bars of lines on a grid.

    Tokens: 0 BOUNDARY, 1 HOLD, 2 REST, one for each metre, then one note onset for each
    pitch low..high. A metre token takes no time and begins a count of bars. Every other
    token lasts one step: HOLD continues the note before it, REST is a silent step.

    Attributes:
      low: lowest MIDI pitch. By default the range is the five octaves C2 to C7.
      high: highest MIDI pitch.
      steps_per_quarter: steps in a quarter note.
      metres: metres that can be encoded.
      off_grid: maximum share of notes that quantisation may move far or drop.
      chords: maximum share of notes of a line that may be dropped or cut as chords; 1
        reduces any music to its skyline.

    Raises:
      UsageError: an invalid range of pitches, number of steps, or metre.
    """

    low: Pitch = 36
    high: Pitch = 96
    steps_per_quarter: StepsPerQuarter = 4
    _: KW_ONLY
    metres: tuple[str, ...] = METRES
    off_grid: Share = 0.25
    chords: Share = 0.1

    def __post_init__(self):
        require_pitch_range(self.low, self.high)
        # with other numbers, a cut bar may be of a length that has no signature
        if self.steps_per_quarter not in (2, 4, 8, 16):
            raise UsageError(
                f"steps_per_quarter is {self.steps_per_quarter}: choose 2, 4, 8 or 16."
            )
        if not self.metres or not all(map(SIGNATURE.fullmatch, self.metres)):
            raise UsageError(
                f"metres are {self.metres}: choose metres such as '3/4' or '6/8'."
            )
        for numerator, denominator in self.fractions:
            if 4 * self.steps_per_quarter * numerator % denominator:
                raise UsageError(
                    f"{self.steps_per_quarter} steps per quarter do not divide a bar "
                    f"of {numerator}/{denominator}: choose more steps, or leave that "
                    "metre out."
                )

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def lenient(self) -> Any:
        return dataclasses.replace(self, chords=1.0)

    @property
    def dimensions(self) -> Mapping[str, Any]:
        return {"vocab": self.vocab, "bar_lengths": self.bar_lengths()}

    @property
    def vocab(self) -> int:
        return self._onset + self.high - self.low + 1

    @functools.cached_property
    def fractions(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        pairs = (metre.split("/") for metre in self.metres)
        return tuple(
            (int(numerator), int(denominator)) for numerator, denominator in pairs
        )

    def describe(self, token: int) -> str:
        """Returns `boundary`, `hold`, `rest`, a metre as `3/4`, or a pitch as `C4`."""
        token = int(token)
        if token < METRE:
            return ("boundary", "hold", "rest")[token]
        if token < self._onset:
            return self.metres[token - METRE]
        return pitch_name(token - self._offset)

    def bar_lengths(self) -> tuple[int, ...]:
        """Returns the steps in a bar of each metre token; 0 for other tokens."""
        bars = (bar_steps(metre, self.steps_per_quarter) for metre in self.fractions)
        return (0,) * METRE + tuple(bars) + (0,) * (self.vocab - self._onset)

    def reach(self, array: np.ndarray) -> range:
        """Returns the transpositions that keep all pitches within low..high."""
        onsets = array[array >= self._onset]
        if not onsets.size:
            return range(1)
        return range(self._onset - int(onsets.min()), self.vocab - int(onsets.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Transposes a stream.

        Raises:
          Refused: `range`: `semitones` is not in `reach(array)`.
        """
        is_onset = array >= self._onset
        if semitones not in self.reach(array):
            pitches = array[is_onset] - self._offset
            require_in_range(pitches + semitones, self.low, self.high)
        return np.where(is_onset, array + semitones, array).astype(np.int32)

    def excerpts(
        self, array: np.ndarray, bars: int, stride: int = 1
    ) -> list[np.ndarray]:
        """Returns all windows of `bars` consecutive full bars that are not silent.

        After a bar that is not full, where a strain of a tune begins, the count of bars
        begins again. A note that sounds where a window begins is struck there.

        Args:
          array: the stream [t] or [t, k] of a piece.
          bars: number of bars in a window.
          stride: number of bars from the start of a window to that of the next.
        """
        timed, spans = self._parse(array.reshape(len(array), -1)[:, 0])
        events = array[timed]
        starts, tokens = self._metre_tokens(spans)
        position = np.arange(len(events)).reshape(-1, *[1] * (events.ndim - 1))
        source = np.maximum.accumulate(np.where(events != HOLD, position, 0), axis=0)
        struck = np.take_along_axis(events, source, axis=0)
        full = self._full_bars(spans, len(timed))
        streams, first = [], 0
        for i in range(len(full) - bars + 1):
            if i and full[i - 1][1] != full[i][0]:
                first = i
            window = full[i : i + bars]
            start, stop = window[0][0], window[-1][1]
            consecutive = stop - start == sum(b - a for a, b in window)
            if (i - first) % stride or not consecutive:
                continue
            steps = np.concatenate(
                [struck[start : start + 1], events[start + 1 : stop]]
            )
            if not (steps >= self._onset).any():
                continue
            inner = (starts > start) & (starts < stop)
            steps = np.insert(
                steps,
                starts[inner] - start,
                _rows(tokens[inner], events.shape[1:]),
                axis=0,
            )
            metre = tokens[np.searchsorted(starts, start, side="right") - 1]
            ends = _rows(np.array([metre, BOUNDARY]), events.shape[1:])
            streams.append(np.concatenate([ends[:1], steps, ends[1:]]).astype(np.int32))
        return streams

    @property
    def _onset(self) -> int:
        """The token of an onset of the pitch `low`."""
        return METRE + len(self.metres)

    @property
    def _offset(self) -> int:
        """The token of an onset minus its MIDI pitch."""
        return self._onset - self.low

    def _structural(self, tokens: np.ndarray) -> np.ndarray:
        """Returns True for tokens that take no time: metres and BOUNDARY."""
        return (tokens == BOUNDARY) | ((tokens >= METRE) & (tokens < self._onset))

    def _events(self, notes: Notes, length: int) -> np.ndarray:
        """Returns the tokens [length] of one line of quantised notes."""
        require_in_range(notes.pitch, self.low, self.high)
        onset, offset = notes.onset, notes.offset
        sounding = np.zeros(length + 1, np.int32)
        sounding[onset] += 1
        np.subtract.at(sounding, offset, 1)
        events = np.where(np.cumsum(sounding[:-1]) > 0, HOLD, REST).astype(np.int32)
        events[onset] = notes.pitch + self._offset
        return events

    def _metre_tokens(self, spans: list[Span]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the step at which each metre token stands, and the tokens."""
        tokens = [METRE + self.fractions.index(span.metre) for span in spans]
        return np.array([span.start for span in spans]), np.array(tokens, np.int32)

    def _parse(self, lead: np.ndarray) -> tuple[np.ndarray, list[Span]]:
        """Returns the indices of the tokens [t] that last a step, and the metres.

        Tokens after the first BOUNDARY are ignored.
        """
        lead = before_boundary(lead)
        is_metre = (lead >= METRE) & (lead < self._onset)
        steps = np.cumsum(~is_metre)
        length = int(steps[-1]) if len(steps) else 0
        default = (4, 4) if (4, 4) in self.fractions else self.fractions[0]
        metres = {0: default}
        tokens = lead[is_metre].tolist()
        for start, token in zip(steps[is_metre].tolist(), tokens, strict=True):
            metres[start] = self.fractions[token - METRE]
        spans = [Span(*item) for item in metres.items() if item[0] < max(length, 1)]
        return np.flatnonzero(~is_metre), spans

    def _full_bars(self, spans: list[Span], length: int) -> list[tuple[int, int]]:
        """Returns the first step of each full bar, and the step after its last."""
        stops = [span.start for span in spans[1:]] + [length]
        bars = []
        for span, stop in zip(spans, stops, strict=True):
            bar = bar_steps(span.metre, self.steps_per_quarter)
            bars += [(x, x + bar) for x in range(span.start, stop - bar + 1, bar)]
        return bars

    def _write(
        self,
        sequence: NoteSequence,
        events: np.ndarray,
        instrument: int = 0,
        program: int = 0,
    ) -> None:
        """Adds the notes of one line [t]; tokens but onsets and HOLD are rests."""
        step = 60 / (sequence.tempos[0].qpm or QPM) / self.steps_per_quarter
        change = np.append(np.flatnonzero(events != HOLD), len(events))
        token = events[change[:-1]]
        struck = token >= self._onset
        onset, offset = change[:-1][struck] * step, change[1:][struck] * step
        pitch = token[struck] - self._offset
        columns = zip(onset.tolist(), offset.tolist(), pitch.tolist(), strict=True)
        notes = ((*note, VELOCITY) for note in columns)
        write_notes(sequence, notes, instrument, program)


def parse_metres(
    metres: tuple[str, ...], steps_per_quarter: int
) -> tuple[Fraction, ...]:
    """Returns metres as (numerator, denominator).

    Raises:
      UsageError: an invalid metre or number of steps.
    """
    return Steps(metres=metres, steps_per_quarter=steps_per_quarter).fractions


def before_boundary(array: np.ndarray) -> np.ndarray:
    """Returns the tokens [t] before the first BOUNDARY."""
    array = np.asarray(array).reshape(-1)
    return array[: np.argmax(array == BOUNDARY)] if (array == BOUNDARY).any() else array


def _rows(tokens: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns tokens [n] repeated over the columns of each row, [n, *shape]."""
    columns = tokens.reshape(-1, *[1] * len(shape))
    return np.broadcast_to(columns, (len(tokens), *shape))
