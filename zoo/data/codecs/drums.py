"""Drum parts on a grid of 16ths: which of nine drums are struck on each.

The nine are those of Gillick et al. 2019 (arXiv:1905.06118); that a step is one of the 512 ways to
strike them at once is of Roberts et al. 2018 (arXiv:1803.05428).
"""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from zoo.data.codecs import grid
from zoo.data.codecs.base import (
    BOUNDARY,
    VELOCITY,
    BaseCodec,
    Fit,
    Notes,
    blank,
    losses,
    write_notes,
)
from zoo.data.codecs.grammar import Grammar, explore
from zoo.data.codecs.metre import Fraction, Span, bar_steps, signatures, spans
from zoo.data.codecs.steps import Steps
from zoo.data.proto import QPM, Metre, NoteSequence, metres, seconds
from zoo.data.refusal import Refused
from zoo.errors import UsageError

# Each drum and the General MIDI pitches, 27 to 87, that are read as it; the first is written. The
# pads of the kit that Gillick et al. recorded (22 and 26, and 58 as the rim of a tom, are its own)
# are as they have them; everything else goes where it sounds most alike.
KIT = {
    "kick": (36, 35),
    "snare": (
        38,
        37,
        40,
        39,
        *range(27, 35),
        75,
        76,
        77,
        85,
    ),  # claps, sticks, blocks, clicks
    "closed hat": (
        42,
        22,
        44,
        54,
        69,
        70,
        71,
        73,
        80,
        82,
        83,
    ),  # shakers, whatever is short
    "open hat": (46, 26, 72, 74, 81),
    "low tom": (43, 58, 41, 64, 86, 87),
    "mid tom": (
        47,
        45,
        61,
        63,
        66,
        79,
    ),  # bongos, congas, timbales, cuicas by their height
    "high tom": (50, 48, 60, 62, 65, 78),
    "crash": (49, 52, 55, 57, 84),
    "ride": (51, 53, 59, 56, 67, 68),  # bells
}
NONE = -1
DRUM = np.full(128, NONE)  # the drum that a pitch is read as
for _drum, _pitches in enumerate(KIT.values()):
    DRUM[list(_pitches)] = _drum
PITCH = [pitches[0] for pitches in KIT.values()]

SILENT = 1  # the token of a step on which nothing is struck
STRUCK = SILENT + 1  # the first of those on which something is
BAR = SILENT + (1 << len(KIT))  # in whole parts alone


@dataclass(frozen=True, kw_only=True)
class DrumPart(BaseCodec):
    """The drums of a piece as int32 [t], one token per 16th.

    Tokens: 0 BOUNDARY, which ends it, 1 + the sum of 2**i over the drums i of `KIT` that are
    struck, 513 BAR. BAR takes no time and says that bars are counted anew: it begins a part, and
    follows a pickup or a bar cut short. Bars are those of the first metre, which all are decoded
    in: in 2/4, two of its bars are one of 4/4. Hits are moved to the nearest step. A last bar of
    which at least half is there is filled with rests, as in windows of the Groove MIDI Dataset.

    Kept: which drums are struck, rhythm in 16ths, bars. Not kept: tempo, velocity, duration,
    timing within a step, two hits of a drum on one step, and all that is not drums.

    Raises:
      UsageError: `metres` whose bars do not make up one of the first, and what `Steps` raises.
    """

    metres: tuple[str, ...] = ("4/4", "2/2", "2/4")
    steps_per_quarter: int = 4
    # share of hits that may lie further than `grid.NEAR` from their step: of hits at random half do
    off_grid: float = 0.5

    def __post_init__(self):
        if any(
            self.bar % bar_steps(metre, self.steps_per_quarter) for metre in self.known
        ):
            raise UsageError(
                f"bars of {', '.join(self.metres)} do not make up bars of {self.metres[0]}, as for "
                "drums they must: choose metres that do, and train another model for the others."
            )

    @functools.cached_property
    def known(self) -> tuple[Fraction, ...]:
        """The metres as (numerator, denominator)."""
        return Steps(steps_per_quarter=self.steps_per_quarter, metres=self.metres).known

    @property
    def beat(self) -> int:
        return self.steps_per_quarter

    @property
    def bar(self) -> int:
        """Steps of a bar."""
        return bar_steps(self.known[0], self.steps_per_quarter)

    @property
    def vocab(self) -> int:
        return BAR + 1

    def fit(self, sequence: NoteSequence) -> Fit:
        """The part int32 [t], and what was done.

        Raises `Refused`: `empty`, `malformed`, `long`, `off-grid`, `metre`.
        """
        hits, end, remarks = self._hits(sequence)
        step, bent = self._snap(hits)
        starts, end, filled = self._bars(sequence, max(end, int(step.max()) + 1))
        bits = np.zeros(end, np.int32)
        np.bitwise_or.at(bits, step, (1 << hits.pitch).astype(np.int32))
        stream = np.append(np.insert(bits + SILENT, starts, BAR), BOUNDARY)
        return Fit(stream.astype(np.int32), (*remarks, *bent, *filled))

    def encode(self, sequence: NoteSequence) -> np.ndarray:
        """int32 [t]. Raises `Refused` as `fit` does."""
        return self.fit(sequence).array

    def decode(
        self, array: np.ndarray, qpm: float = QPM, program: int = 0
    ) -> NoteSequence:
        """The drums up to the first BOUNDARY, each hit a step long; `program` is the kit."""
        array = before_boundary(array)
        marks = array == BAR
        steps = array[~marks] - SILENT
        starts = np.unique(np.append(0, np.cumsum(~marks)[marks])).tolist()
        found = [Span(at, self.known[0]) for at in starts if at < max(len(steps), 1)]
        sequence, step = blank(qpm), 60 / qpm / self.steps_per_quarter
        for start, metre in signatures(found, len(steps), self.steps_per_quarter):
            sequence.time_signatures.add(
                time=start * step, numerator=metre[0], denominator=metre[1]
            )
        sequence.total_time = len(steps) * step
        hits = np.argwhere(steps[:, None] >> np.arange(len(KIT)) & 1).tolist()
        columns = (
            (at * step, (at + 1) * step, PITCH[drum], VELOCITY) for at, drum in hits
        )
        write_notes(sequence, columns, program=program)
        for note in sequence.notes:
            note.is_drum = True
        return sequence

    def reach(self, array: np.ndarray) -> range:
        """0 alone: drums are not transposed."""
        return range(1)

    def transpose(self, array: np.ndarray, semitones: int) -> np.ndarray:
        """The same, by 0 semitones. Raises `Refused` (`range`) for any other number."""
        if semitones:
            raise Refused(
                "range", "Drums have no range to be moved in; transpose them by 0."
            )
        return np.asarray(array, np.int32)

    def describe(self, token: int) -> str:
        """`boundary`, `rest`, `bar`, or drums such as `kick+closed hat`."""
        token = int(token)
        if token in (BOUNDARY, SILENT, BAR):
            return {BOUNDARY: "boundary", SILENT: "rest", BAR: "bar"}[token]
        return "+".join(name for i, name in enumerate(KIT) if token - SILENT >> i & 1)

    def grammar(self) -> Grammar | None:
        """None: a part is there to be cut, not to be sampled."""
        return None

    def _hits(self, sequence: NoteSequence) -> tuple[Notes, int, list[str]]:
        """The hits, onsets in steps and drums for pitches; the length in steps; and remarks."""
        part = NoteSequence()
        part.CopyFrom(sequence)
        del part.notes[:]
        part.notes.extend(note for note in sequence.notes if note.is_drum)
        if not part.notes:
            raise Refused(
                "empty", "It has no drums; the other codecs read pitched notes."
            )
        for note in part.notes:
            note.is_drum = False  # what is read onto a grid is pitched
        notes, end, remarks = grid.read_steps(part, self.steps_per_quarter)
        hits = notes._replace(pitch=DRUM[notes.pitch])
        hits = hits.take(hits.pitch != NONE)
        strange, others = (
            len(notes.onset) - len(hits.onset),
            len(sequence.notes) - len(part.notes),
        )
        if not len(hits.onset):
            raise Refused(
                "empty", f"None of its {strange} hits is a General MIDI drum's."
            )
        remarks += (
            [f"strange: {strange} hits of no known drum left out"] if strange else []
        )
        remarks += [f"pitched: {others} notes left out"] if others else []
        return hits, end, remarks + losses(sequence, hits)

    def _snap(self, hits: Notes) -> tuple[np.ndarray, list[str]]:
        """The step of each hit, [n], and remarks. Raises `Refused` (`off-grid`)."""
        step, total = np.floor(hits.onset + 0.5).astype(np.int64), len(hits.onset)
        away = np.abs(hits.onset - step)
        strays = int(np.sum(away > grid.NEAR))
        if strays > self.off_grid * total:
            raise Refused(
                "off-grid",
                f"{strays} of {total} hits lie off the grid of {self.steps_per_quarter} steps per "
                "quarter; off_grid=1 takes all there are.",
            )
        remarks, merged = (
            [],
            total - len(set(zip(step.tolist(), hits.pitch.tolist(), strict=True))),
        )
        if away.max() > grid.SILENT:
            shift = away.max() / self.steps_per_quarter
            remarks.append(f"quantised: hits moved by up to {shift:.2f} quarters")
        if merged:
            remarks.append(
                f"merged: {merged} of {total} hits lost to another of theirs on a step"
            )
        return step, remarks

    def _bars(
        self, sequence: NoteSequence, end: int
    ) -> tuple[list[int], int, list[str]]:
        """The steps from which bars are counted, the length once filled, and remarks."""
        rate, first = self.steps_per_quarter, self.known[0]
        lengths = {bar_steps(metre, rate) for metre in self.known}
        stated = [
            Metre(m.start, *(first if m.bar * rate in lengths else m[1:]))
            for m in metres(sequence)
        ]
        try:
            found = spans(stated, end, [first], rate)
        except Refused as refused:
            # to add a metre is no cure here: its bars are of another length
            bar, kinds = (
                refused.detail.partition(";")[0].rstrip("."),
                " or ".join(self.metres),
            )
            raise Refused(
                "metre",
                f"{bar}. Drums are read in {kinds}: other metres need a model of their own.",
            ) from refused
        starts = [span.start for span in found]
        rest = (end - starts[-1]) % self.bar
        if 2 * rest < self.bar:
            return starts, end, []
        return (
            starts,
            end + self.bar - rest,
            ["padded: rests up to the end of the last bar"],
        )


@dataclass(frozen=True)
class Drums(DrumPart):
    """`bars` full bars of a drum part as int32 [length], one token per step and no other.

    Tokens: 0 BOUNDARY, which no phrase has, then 1 + the sum of 2**i over the drums i of `KIT`
    that are struck: 1 is a rest.

    Raises:
      UsageError: fewer than one bar, and what `DrumPart` raises.
    """

    voices: ClassVar[int] = 1

    bars: int = 2

    def __post_init__(self):
        if self.bars < 1:
            raise UsageError(f"bars is at least 1, not {self.bars}")
        super().__post_init__()

    @functools.cached_property
    def source(self) -> DrumPart:  # type: ignore[override]
        """The codec of the pieces that phrases are cut from."""
        fields = dataclasses.fields(DrumPart)
        return DrumPart(**{field.name: getattr(self, field.name) for field in fields})

    @property
    def length(self) -> int:
        """Steps of a phrase."""
        return self.bars * self.bar

    @property
    def vocab(self) -> int:
        return BAR

    @property
    def dimensions(self) -> Mapping[str, Any]:
        sizes = {"bars": self.bars, "steps": self.bar, "voices": self.voices}
        return {"vocab": self.vocab, "length": self.length, **sizes}

    def fit(self, sequence: NoteSequence) -> Fit:
        """The first phrase int32 [length], and what was done.

        Raises `Refused`: `short`, and what `DrumPart` raises.
        """
        stream, notes = super().fit(sequence)
        crops = self.crops(stream)
        if not crops:
            bars = f"{self.bars} full bars of {self.metres[0]} in a row with a hit"
            raise Refused("short", f"It has no {bars}.")
        found = f"cropped: the first of {len(crops)} windows of {self.bars} bars"
        return Fit(crops[0], (*notes, found))

    def adapted(self, sequence: NoteSequence) -> Fit:
        """As `fit`; a piece too short is filled with rests."""
        piece = NoteSequence()
        piece.CopyFrom(sequence)
        least = float(seconds(piece)(np.array(self.length / self.steps_per_quarter)))
        padded = (
            (f"padded: rests up to {self.bars} bars",)
            if piece.total_time < least
            else ()
        )
        piece.total_time = max(piece.total_time, least)
        fit = self.fit(piece)
        return Fit(fit.array, (*padded, *fit.notes))

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns the phrases of a part, a stream of `source`, that are not silent.

        One begins at every `stride`-th bar of those.
        """
        stream = before_boundary(stream).astype(np.int32)
        phrases = []
        for run in np.split(stream, np.flatnonzero(stream == BAR)):
            steps = run[run != BAR]
            last = len(steps) - self.length
            phrases += [
                steps[at : at + self.length] for at in range(0, last + 1, self.bar)
            ]
        sounding = [phrase for phrase in phrases if (phrase != SILENT).any()]
        return sounding[::stride]

    def grammar(self) -> Grammar:
        """Phrases that strike something."""

        def rules(at: tuple[int, bool]) -> dict[int, tuple[int, bool]]:
            step, struck = at[0] + 1, at[1]
            if step > self.length:
                return {BOUNDARY: (step, struck)} if step == self.length + 1 else {}
            last = (
                {} if step == self.length and not struck else {SILENT: (step, struck)}
            )
            return last | {STRUCK: (step, True)}

        kinds = np.minimum(np.arange(self.vocab), STRUCK)
        return explore((0, False), rules, lambda at: at[0] >= self.length, kinds)


def before_boundary(array: np.ndarray) -> np.ndarray:
    """The tokens [t] up to the first BOUNDARY."""
    array = np.asarray(array).reshape(-1)
    return array[: np.argmax(array == BOUNDARY)] if (array == BOUNDARY).any() else array
