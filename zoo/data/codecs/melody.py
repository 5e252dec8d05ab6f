"""One line on a grid of 16ths, with its bars."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.alignment import fit_aligned
from zoo.data.codecs.base import BOUNDARY, Fit, Notes, discard_remarks
from zoo.data.codecs.grammar import Grammar, explore, intersection
from zoo.data.codecs.metre import (
    bar_steps,
    barred_sequence,
    metre_spans,
    plain_name,
)
from zoo.data.codecs.steps import HOLD, METRE, REST, Steps
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.ranges import Bars, Number, checked

# Phases of a metre; see `Melody.grammar`.
FIRST_BAR, REPEATED, CONFIRMED, RESTATED = range(4)


class BarState(NamedTuple):
    """The state of a stream with respect to bars.

    Attributes:
      metre: the token of the metre, BOUNDARY before the first.
      phase: FIRST_BAR, REPEATED, CONFIRMED or RESTATED.
      step: steps since the barline.
      bars: number of full bars, if they are counted.
      cut: number of steps after which this bar may not be cut.
      ended: whether the piece has ended.
    """

    metre: int = BOUNDARY
    phase: int = FIRST_BAR
    step: int = 0
    bars: int = 0
    cut: int = 0
    ended: bool = False


@dataclass(frozen=True, kw_only=True)
@checked
class Melody(Steps):
    """A monophonic piece as int32 [t], one token for each 16th.

    The stream begins with the token of its metre and ends with BOUNDARY. A metre token
    begins a count of bars: a piece with a pickup is [metre] pickup [metre] full bars,
    and a change of metre is the new token at its barline. Of several tracks, the melody
    is the highest one in mean pitch among those that are monophonic and have at least
    half as many notes as the busiest of these.

    Kept: pitch, rhythm in 16ths, metre, pickup, ties, length. Not kept: tempo,
    velocity, program.

    Attributes:
      min_notes: minimum number of notes of a piece.
      bars: if not None, streams are windows of this number of full bars: the first one
        in `encode`, all in `windows`.

    Raises:
      UsageError: `bars` is less than 1, or as `Steps`.
    """

    voices = 1
    sets_text = True

    min_notes: Number = 2
    bars: Bars | None = None

    def fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece as int32 [t], with remarks.

        Raises:
          Refused: `empty`, `malformed`, `long`, `short`, `polyphonic`, `off-grid`,
            `range` or `metre`.
        """
        return fit_aligned(self._fit, sequence)

    def _fit(self, sequence: NoteSequence) -> Fit:
        """Encodes a piece whose notes are on the grid."""
        notes, end, remarks = grid.read_steps(sequence, self.steps_per_quarter)
        remarks += discard_remarks(sequence, notes)
        notes, track_remarks = self._melody_track(notes)
        line, line_remarks = grid.upper_line(notes, self.chords)
        line, grid_remarks = grid.snap(line, self.off_grid, self.steps_per_quarter)
        if len(line.onset) < self.min_notes:
            raise Refused("short", f"It has fewer than {self.min_notes} notes.")
        end = max(end, int(line.offset[-1]))
        spans = metre_spans(
            metres(sequence), end, self.fractions, self.steps_per_quarter
        )
        stream = np.insert(self._events(line, end), *self._metre_tokens(spans))
        stream = np.append(stream, np.int32(BOUNDARY))
        remarks += track_remarks + line_remarks + grid_remarks
        if self.bars is not None:
            windows = self.crops(stream)
            if not windows:
                raise Refused(
                    "short", f"It has no {self.bars} full bars in a row with a note."
                )
            remarks.append(
                f"cropped: the first of {len(windows)} windows of {self.bars} bars"
            )
            stream = windows[0]
        return Fit(stream, tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """Encodes a piece as int32 [t]; raises Refused as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """Decodes any tokens, up to the first BOUNDARY.

        HOLD without a note before it is a rest. Bars before the first metre token are
        of 4/4.
        """
        array = np.asarray(array).reshape(-1)
        timed, spans = self._parse(array)
        sequence = barred_sequence(spans, len(timed), self.steps_per_quarter, qpm)
        self._write(sequence, array[timed], program=program)
        return sequence

    def windows(self, sequence: NoteSequence) -> list[np.ndarray]:
        """Returns all windows of `bars` consecutive full bars of a piece, as streams.

        Raises:
          Refused: as `fit`.
        """
        return self.crops(replace(self, bars=None).encode(sequence))

    def crops(self, array: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns the windows of an encoded piece, as `Steps.excerpts` does."""
        return self.excerpts(np.asarray(array).reshape(-1), self.bars or 1, stride)

    def grammar(self) -> Grammar:
        """Returns the grammar of all streams that `fit` writes.

        No legal stream decodes to a piece that `fit` refuses. A stream begins with a
        metre, and other metres may follow at barlines. Within a bar, a metre token cuts
        the bar short. In a score, such a bar has a signature of its own and is
        recognised by its neighbours. Therefore

        - a metre in its FIRST_BAR can be cut only by its own token, and is then
          REPEATED: a full bar must follow;
        - a metre that is CONFIRMED by a full bar can be cut by any metre token; if by
          its own, it is RESTATED;
        - two cut bars in a row cannot have one length if that is the length of one of
          `metres`.

        If `bars` is not None, there are as many bars, all full, with at least one note.
        """
        timed = (HOLD, REST, self._onset)

        def transitions(state: BarState) -> dict[int, BarState]:
            if state.ended:
                return {}
            after: dict[int, BarState] = {}
            begun, complete = state.metre != BOUNDARY, state.bars == self.bars
            if begun and not complete:
                after = dict.fromkeys(timed, self._next_step(state))
            may_end = begun and not self.bars
            may_end = may_end and (state.step > 0 or state.phase == CONFIRMED)
            if complete or may_end:
                after[BOUNDARY] = BarState(ended=True)
            return {**after, **self._metre_changes(state)}

        def stops(state: BarState) -> bool:
            return state.ended or state.bars == (self.bars or 0)

        bars = explore(BarState(), transitions, stops, self._kinds)
        return intersection(bars, self._line_grammar())

    def _line_grammar(self) -> Grammar:
        """Returns the grammar of lines with enough notes, and no HOLD after a rest."""
        min_notes = 1 if self.bars else max(self.min_notes, 1)

        def transitions(state: tuple[bool, int]) -> dict[int, tuple[bool, int]]:
            sounding, notes = state
            after = dict.fromkeys(range(METRE, self._onset), state)
            after[REST] = False, notes
            after[self._onset] = True, min(notes + 1, min_notes)
            if sounding:
                after[HOLD] = state
            if stops(state):
                after[BOUNDARY] = state
            return after

        def stops(state: tuple[bool, int]) -> bool:
            return state[1] == min_notes

        return explore((False, 0), transitions, stops, self._kinds)

    @property
    def _kinds(self) -> np.ndarray:
        """The kind of each token, [v]; all note onsets are of one kind."""
        return np.minimum(np.arange(self.vocab), self._onset)

    def _metre_changes(self, state: BarState) -> dict[int, BarState]:
        """Returns the metre tokens that may follow, and the state after each."""
        others = {
            token: BarState(token, bars=state.bars)
            for token in range(METRE, self._onset)
            if token != state.metre
        }
        barline = state.phase == CONFIRMED and not state.step
        if state.metre == BOUNDARY or barline:
            return others if state.bars != self.bars else {}
        if self.bars or state.phase == REPEATED or state.step in (0, state.cut):
            return {}
        if state.phase == FIRST_BAR:
            return {state.metre: BarState(state.metre, REPEATED)}
        is_metre = plain_name(state.step, self.steps_per_quarter) in self.fractions
        cut = state.step if is_metre else 0
        return {**others, state.metre: BarState(state.metre, RESTATED, cut=cut)}

    def _next_step(self, state: BarState) -> BarState:
        """Returns the state one step later."""
        step = state.step + 1
        metre = self.fractions[state.metre - METRE]
        if step == bar_steps(metre, self.steps_per_quarter):
            bars = state.bars + bool(self.bars)
            return state._replace(step=0, phase=CONFIRMED, bars=bars, cut=0)
        phase = CONFIRMED if state.phase == RESTATED else state.phase
        cut = state.cut if step <= state.cut else 0
        return state._replace(step=step, phase=phase, cut=cut)

    def _melody_track(self, notes: Notes) -> tuple[Notes, list[str]]:
        """Returns the notes of the track that has the melody, and remarks.

        Raises:
          Refused: `polyphonic`: no track is monophonic.
        """
        names = np.unique(notes.track)
        if len(names) == 1:
            return notes, []
        tracks = [notes.take(notes.track == name) for name in names]
        lines = [x for x in tracks if grid.overlap_share(x) <= self.chords]
        if not lines:
            raise Refused(
                "polyphonic",
                f"None of its {len(tracks)} tracks is a single line; the Performance "
                "and Pianoroll codecs keep chords, and chords=1 takes an upper line.",
            )
        most_notes = max(len(track.onset) for track in lines)
        busy = [track for track in lines if 2 * len(track.onset) >= most_notes]
        best = max(busy, key=lambda track: track.pitch.mean())
        index = next(i for i, track in enumerate(tracks) if track is best)
        count = len(best.onset)
        return best, [f"track: {index + 1} of {len(tracks)} taken, {count} notes"]
