"""Horizontal spacing of a score, and line breaks. Lengths are in staff spaces."""

import dataclasses
import itertools
import math

from zoo.listen.notation import Bar, Event, Notation

WIDTH = 104.0  # of a line
MAX_LAST_STRETCH = 1.25  # of the last line


@dataclasses.dataclass(frozen=True)
class Placed:
    """A bar on its line.

    Attributes:
      bar: the bar.
      left: x of its left edge.
      right: x of its right edge.
      onsets: x of the events by their onset in ticks.
    """

    bar: Bar
    left: float
    right: float
    _: dataclasses.KW_ONLY
    onsets: dict[int, float]


@dataclasses.dataclass(frozen=True)
class System:
    """A line of music. x is relative to its left end."""

    first: bool
    last: bool
    bars: tuple[Placed, ...]

    @property
    def width(self) -> float:
        return self.bars[-1].right


def preamble(notation: Notation, first: bool) -> float:
    """Returns the width of clef and key signature, and of the first time signature."""
    return 4.6 + 1.05 * abs(notation.fifths) + (3.2 if first else 0)


def systems(notation: Notation) -> list[System]:
    """Breaks the bars into lines and stretches them to the full width.

    The last line is stretched by `MAX_LAST_STRETCH` at most.
    """
    lines: list[list[Bar]] = [[]]
    used = 0.0
    for bar in notation.bars:
        _, room = _place(bar)
        if lines[-1] and used + room > WIDTH - preamble(notation, len(lines) == 1):
            lines.append([])
            used = 0.0
        lines[-1].append(bar)
        used += room
    return [
        _justify(notation, line, i == 0, i + 1 == len(lines))
        for i, line in enumerate(lines)
    ]


def _justify(notation: Notation, line: list[Bar], first: bool, last: bool) -> System:
    x = preamble(notation, first)
    stretch = (WIDTH - x) / sum(_place(bar)[1] for bar in line)
    if last:
        stretch = min(stretch, MAX_LAST_STRETCH)
    placed = []
    for bar in line:
        onsets, room = _place(bar)
        onsets = {onset: x + stretch * place for onset, place in onsets.items()}
        placed.append(Placed(bar, x, x + stretch * room, onsets=onsets))
        x += stretch * room
    return System(first, last, tuple(placed))


def _place(bar: Bar) -> tuple[dict[int, float], float]:
    """Returns the unstretched x of each onset, and the width of the bar.

    Space grows with the logarithm of the time to the next onset.
    """
    events = [event for part in bar.parts for event in part]
    onsets = sorted({event.start for event in events})
    room = dict.fromkeys(onsets, 0.0)
    for event in events:
        room[event.start] = max(room[event.start], _left_room(event))
    x, places = 1.6 + (3.2 if bar.stated and bar.start else 0), {}
    for onset, after in zip(onsets, [*onsets[1:], bar.end], strict=True):
        x += room[onset]
        places[onset] = x
        x += 1.3 + 1.25 * math.log2(1 + max(after - onset, 1) / 3)
    return places, x


def _left_room(event: Event) -> float:
    """Returns the space needed for accidentals and for a head displaced by a second."""
    steps = [head.step for head in event.heads]
    second = any(b - a == 1 for a, b in itertools.pairwise(steps))
    accidentals = sum(head.shown is not None for head in event.heads)
    return 1.2 * second + 1.1 * min(accidentals, 3)
