"""Engraving of one bar on one staff: heads, accidentals, stems, beams, flags, rests."""

import dataclasses
import itertools
from collections.abc import Sequence

from zoo.listen.glyphs import HEAD, flags
from zoo.listen.ink import Ink
from zoo.listen.notation import Bar, Event

HALF, QUARTER, EIGHTH, SIXTEENTH = 24, 12, 6, 3
UNDOTTED = {36: HALF, 18: QUARTER, 9: EIGHTH, 16: HALF, 8: QUARTER, 4: EIGHTH}
DOTTED, TRIPLETS = (36, 18, 9), (16, 8, 4)
STEM_LENGTH, STEM_WIDTH = 3.4, 0.12
BEAM_WIDTH, BEAM_DISTANCE = 0.5, 0.78


@dataclasses.dataclass(frozen=True)
class Chord:
    """An event on a staff.

    Attributes:
      event: the event.
      x: its horizontal position.
      heads: heights of its noteheads above the middle line, in ascending order.
    """

    event: Event
    x: float
    heads: tuple[float, ...]

    @property
    def written(self) -> int:
        """The value of its notehead and flags, without dots and triplets."""
        return UNDOTTED.get(self.event.value, self.event.value)

    @property
    def hooks(self) -> int:
        """The number of flags or beams."""
        return {EIGHTH: 1, SIXTEENTH: 2}.get(self.written, 0)


def engrave_bar(
    ink: Ink, bar: Bar, chords: Sequence[Chord], *, middle: float, centre: float
) -> None:
    """Engraves one bar.

    Args:
      ink: the shapes to add to.
      bar: the bar.
      chords: its events.
      middle: y of the middle line of the staff.
      centre: x of the middle of the bar.
    """
    if not any(chord.heads for chord in chords):
        ink.glyph("rest 48", centre, middle)
        return
    for chord in chords:
        if not chord.heads:
            _rest(ink, chord, middle)
    for group in _groups(bar, chords):
        up = sum(chord.heads[0] + chord.heads[-1] for chord in group) < 0
        for chord in group:
            _heads(ink, chord, middle, up)
        ends = _stem_ends(group, up)
        for chord, end in zip(group, ends, strict=True):
            _stem(ink, chord, middle, end=end, up=up, beamed=len(group) > 1)
        if len(group) > 1:
            _beams(ink, group, ends, middle=middle, up=up)
    _triplets(ink, chords, middle)


def stem_points_up(chord: Chord) -> bool:
    """Returns whether a single stem points up, which is towards the middle line."""
    return chord.heads[0] + chord.heads[-1] < 0


def _groups(bar: Bar, chords: Sequence[Chord]) -> list[list[Chord]]:
    """Groups the chords that share a beam: with flags, in one beat, without rests."""
    numerator, denominator = bar.metre
    beat = 18 if denominator == 8 and numerator % 3 == 0 else QUARTER
    groups: list[list[Chord]] = []
    previous = None
    for chord in chords:
        current = None
        if chord.heads and chord.hooks:
            current = (chord.event.start - bar.start) // beat
        if current is not None and current == previous:
            groups[-1].append(chord)
        elif chord.heads:
            groups.append([chord])
        previous = current
    return groups


def _stem_x(chord: Chord, up: bool) -> float:
    """Returns the x of a stem: right of the head if it points up, left otherwise."""
    return chord.x + (HEAD / 2 - STEM_WIDTH / 2) * (1 if up else -1)


def _stem_ends(group: Sequence[Chord], up: bool) -> list[float]:
    """Returns the heights of the stem ends, which lie on one line under a beam."""
    sign = 1 if up else -1
    lengths = [sign * c.heads[-1 if up else 0] + STEM_LENGTH for c in group]
    lengths = [max(x, 0.0) for x in lengths]  # at least to the middle line
    if len(group) == 1:
        return [sign * (lengths[0] + 0.5 * (group[0].hooks == 2))]
    span = group[-1].x - group[0].x
    slope = max(-1.0, min(1.0, (lengths[-1] - lengths[0]) / 2)) / span
    line = [slope * (c.x - group[0].x) for c in group]
    lift = max(x - y - 0.6 for x, y in zip(lengths, line, strict=True))
    return [sign * (y + lift + 0.3 * (group[0].hooks == 2)) for y in line]


def _stem(
    ink: Ink, chord: Chord, middle: float, *, end: float, up: bool, beamed: bool
) -> None:
    if chord.written > HALF:
        return
    x = _stem_x(chord, up)
    ink.line(
        x, middle + chord.heads[0 if up else -1], x, middle + end, width=STEM_WIDTH
    )
    if chord.hooks and not beamed:
        ink.path(flags(chord.hooks, not up), x - STEM_WIDTH / 2, middle + end)


def _beams(
    ink: Ink, group: Sequence[Chord], ends: list[float], *, middle: float, up: bool
) -> None:
    inward = -1 if up else 1
    stems = [
        (_stem_x(c, up), middle + end, c.hooks)
        for c, end in zip(group, ends, strict=True)
    ]
    slope = (stems[-1][1] - stems[0][1]) / (stems[-1][0] - stems[0][0])

    def beam(x0: float, x1: float, level: int) -> None:
        y0, y1 = (stems[0][1] + slope * (x - stems[0][0]) for x in (x0, x1))
        shift = inward * BEAM_DISTANCE * level
        half = STEM_WIDTH / 2
        ink.beam(
            x0 - half, y0 + shift, x1 + half, y1 + shift, height=inward * BEAM_WIDTH
        )

    beam(stems[0][0], stems[-1][0], 0)
    for double, run in itertools.groupby(stems, lambda stem: stem[2] == 2):
        xs = [x for x, _, _ in run]
        if double and len(xs) > 1:
            beam(xs[0], xs[-1], 1)
        elif double:
            stub = 1.2 if xs[0] == stems[0][0] else -1.2
            beam(min(xs[0], xs[0] + stub), max(xs[0], xs[0] + stub), 1)


def _heads(ink: Ink, chord: Chord, middle: float, up: bool) -> None:
    name = {48: "whole", HALF: "half"}.get(chord.written, "quarter")
    gaps = [b - a for a, b in itertools.pairwise(chord.heads)]
    # accidentals stand left of a head that is moved to the left
    offset = HEAD if 0.5 in gaps and not up else 0.0
    order = list(zip(chord.heads, chord.event.heads, strict=True))
    moved, previous = False, None
    for height, head in order if up else order[::-1]:
        moved = previous is not None and abs(height - previous) == 0.5 and not moved
        previous = height
        x = chord.x + (HEAD - STEM_WIDTH) * moved * (1 if up else -1)
        ink.glyph(name, x, middle + height)
        _ledgers(ink, x, height, middle)
        if head.shown is not None:
            # a flat is centred on its bowl
            rise = 0.35 if head.shown < 0 else 0.0
            ink.glyph(str(head.shown), chord.x - 1.45 - offset, middle + height + rise)
            offset += 1.05
        if chord.event.value in DOTTED:
            ink.glyph(
                "dot", chord.x + 1.25, middle + height + (0.5 if height % 1 == 0 else 0)
            )


def _ledgers(ink: Ink, x: float, height: float, middle: float) -> None:
    sign = 1 if height > 0 else -1
    for line in range(3, int(abs(height)) + 1):
        y = middle + sign * line
        ink.line(x - 1.05, y, x + 1.05, y, width=0.14)


def _rest(ink: Ink, chord: Chord, middle: float) -> None:
    ink.glyph(f"rest {chord.written}", chord.x, middle)
    if chord.event.value in DOTTED:
        ink.glyph("dot", chord.x + 1.1, middle + 0.5)


def _triplets(ink: Ink, chords: Sequence[Chord], middle: float) -> None:
    """Writes a 3 over each run of triplet values that fills whole quarters."""
    run: list[Chord] = []
    for chord in chords:
        if chord.event.value not in TRIPLETS:
            run = []
            continue
        run.append(chord)
        if sum(c.event.value for c in run) % QUARTER == 0:
            top = max(
                (
                    c.heads[-1] + (STEM_LENGTH if stem_points_up(c) else 0)
                    for c in run
                    if c.heads
                ),
                default=0,
            )
            ink.text(
                (run[0].x + run[-1].x) / 2,
                middle + max(top, 2) + 1.5,
                "3",
                size=1.6,
                style="italic",
            )
            run = []
