"""Drum parts on a grid of 16ths: the drums, out of nine, that are struck on each step.

The nine drums are those of Gillick et al. 2019 (arXiv:1905.06118). A token for each of
the 512 sets of drums that are struck at once is due to Roberts et al. 2018
(arXiv:1803.05428).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import (
    BOUNDARY,
    VELOCITY,
    BaseCodec,
    Fit,
    Notes,
    discard_remarks,
    write_notes,
)
from zoo.data.codecs.grammar import Grammar, explore
from zoo.data.codecs.metre import (
    Fraction,
    Span,
    bar_steps,
    barred_sequence,
    filled_length,
    fixed_metres,
    metre_spans,
    require_one_length,
)
from zoo.data.codecs.phrase_cropping import CroppedPhrases, whole_piece_codec
from zoo.data.codecs.steps import before_boundary, parse_metres
from zoo.data.proto import QPM, Metre, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.ranges import Bars, Share, StepsPerQuarter, checked

# The General MIDI pitches, 27 to 87, that are read as each drum; the first is written.
# The pads of the kit that Gillick et al. recorded (22, 26, and 58, the rim of a tom)
# are assigned as in their paper, all others to the drum that sounds most similar.
KIT = {
    "kick": (36, 35),
    # with claps, sticks, blocks and clicks
    "snare": (38, 37, 40, 39, *range(27, 35), 75, 76, 77, 85),
    # with shakers and other short sounds
    "closed hat": (42, 22, 44, 54, 69, 70, 71, 73, 80, 82, 83),
    "open hat": (46, 26, 72, 74, 81),
    "low tom": (43, 58, 41, 64, 86, 87),
    # with bongos, congas, timbales and cuicas, by pitch
    "mid tom": (47, 45, 61, 63, 66, 79),
    "high tom": (50, 48, 60, 62, 65, 78),
    "crash": (49, 52, 55, 57, 84),
    "ride": (51, 53, 59, 56, 67, 68),  # with bells
}
NONE = -1
DRUM = np.full(128, NONE)  # the drum that each pitch is read as
for _drum, _pitches in enumerate(KIT.values()):
    DRUM[list(_pitches)] = _drum
PITCH = [pitches[0] for pitches in KIT.values()]  # the pitch of each drum

SILENT = 1  # the token of a step without hits
STRUCK = SILENT + 1  # the first token of a step with hits
BAR = SILENT + (1 << len(KIT))  # begins a count of bars; in whole parts only


@dataclass(frozen=True, kw_only=True)
@checked
class DrumPart(BaseCodec):
    """The drums of a piece as int32 [t], one token for each 16th.

    Tokens: 0 BOUNDARY, which ends the part, 1 + the sum of 2**i over the struck drums i
    of `KIT`, 513 BAR. BAR takes no time and begins a count of bars: it is the first
    token, and follows a pickup or a bar cut short. All bars are decoded in the first
    metre: if it is 4/4, two bars of 2/4 are one of its bars. Hits are moved to the
    nearest step. If at least half of the last bar is there, it is filled with rests, as
    in windows of the Groove MIDI Dataset.

    Kept: struck drums, rhythm in 16ths, bars. Not kept: tempo, velocity, duration,
    timing within a step, a second hit of a drum on a step, pitched notes.

    Attributes:
      metres: metres of the pieces.
      steps_per_quarter: steps in a quarter note.
      off_grid: maximum share of hits that are further than `grid.ON_GRID` from their
        step; of hits at random times it is a half.

    Raises:
      UsageError: bars of a metre do not make up bars of the first; or an invalid metre
        or number of steps.
    """

    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    steps_per_quarter: StepsPerQuarter = 4
    off_grid: Share = 0.5

    def __post_init__(self):
        require_one_length(self.metres, self.fractions, self.steps_per_quarter)

    @functools.cached_property
    def fractions(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        return parse_metres(self.metres, self.steps_per_quarter)

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def bar(self) -> int:
        """Number of steps in a bar."""
        return bar_steps(self.fractions[0], self.steps_per_quarter)

    @property
    def vocab(self) -> int:
        return BAR + 1

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a part as int32 [t], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long`, `off-grid` or `metre`.
        """
        return fit_aligned(self._fit, sequence)

    def _fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a part whose hits are on the grid."""
        hits, end, remarks = self._hits(sequence)
        step, grid_remarks = self._snap(hits)
        end = max(end, int(step.max()) + 1)
        starts = self._bar_counts(sequence, end)
        end, bar_remarks = filled_length(starts[-1], end, self.bar)
        bits = np.zeros(end, np.int32)
        np.bitwise_or.at(bits, step, (1 << hits.pitch).astype(np.int32))
        stream = np.append(np.insert(bits + SILENT, starts, BAR), BOUNDARY)
        return Fit(stream.astype(np.int32), (*remarks, *grid_remarks, *bar_remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a part as int32 [t]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """Decodes any tokens, up to the first BOUNDARY; each hit lasts a step.

        Args:
          array: the tokens [t].
          qpm: tempo in quarters per minute.
          program: the program of the drum kit.
        """
        array = before_boundary(array)
        is_bar = array == BAR
        steps = array[~is_bar] - SILENT
        starts = np.unique(np.append(0, np.cumsum(~is_bar)[is_bar])).tolist()
        spans = [Span(x, self.fractions[0]) for x in starts if x < max(len(steps), 1)]
        sequence = barred_sequence(spans, len(steps), self.steps_per_quarter, qpm)
        step = 60 / qpm / self.steps_per_quarter
        hits = np.argwhere(steps[:, None] >> np.arange(len(KIT)) & 1).tolist()
        columns = (
            (t * step, (t + 1) * step, PITCH[drum], VELOCITY) for t, drum in hits
        )
        write_notes(sequence, columns, program=program)
        for note in sequence.notes:
            note.is_drum = True
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """Returns 0 as the only transposition of drums."""
        return range(1)

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """Returns the same tokens.

        Raises:
          Refused: `range`: `semitones` is not 0.
        """
        if semitones:
            raise Refused("range", "Drums have no range; transpose them by 0.")
        return np.asarray(array, np.int32)

    def describe(self, token: int) -> str:
        """Returns `boundary`, `rest`, `bar`, or drums such as `kick+closed hat`."""
        token = int(token)
        if token in (BOUNDARY, SILENT, BAR):
            return {BOUNDARY: "boundary", SILENT: "rest", BAR: "bar"}[token]
        return "+".join(name for i, name in enumerate(KIT) if token - SILENT >> i & 1)

    def grammar(self) -> Grammar | None:
        """Returns None: whole parts are cropped to phrases, and are not sampled."""
        return None

    def _hits(self, sequence: NoteSequence) -> tuple[Notes, int, list[str]]:
        """Returns hits, onsets in steps and drums as pitches; length; and remarks."""
        part = NoteSequence()
        part.CopyFrom(sequence)
        del part.notes[:]
        part.notes.extend(note for note in sequence.notes if note.is_drum)
        if not part.notes:
            raise Refused(
                "empty", "It has no drums; the other codecs read pitched notes."
            )
        for note in part.notes:
            note.is_drum = False  # `read_steps` drops drums
        notes, end, remarks = grid.read_steps(part, self.steps_per_quarter)
        hits = notes._replace(pitch=DRUM[notes.pitch])
        hits = hits.take(hits.pitch != NONE)
        unknown = len(notes.onset) - len(hits.onset)
        pitched = len(sequence.notes) - len(part.notes)
        if not len(hits.onset):
            raise Refused("empty", f"None of its {unknown} hits is of a known drum.")
        if unknown:
            remarks.append(f"unknown: {unknown} hits of unknown drums left out")
        if pitched:
            remarks.append(f"pitched: {pitched} notes left out")
        return hits, end, remarks + discard_remarks(sequence, hits)

    def _snap(self, hits: Notes) -> tuple[np.ndarray, list[str]]:
        """Returns the step of each hit, [n], and remarks.

        Raises:
          Refused: `off-grid`.
        """
        step, total = np.floor(hits.onset + 0.5).astype(np.int64), len(hits.onset)
        distance = np.abs(hits.onset - step)
        strays = int(np.sum(distance > grid.ON_GRID))
        if strays > self.off_grid * total:
            raise Refused(
                "off-grid",
                f"{strays} of {total} hits lie off the grid of "
                f"{self.steps_per_quarter} steps per quarter; off_grid=1 moves all "
                "hits to it.",
            )
        remarks = []
        if distance.max() > grid.MIN_REPORTED_SHIFT:
            shift = distance.max() / self.steps_per_quarter
            remarks.append(f"quantised: hits moved by up to {shift:.2f} quarters")
        distinct = set(zip(step.tolist(), hits.pitch.tolist(), strict=True))
        if merged := total - len(distinct):
            remarks.append(
                f"merged: {merged} of {total} hits dropped for another of their drum "
                "on their step"
            )
        return step, remarks

    def _bar_counts(self, sequence: NoteSequence, end: int) -> list[int]:
        """Returns the steps at which counts of bars begin.

        Raises:
          Refused: `metre`.
        """
        rate, first = self.steps_per_quarter, self.fractions[0]
        lengths = {bar_steps(metre, rate) for metre in self.fractions}
        stated = [
            Metre(m.start, *first) if m.bar * rate in lengths else m
            for m in metres(sequence)
        ]
        with fixed_metres(self.metres):
            spans = metre_spans(stated, end, [first], rate)
        return [span.start for span in spans]


@dataclass(frozen=True)
@checked
class Drums(CroppedPhrases, DrumPart):
    """`bars` full bars of a drum part as int32 [length], one token for each step.

    Tokens: 0 BOUNDARY, which no phrase contains, then 1 + the sum of 2**i over the
    struck drums i of `KIT`: 1 is a rest.

    Attributes:
      bars: number of bars in a phrase.

    Raises:
      UsageError: `bars` is less than 1; or as `DrumPart`.
    """

    voices: ClassVar[int] = 1
    event: ClassVar[str] = "hit"

    bars: Bars = 2

    @functools.cached_property
    def source(self) -> DrumPart:  # type: ignore[override]
        """The codec of the pieces that phrases are cropped from."""
        return whole_piece_codec(DrumPart, self)

    @property
    def bar(self) -> int:
        """Number of steps in a bar."""
        return self.source.bar

    @property
    def vocab(self) -> int:
        return BAR

    @property
    def dimensions(self) -> Mapping[str, Any]:
        sizes = {"bars": self.bars, "steps": self.bar, "voices": self.voices}
        return {"vocab": self.vocab, "length": self.length, **sizes}

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns every `stride`-th of the phrases of a part that are not silent."""
        stream = before_boundary(stream).astype(np.int32)
        phrases = []
        for run in np.split(stream, np.flatnonzero(stream == BAR)):
            steps = run[run != BAR]
            last = len(steps) - self.length
            starts = range(0, last + 1, self.bar)
            phrases += [steps[start : start + self.length] for start in starts]
        sounding = [phrase for phrase in phrases if (phrase != SILENT).any()]
        return sounding[::stride]

    def grammar(self) -> Grammar:
        """Returns the grammar of phrases that have a hit."""

        def transitions(state: tuple[int, bool]) -> dict[int, tuple[int, bool]]:
            step, struck = state[0] + 1, state[1]
            if step > self.length + 1:
                return {}
            if step == self.length + 1:
                return {BOUNDARY: (step, struck)}
            after = {STRUCK: (step, True)}
            if struck or step < self.length:
                after[SILENT] = step, struck
            return after

        def stops(state: tuple[int, bool]) -> bool:
            return state[0] >= self.length

        kinds = np.minimum(np.arange(self.vocab), STRUCK)
        return explore((0, False), transitions, stops, kinds)
