"""Where the bars of a score stand: room for every onset, and lines broken to fit the page."""

import dataclasses
import itertools
import math

from zoo.listen.notation import Bar, Event, Notation

WIDTH = 104.0  # of a line, in staff spaces
LOOSEST = 1.25  # how far the last line may be stretched


@dataclasses.dataclass(frozen=True)
class Placed:
    """A bar on its line: its edges, and where the events that begin at each tick stand."""

    bar: Bar
    left: float
    right: float
    onsets: dict[int, float]


@dataclasses.dataclass(frozen=True)
class System:
    """One line of music; x is counted from its left end."""

    first: bool
    last: bool
    bars: tuple[Placed, ...]

    @property
    def width(self) -> float:
        return self.bars[-1].right


def preamble(notation: Notation, first: bool) -> float:
    """Room for clef and key, and on the first line the metre."""
    return 4.6 + 1.05 * abs(notation.fifths) + (3.2 if first else 0)


def systems(notation: Notation) -> list[System]:
    """Fills line after line and stretches each to the full width, the last if it is nearly full."""
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
        stretch = min(stretch, LOOSEST)
    placed = []
    for bar in line:
        onsets, room = _place(bar)
        onsets = {onset: x + stretch * at for onset, at in onsets.items()}
        placed.append(Placed(bar, x, x + stretch * room, onsets))
        x += stretch * room
    return System(first, last, tuple(placed))


def _place(bar: Bar) -> tuple[dict[int, float], float]:
    """Unstretched x of each onset, growing with the logarithm of the time to the next; the end."""
    events = [event for part in bar.parts for event in part]
    onsets = sorted({event.start for event in events})
    crowded = dict.fromkeys(onsets, 0.0)
    for event in events:
        crowded[event.start] = max(crowded[event.start], _crowd(event))
    x, places = 1.6 + (3.2 if bar.stated and bar.start else 0), {}
    for onset, after in zip(onsets, [*onsets[1:], bar.end], strict=True):
        x += crowded[onset]
        places[onset] = x
        x += 1.3 + 1.25 * math.log2(1 + max(after - onset, 1) / 3)
    return places, x


def _crowd(event: Event) -> float:
    """Room on the left for accidentals, and for a head that a neighbour pushes aside."""
    steps = [head.step for head in event.heads]
    second = any(b - a == 1 for a, b in itertools.pairwise(steps))
    return 1.2 * second + 1.1 * min(
        sum(head.shown is not None for head in event.heads), 3
    )
