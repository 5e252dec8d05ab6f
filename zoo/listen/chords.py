"""Draws the events of one bar on one staff: heads, accidentals, stems, beams, flags, rests."""

import dataclasses
import itertools
from collections.abc import Sequence

from zoo.listen.glyphs import HEAD, flags
from zoo.listen.ink import Ink
from zoo.listen.notation import Bar, Event

HALF, QUARTER, EIGHTH, SIXTEENTH = 24, 12, 6, 3
WRITTEN = {36: HALF, 18: QUARTER, 9: EIGHTH, 16: HALF, 8: QUARTER, 4: EIGHTH}
DOTTED, TRIPLETS = (36, 18, 9), (16, 8, 4)
STEM, THIN, BEAM, BEAM_STEP = 3.4, 0.12, 0.5, 0.78


@dataclasses.dataclass(frozen=True)
class Chord:
    """An event at its place: `heads` are heights above the staff's middle line, lowest first."""

    event: Event
    x: float
    heads: tuple[float, ...]

    @property
    def written(self) -> int:
        """The value its notehead and flags show."""
        return WRITTEN.get(self.event.value, self.event.value)

    @property
    def hooks(self) -> int:
        """Flags, or beams."""
        return {EIGHTH: 1, SIXTEENTH: 2}.get(self.written, 0)


def draw_bar(
    ink: Ink, bar: Bar, chords: Sequence[Chord], middle: float, centre: float
) -> None:
    """Draws one bar; `middle` is the y of the staff's middle line, `centre` the bar's x."""
    if not any(chord.heads for chord in chords):
        return ink.glyph("rest 48", centre, middle)
    for chord in chords:
        if not chord.heads:
            _rest(ink, chord, middle)
    for group in _groups(bar, chords):
        up = sum(chord.heads[0] + chord.heads[-1] for chord in group) < 0
        for chord in group:
            _heads(ink, chord, middle, up)
        ends = _stem_ends(group, up)
        for chord, end in zip(group, ends, strict=True):
            _stem(ink, chord, middle, end, up, beamed=len(group) > 1)
        if len(group) > 1:
            _beams(ink, group, ends, middle, up)
    _triplets(ink, chords, middle)


def points_up(chord: Chord) -> bool:
    """The side a single stem takes: towards the middle line."""
    return chord.heads[0] + chord.heads[-1] < 0


def _groups(bar: Bar, chords: Sequence[Chord]) -> list[list[Chord]]:
    """Chords that share a beam: hooked ones, in one beat, with no rest between; others alone."""
    numerator, denominator = bar.metre
    beat = 18 if denominator == 8 and numerator % 3 == 0 else QUARTER
    groups: list[list[Chord]] = []
    previous = None
    for chord in chords:
        place = (
            (chord.event.start - bar.start) // beat
            if chord.heads and chord.hooks
            else None
        )
        if chord.heads and place is not None and place == previous:
            groups[-1].append(chord)
        elif chord.heads:
            groups.append([chord])
        previous = place
    return groups


def _stem_x(chord: Chord, up: bool) -> float:
    return chord.x + (HEAD / 2 - THIN / 2) * (1 if up else -1)


def _stem_ends(group: Sequence[Chord], up: bool) -> list[float]:
    """Heights where the stems end: on one slanted line for a beam, each at an octave otherwise."""
    sign = 1 if up else -1
    reach = [sign * c.heads[-1 if up else 0] + STEM for c in group]
    reach = [max(r, 0.0) for r in reach]  # a stem comes to the middle line at least
    if len(group) == 1:
        return [sign * (reach[0] + 0.5 * (group[0].hooks == 2))]
    span = group[-1].x - group[0].x
    slope = max(-1.0, min(1.0, (reach[-1] - reach[0]) / 2)) / span
    line = [slope * (c.x - group[0].x) for c in group]
    lift = max(r - y - 0.6 for r, y in zip(reach, line, strict=True))
    return [sign * (y + lift + 0.3 * (group[0].hooks == 2)) for y in line]


def _stem(
    ink: Ink, chord: Chord, middle: float, end: float, up: bool, beamed: bool
) -> None:
    if chord.written > HALF:
        return
    x = _stem_x(chord, up)
    ink.line(x, middle + chord.heads[0 if up else -1], x, middle + end, THIN)
    if chord.hooks and not beamed:
        ink.path(flags(chord.hooks, not up), x - THIN / 2, middle + end)


def _beams(
    ink: Ink, group: Sequence[Chord], ends: list[float], middle: float, up: bool
) -> None:
    inward = -1 if up else 1
    spots = [
        (_stem_x(c, up), middle + end, c.hooks)
        for c, end in zip(group, ends, strict=True)
    ]
    slope = (spots[-1][1] - spots[0][1]) / (spots[-1][0] - spots[0][0])

    def bar(x0: float, x1: float, level: int) -> None:
        y0, y1 = (spots[0][1] + slope * (x - spots[0][0]) for x in (x0, x1))
        shift = inward * BEAM_STEP * level
        ink.beam(x0 - THIN / 2, y0 + shift, x1 + THIN / 2, y1 + shift, inward * BEAM)

    bar(spots[0][0], spots[-1][0], 0)
    for double, run in itertools.groupby(spots, lambda spot: spot[2] == 2):
        xs = [x for x, _, _ in run]
        if double and len(xs) > 1:
            bar(xs[0], xs[-1], 1)
        elif double:
            towards = 1.2 if xs[0] == spots[0][0] else -1.2
            bar(min(xs[0], xs[0] + towards), max(xs[0], xs[0] + towards), 1)


def _heads(ink: Ink, chord: Chord, middle: float, up: bool) -> None:
    name = {48: "whole", HALF: "half"}.get(chord.written, "quarter")
    gaps = [b - a for a, b in itertools.pairwise(chord.heads)]
    signs = (
        HEAD if 0.5 in gaps and not up else 0.0
    )  # accidentals clear a head moved to the left
    order = list(zip(chord.heads, chord.event.heads, strict=True))
    moved, before = False, None
    for height, head in order if up else order[::-1]:
        moved = before is not None and abs(height - before) == 0.5 and not moved
        before = height
        x = chord.x + (HEAD - THIN) * moved * (1 if up else -1)
        ink.glyph(name, x, middle + height)
        _ledgers(ink, x, height, middle)
        if head.shown is not None:
            drop = (
                0.35 if head.shown < 0 else 0.0
            )  # a flat's bowl, not its middle, marks the line
            ink.glyph(str(head.shown), chord.x - 1.45 - signs, middle + height + drop)
            signs += 1.05
        if chord.event.value in DOTTED:
            ink.glyph(
                "dot", chord.x + 1.25, middle + height + (0.5 if height % 1 == 0 else 0)
            )


def _ledgers(ink: Ink, x: float, height: float, middle: float) -> None:
    sign = 1 if height > 0 else -1
    for line in range(3, int(abs(height)) + 1):
        ink.line(x - 1.05, middle + sign * line, x + 1.05, middle + sign * line, 0.14)


def _rest(ink: Ink, chord: Chord, middle: float) -> None:
    ink.glyph(f"rest {chord.written}", chord.x, middle)
    if chord.event.value in DOTTED:
        ink.glyph("dot", chord.x + 1.1, middle + 0.5)


def _triplets(ink: Ink, chords: Sequence[Chord], middle: float) -> None:
    """A 3 over each run of triplet values that fills whole quarters."""
    run: list[Chord] = []
    for chord in chords:
        if chord.event.value not in TRIPLETS:
            run = []
            continue
        run.append(chord)
        if sum(c.event.value for c in run) % QUARTER == 0:
            top = max(
                (c.heads[-1] + (STEM if points_up(c) else 0) for c in run if c.heads),
                default=0,
            )
            ink.text(
                (run[0].x + run[-1].x) / 2,
                middle + max(top, 2) + 1.5,
                "3",
                1.6,
                "italic",
            )
            run = []
