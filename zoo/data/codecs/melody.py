"""One line on a grid of 16ths, bar by bar."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.base import BOUNDARY, Fit, Notes, losses
from zoo.data.codecs.grammar import Grammar, both, explore
from zoo.data.codecs.metre import bar_steps, plain_name, spans
from zoo.data.codecs.steps import HOLD, METRE, REST, Steps
from zoo.data.proto import QPM, NoteSequence, metres
from zoo.data.refusal import Refused
from zoo.errors import UsageError

NEW, OWING, SETTLED, AGAIN = range(4)  # what a metre is: see `Melody.grammar`


class At(NamedTuple):
    """Where a stream stands in its bar."""

    metre: int = BOUNDARY  # its token; BOUNDARY before the first
    phase: int = NEW
    step: int = 0
    bars: int = 0  # full ones so far, where they are counted
    cut: int = 0  # the steps after which this bar may not be cut
    ended: bool = False


@dataclass(frozen=True)
class Melody(Steps):
    """A monophonic piece as int32 [t], one token per 16th.

    The stream begins with the token of its metre and ends with BOUNDARY. A metre token begins the
    count of bars anew: a pickup is [metre] pickup [metre] full bars, a change of metre is the new
    token at its barline. Of several tracks the melody is the highest of those that are one line
    and have at least half as many notes as the busiest of them.

    Kept: pitch, rhythm in 16ths, metre, pickup, ties, length. Not kept: tempo, velocity, program.
    """

    fewest: int = 2  # notes
    bars: int | None = (
        None  # only so many full bars: the first in `encode`, all in `windows`
    )

    def __post_init__(self):
        super().__post_init__()
        if self.bars is not None and self.bars < 1:
            raise UsageError(f"bars is None or at least 1, not {self.bars}")

    def fit(self, sequence: NoteSequence) -> Fit:
        """The stream int32 [t], and what was done.

        Raises `Refused`: `empty`, `malformed`, `long`, `short`, `polyphonic`, `off-grid`, `range`,
        `metre`.
        """
        notes, end, remarks = grid.read_steps(sequence, self.steps_per_quarter)
        remarks += losses(sequence, notes)
        notes, track = self._pick(notes)
        line, chords = grid.line(notes, self.chords)
        laid, bent = grid.snap(line, self.off_grid, self.steps_per_quarter)
        if len(laid.onset) < self.fewest:
            raise Refused("short", f"It has fewer than {self.fewest} notes.")
        end = max(end, int(laid.offset[-1]))
        found = spans(metres(sequence), end, self.known, self.steps_per_quarter)
        stream = np.insert(self._events(laid, end), *self._metre_tokens(found))
        stream = np.append(stream, np.int32(BOUNDARY))
        remarks += track + chords + bent
        if self.bars is not None:
            crops = self.crops(stream)
            if not crops:
                raise Refused(
                    "short", f"It has no {self.bars} full bars in a row with a note."
                )
            remarks.append(
                f"cropped: the first of {len(crops)} windows of {self.bars} bars"
            )
            stream = crops[0]
        return Fit(stream, tuple(remarks))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """int32 [t]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """The music up to the first BOUNDARY, whatever the tokens.

        A HOLD of nothing is a rest; bars are of 4/4 until a metre is given.
        """
        array = np.asarray(array).reshape(-1)
        timed, found = self._parse(array)
        sequence = self._blank(found, len(timed), qpm)
        self._write(sequence, array[timed], program=program)
        return sequence

    def windows(self, sequence: NoteSequence) -> list[np.ndarray]:
        """Every `bars` full bars in a row, each a stream of its own. Raises `Refused` as `fit`."""
        return self.crops(replace(self, bars=None).encode(sequence))

    def crops(self, array: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """As `windows`, of a whole stream, from every `stride`-th bar on; silent ones are left out.

        Bars are counted anew after one that is not full: a strain of a tune begins there.
        A note held from before is struck anew where the window begins.
        """
        return self.excerpts(np.asarray(array).reshape(-1), self.bars or 1, stride)

    def grammar(self) -> Grammar:
        """Every stream that `fit` writes, and none that it would refuse once decoded.

        A metre comes first, and at barlines others may. Within a bar a metre token cuts the bar
        short; in a score such a bar has a signature of its own, and is known for what it is by its
        neighbours. So a metre that is NEW is cut only by its own token, and is then OWING a full
        bar. Once SETTLED by one it is cut by any, and goes on (AGAIN) where that is its own; but
        two cut bars in a row are not of one length, where that is the length of a known metre.
        If `bars` is given there are so many, all full, and one note is enough.
        """
        timed = (HOLD, REST, self._struck)

        def rules(at: At) -> dict[int, At]:
            if at.ended:
                return {}
            begun, over = at.metre != BOUNDARY, at.bars == self.bars
            after = dict.fromkeys(timed, self._tick(at)) if begun and not over else {}
            if over or (begun and not self.bars and (at.step or at.phase == SETTLED)):
                after[BOUNDARY] = At(ended=True)
            return after | self._turns(at)

        def stops(at: At) -> bool:
            return at.ended or at.bars == (self.bars or 0)

        return both(explore(At(), rules, stops, self._kinds), self._lines())

    def _lines(self) -> Grammar:
        """No HOLD of nothing, and no end before there are notes enough."""
        fewest = 1 if self.bars else max(self.fewest, 1)

        def rules(at: tuple[bool, int]) -> dict[int, tuple[bool, int]]:
            sounding, notes = at
            after = dict.fromkeys(range(METRE, self._struck), at)
            after |= {
                REST: (False, notes),
                self._struck: (True, min(notes + 1, fewest)),
            }
            return (
                after
                | ({HOLD: at} if sounding else {})
                | ({BOUNDARY: at} if stops(at) else {})
            )

        def stops(at: tuple[bool, int]) -> bool:
            return at[1] == fewest

        return explore((False, 0), rules, stops, self._kinds)

    @property
    def _kinds(self) -> np.ndarray:
        """Tokens by what they do, [v]: every pitch is struck alike."""
        return np.minimum(np.arange(self.vocab), self._struck)

    def _turns(self, at: At) -> dict[int, At]:
        """The metre tokens that may come next, and where they lead."""

        def others() -> dict[int, At]:
            tokens = range(METRE, self._struck)
            return {
                token: At(token, bars=at.bars) for token in tokens if token != at.metre
            }

        barline = at.phase == SETTLED and not at.step
        if at.metre == BOUNDARY or barline:
            return others() if at.bars != self.bars else {}
        if self.bars or not at.step or at.phase == OWING or at.step == at.cut:
            return {}
        if at.phase == NEW:
            return {at.metre: At(at.metre, OWING)}
        named = plain_name(at.step, self.steps_per_quarter) in self.known
        return others() | {at.metre: At(at.metre, AGAIN, cut=at.step if named else 0)}

    def _tick(self, at: At) -> At:
        """One step on."""
        step = at.step + 1
        if step == bar_steps(self.known[at.metre - METRE], self.steps_per_quarter):
            return at._replace(
                step=0, phase=SETTLED, bars=at.bars + bool(self.bars), cut=0
            )
        phase = SETTLED if at.phase == AGAIN else at.phase
        return at._replace(step=step, phase=phase, cut=at.cut if step <= at.cut else 0)

    def _pick(self, notes: Notes) -> tuple[Notes, list[str]]:
        """The notes of the track most like a melody."""
        names = np.unique(notes.track)
        if len(names) == 1:
            return notes, []
        tracks = [notes.take(notes.track == name) for name in names]
        lines = [track for track in tracks if grid.overlap(track) <= self.chords]
        if not lines:
            raise Refused(
                "polyphonic",
                f"None of its {len(tracks)} tracks is a single line; the Performance and Pianoroll "
                "codecs keep chords, and chords=1 takes an upper line.",
            )
        busiest = max(len(track.onset) for track in lines)
        busy = [track for track in lines if 2 * len(track.onset) >= busiest]
        best = max(busy, key=lambda track: track.pitch.mean())
        at = next(i for i, track in enumerate(tracks) if track is best)
        return best, [
            f"track: {at + 1} of {len(tracks)} taken, {len(best.onset)} notes"
        ]
