"""The alphabet that Melody and Chorale share: what may happen on one step of the grid."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.codecs.base import (
    BOUNDARY,
    VELOCITY,
    BaseCodec,
    Notes,
    blank,
    outside,
    write_notes,
)
from zoo.data.codecs.metre import Fraction, Span, bar_steps, signatures
from zoo.data.proto import QPM, NoteSequence
from zoo.errors import UsageError

METRES = (
    *(
        "2/4",
        "3/4",
        "4/4",
        "5/4",
        "6/4",
        "7/4",
        "2/2",
        "3/2",
        "4/2",
        "6/2",
        "3/1",
        "4/1",
    ),
    *("3/8", "4/8", "5/8", "6/8", "7/8", "9/8", "12/8"),
)
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
HOLD, REST, METRE = 1, 2, 3  # METRE is the first of them
_METRE = re.compile(r"[1-9]\d?/(1|2|4|8|16|32)")


@dataclass(frozen=True)
class Steps(BaseCodec):
    """Tokens: 0 BOUNDARY, 1 HOLD, 2 REST, one per metre, then one to strike each pitch low..high.

    A metre token takes no time: it says which bars are counted from there on. Every other token
    lasts one step; HOLD prolongs the note before it, REST is said on every silent step.
    """

    low: int = 36  # MIDI numbers: five octaves, a small keyboard
    high: int = 96
    steps_per_quarter: int = 4
    metres: tuple[str, ...] = METRES
    off_grid: float = 0.25  # share of notes that may be bent to the grid or lost to it
    chords: float = (
        0.1  # share of notes of a line that may be dropped or cut as chords; 1: skyline
    )

    def __post_init__(self):
        if not 0 <= self.low <= self.high <= 127:
            raise UsageError(
                f"pitches {self.low} to {self.high} are no range within 0 to 127"
            )
        if self.steps_per_quarter not in (
            2,
            4,
            8,
            16,
        ):  # so that a cut bar has a signature
            raise UsageError(
                f"steps_per_quarter is 2, 4, 8 or 16, not {self.steps_per_quarter}"
            )
        if not self.metres or not all(_METRE.fullmatch(metre) for metre in self.metres):
            raise UsageError(f"metres are such as '3/4' or '6/8', not {self.metres}")
        for metre in self.known:
            if 4 * self.steps_per_quarter * metre[0] % metre[1]:
                raise UsageError(
                    f"{self.steps_per_quarter} steps per quarter do not divide a bar of "
                    f"{metre[0]}/{metre[1]}; take more steps or leave that metre out"
                )

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def dimensions(self) -> Mapping[str, Any]:
        return {"vocab": self.vocab, "bar_lengths": self.bar_lengths()}

    @property
    def vocab(self) -> int:
        return self._struck + self.high - self.low + 1

    @functools.cached_property
    def known(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        pairs = (metre.split("/") for metre in self.metres)
        return tuple(
            (int(numerator), int(denominator)) for numerator, denominator in pairs
        )

    def describe(self, token: int) -> str:
        """`boundary`, `hold`, `rest`, a metre such as `3/4`, or a pitch such as `C4`."""
        token = int(token)
        if token < METRE:
            return ("boundary", "hold", "rest")[token]
        if token < self._struck:
            return self.metres[token - METRE]
        octave, name = divmod(token - self._struck + self.low, 12)
        return f"{NAMES[name]}{octave - 1}"

    def bar_lengths(self) -> tuple[int, ...]:
        """How many steps make the bars that each token announces; 0 where it is no metre."""
        bars = (bar_steps(metre, self.steps_per_quarter) for metre in self.known)
        return (0,) * METRE + tuple(bars) + (0,) * (self.vocab - self._struck)

    def reach(self, array: np.ndarray) -> range:
        """The transpositions, in semitones, that keep every pitch within low..high."""
        struck = array[array >= self._struck]
        if not struck.size:
            return range(1)
        return range(self._struck - int(struck.min()), self.vocab - int(struck.max()))

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same music, `semitones` higher. Raises `Refused` (`range`) out of `reach`."""
        moved = np.where(array >= self._struck, array + semitones, array).astype(
            np.int32
        )
        if semitones not in self.reach(array):
            outside(
                array[array >= self._struck] - self._offset + semitones,
                self.low,
                self.high,
            )
        return moved

    @property
    def _struck(self) -> int:
        """The token that strikes the pitch `low`."""
        return METRE + len(self.metres)

    @property
    def _offset(self) -> int:
        """Token of a struck pitch less its MIDI number."""
        return self._struck - self.low

    def _structural(self, tokens: np.ndarray) -> np.ndarray:
        """Which tokens take no time: metres and BOUNDARY."""
        return (tokens == BOUNDARY) | ((tokens >= METRE) & (tokens < self._struck))

    def _events(self, notes: Notes, length: int) -> np.ndarray:
        """One line as a token per step, [length]."""
        outside(notes.pitch, self.low, self.high)
        onset, offset = notes.onset, notes.offset
        sounding = np.zeros(length + 1, np.int32)
        sounding[onset] += 1
        np.subtract.at(sounding, offset, 1)
        events = np.where(np.cumsum(sounding[:-1]) > 0, HOLD, REST).astype(np.int32)
        events[onset] = notes.pitch + self._offset
        return events

    def _metre_tokens(self, found: list[Span]) -> tuple[np.ndarray, np.ndarray]:
        """Where metre tokens stand, in steps, and what they are."""
        tokens = [METRE + self.known.index(span.metre) for span in found]
        return np.array([span.start for span in found]), np.array(tokens, np.int32)

    def _parse(self, lead: np.ndarray) -> tuple[np.ndarray, list[Span]]:
        """Which tokens [t] last a step, and the metres; what follows a BOUNDARY is not read."""
        lead = lead[: np.argmax(lead == BOUNDARY)] if (lead == BOUNDARY).any() else lead
        metre = (lead >= METRE) & (lead < self._struck)
        steps = np.cumsum(~metre)
        length = int(steps[-1]) if len(steps) else 0
        starts = {0: self.known[0] if (4, 4) not in self.known else (4, 4)}
        for start, token in zip(
            steps[metre].tolist(), lead[metre].tolist(), strict=True
        ):
            starts[start] = self.known[token - METRE]
        found = [Span(*item) for item in starts.items() if item[0] < max(length, 1)]
        return np.flatnonzero(~metre), found

    def excerpts(
        self, array: np.ndarray, bars: int, stride: int = 1
    ) -> list[np.ndarray]:
        """Every `bars` full bars in a row of a whole stream [t] or [t, k], streams of their own.

        One from every `stride`-th bar on; bars are counted anew after one that is not full, where
        a strain of a tune begins. Silent ones are left out. A note held from before is struck anew
        where the window begins.
        """
        timed, found = self._parse(array.reshape(len(array), -1)[:, 0])
        events = array[timed]
        marks, tokens = self._metre_tokens(found)
        at = np.arange(len(events)).reshape(-1, *[1] * (events.ndim - 1))
        source = np.maximum.accumulate(np.where(events != HOLD, at, 0), axis=0)
        struck = np.take_along_axis(events, source, axis=0)
        lead = lambda tokens: np.broadcast_to(
            tokens.reshape(-1, *[1] * (events.ndim - 1)),
            (len(tokens), *events.shape[1:]),
        )
        full = self._full_bars(found, len(timed))
        streams, first = [], 0
        for i in range(len(full) - bars + 1):
            if i and full[i - 1][1] != full[i][0]:
                first = i
            start, stop = full[i][0], full[i + bars - 1][1]
            if (i - first) % stride or stop - start != sum(
                b - a for a, b in full[i : i + bars]
            ):
                continue
            window = np.concatenate(
                [struck[start : start + 1], events[start + 1 : stop]]
            )
            if not (window >= self._struck).any():
                continue
            inner = (marks > start) & (marks < stop)
            window = np.insert(
                window, marks[inner] - start, lead(tokens[inner]), axis=0
            )
            opening = tokens[np.searchsorted(marks, start, side="right") - 1]
            ends = lead(np.array([opening, BOUNDARY]))
            streams.append(
                np.concatenate([ends[:1], window, ends[1:]]).astype(np.int32)
            )
        return streams

    def _full_bars(self, found: list[Span], length: int) -> list[tuple[int, int]]:
        """Where each full bar starts and stops."""
        stops = [span.start for span in found[1:]] + [length]
        bars = []
        for span, stop in zip(found, stops, strict=True):
            bar = bar_steps(span.metre, self.steps_per_quarter)
            bars += [(x, x + bar) for x in range(span.start, stop - bar + 1, bar)]
        return bars

    def _blank(self, found: list[Span], length: int, qpm: float) -> NoteSequence:
        """A sequence of `length` steps with the signatures of those metres, and no notes yet."""
        step = 60 / qpm / self.steps_per_quarter
        sequence = blank(qpm)
        for start, metre in signatures(found, length, self.steps_per_quarter):
            sequence.time_signatures.add(
                time=start * step, numerator=metre[0], denominator=metre[1]
            )
        sequence.total_time = length * step
        return sequence

    def _write(
        self,
        sequence: NoteSequence,
        events: np.ndarray,
        instrument: int = 0,
        program: int = 0,
    ) -> None:
        """Add one line, given as a token per step; whatever is no pitch and no HOLD is silence."""
        step = 60 / (sequence.tempos[0].qpm or QPM) / self.steps_per_quarter
        change = np.append(np.flatnonzero(events != HOLD), len(events))
        token = events[change[:-1]]
        struck = token >= self._struck
        onset, offset = change[:-1][struck] * step, change[1:][struck] * step
        pitch = token[struck] - self._offset
        columns = zip(onset.tolist(), offset.tolist(), pitch.tolist(), strict=True)
        write_notes(
            sequence, ((*note, VELOCITY) for note in columns), instrument, program
        )
