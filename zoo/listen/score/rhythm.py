"""Rhythm: note values, tuplets and beams of the spans of one layer in one bar."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zoo.listen.score.shape import (
    QUARTER,
    SHORTEST,
    WHOLE,
    Event,
    Head,
    Layer,
    Lyric,
    Metre,
    Tuplet,
)

TUPLETS = {3: 2, 5: 4, 7: 4}  # so many in the time of so many
LONGEST_TUPLET = 4 * QUARTER
KINDS = (1, 2, 4, 8, 16, 32, 64)


class Span(NamedTuple):
    """A chord, or a rest without heads, from one tick to another."""

    start: int
    end: int
    heads: tuple[Head, ...] = ()
    velocity: int = 0
    tied: bool = False  # to the next span
    held: bool = False  # from the one before
    lyric: Lyric | None = None


def beats(metre: Metre) -> list[int]:
    """Returns the beats of a bar in ticks: three eighths each in 6/8, 2 + 3 in 5/8."""
    count, unit = metre[0], WHOLE // metre[1]
    if metre[1] >= 4 and count % 3 == 0 and (count > 3 or metre[1] >= 8):
        return [3 * unit] * (count // 3)
    if metre[1] <= 4 or count < 4:
        return [unit] * count
    return [2 * unit] * (count // 2 - count % 2) + [3 * unit] * (count % 2)


def write_layer(
    spans: Sequence[Span], start: int, metre: Metre, *, hidden: bool
) -> Layer:
    """Writes the spans of a layer, which fill a bar, as values, tuplets and beams.

    Args:
      spans: the chords and rests, in order and without gaps.
      start: where the bar begins, or would begin if it is a pickup.
      metre: the metre of the bar.
      hidden: whether rests are not printed.
    """
    grid = _Grid(start, metre)
    items: list[Event | Tuplet] = []
    for run, is_tuplet in _runs(list(spans), start):
        if is_tuplet:
            items.append(_tuplet(run))
        else:
            items += (event for span in run for event in grid.write(span, hidden))
    return _beam(items, grid)


def _runs(spans: list[Span], origin: int) -> Iterator[tuple[list[Span], bool]]:
    """Yields runs of spans, and whether each is a tuplet.

    A tuplet lasts from a 64th of the bar to the next one at which a span begins or
    ends, if the spans between fit a triplet, quintuplet or septuplet. Otherwise it is
    cut at the last position that a note of such a length begins at.
    """
    waiting = spans[::-1]
    while waiting:
        run = [waiting.pop()]
        while (run[-1].end - origin) % SHORTEST and waiting:
            run.append(waiting.pop())
        start, end = run[0].start, run[-1].end
        if len(run) == 1 or _count(run):
            yield run, len(run) > 1
            continue
        cut = _cut(start - origin, end - origin) + origin
        first, rest = _split(run, cut)
        if start < cut < end:
            waiting += rest[::-1] + first[::-1]
        else:  # on no grid at all
            yield _rounded(run, origin), False


def _cut(start: int, end: int) -> int:
    """Returns the end of the longest aligned value that begins at `start`.

    It is less than `end`, or `start` if there is none. It is aligned if its length
    divides its onset.
    """
    length = LONGEST_TUPLET
    while length > SHORTEST and (start % length or start + length >= end):
        length //= 2
    return start + length if start + length < end else start


def _split(run: list[Span], cut: int) -> tuple[list[Span], list[Span]]:
    first, rest = [], []
    for span in run:
        if span.start < cut < span.end:
            tied = bool(span.heads)
            first.append(span._replace(end=cut, tied=tied or span.tied))
            held = tied or span.held
            rest.append(span._replace(start=cut, held=held, lyric=None))
        else:
            (first if span.end <= cut else rest).append(span)
    return first, rest


def _rounded(run: list[Span], origin: int) -> list[Span]:
    """Returns the spans with their bounds at 64ths, without those that vanish."""
    near = lambda tick: origin + round((tick - origin) / SHORTEST) * SHORTEST
    moved = [x._replace(start=near(x.start), end=near(x.end)) for x in run]
    return [span for span in moved if span.start < span.end]


def _count(run: list[Span]) -> int | None:
    """Returns the number of equal parts of a tuplet that the spans are, if they are."""
    start, length = run[0].start, run[-1].end - run[0].start
    if length > LONGEST_TUPLET or WHOLE % length or length < SHORTEST:
        return None
    finest = 4 if length <= QUARTER else 1
    for count, normal in TUPLETS.items():
        for fraction in (1, 2, 4):
            part = length // count // fraction
            if fraction > finest or part * count // normal < SHORTEST:
                break
            if all((span.start - start) % part == 0 for span in run):
                return count
    return None


def _tuplet(run: list[Span]) -> Tuplet:
    """Writes spans as a tuplet; a span that is no single value is tied."""
    count = _count(run)
    assert count is not None
    normal, events = TUPLETS[count], list[Event]()
    for span in run:
        left = (span.end - span.start) * count // normal
        start, pieces = span.start, []
        while left > 0:
            value = next(v for v in _values() if v <= left)
            pieces.append((start, value * normal // count, value))
            start += value * normal // count
            left -= value
        for i, (at, ticks, value) in enumerate(pieces):
            event = _event(span, at, ticks, value=value)
            last = i + 1 == len(pieces)
            tied = bool(span.heads) and (span.tied if last else True)
            held = bool(span.heads) and (i > 0 or span.held)
            lyric = None if i else span.lyric
            event = dataclasses.replace(event, tied=tied, held=held, lyric=lyric)
            events.append(event)
    return Tuplet(count, normal, tuple(events))


def _values() -> list[int]:
    """Returns all note values in ticks, the plain ones and those with a dot."""
    plain = [WHOLE // kind for kind in KINDS]
    return sorted(plain + [3 * v // 2 for v in plain[:-1]], reverse=True)


def _event(span: Span, start: int, ticks: int, *, value: int) -> Event:
    dots = int(WHOLE % value != 0)
    kind = WHOLE // (2 * value // 3 if dots else value)
    return Event(
        start, ticks, kind, dots=dots, heads=span.heads, velocity=span.velocity
    )


class _Grid:
    """The beats of a bar, by which notes and rests are split and beamed."""

    def __init__(self, origin: int, metre: Metre):
        self.origin, self.metre = origin, metre
        self.lengths = beats(metre)
        self.starts = list(itertools.accumulate(self.lengths, initial=origin))
        self.compound = self.lengths[0] * metre[1] == 3 * WHOLE

    def beat(self, tick: int) -> tuple[int, int]:
        """Returns the beginning and the end of the beat that a tick is in."""
        for start, end in itertools.pairwise(self.starts):
            if start <= tick < end:
                return start, end
        first = self.starts[-1] if tick >= self.starts[-1] else self.origin
        length = self.lengths[-1]
        start = first + (tick - first) // length * length
        return start, start + length

    def write(self, span: Span, hidden: bool) -> Iterator[Event]:
        """Yields the events of a span, split where a reader expects a beat."""
        start = span.start
        while start < span.end:
            value = self._value(start, span.end, rest=not span.heads)
            event = _event(span, start, value, value=value)
            start += value
            yield dataclasses.replace(
                event,
                tied=bool(span.heads) and (span.tied or start < span.end),
                held=bool(span.heads) and (span.held or event.start > span.start),
                hidden=hidden and not span.heads,
                lyric=span.lyric if event.start == span.start else None,
            )

    def _value(self, start: int, end: int, *, rest: bool) -> int:
        """Returns the longest value from `start` to `end` at most that can be read."""
        values = [v for v in _values() if v <= end - start]
        readable = (v for v in values if self._is_readable(start, v, end, rest=rest))
        _, last = self.beat(start)
        return next(readable, None) or next(
            (v for v in values if start + v <= last), min(_values())
        )

    def _is_readable(self, start: int, value: int, end: int, *, rest: bool) -> bool:
        """Returns whether a value is easy to read at `start`, in a span up to `end`."""
        first, last = self.beat(start)
        within, length = start - first, last - first
        dotted = WHOLE % value != 0
        if start + value <= last:
            aligned = within % value == 0 or value == length
            return aligned and (self.compound or not dotted) if rest else True
        if self.compound or len(set(self.lengths)) > 1:
            ends = {*self.starts, last}
            return within == 0 and start + value in ends
        if rest:
            return (start - self.origin) % value == 0 and not dotted
        middle = self.starts[2] if len(self.lengths) == 4 else self.starts[-1]
        if within == 0 and value % length == 0:
            return True
        if start + value < end:  # what remains begins on a beat
            return False
        if within == 0:
            return 2 * value == 3 * length
        crosses = start < middle < start + value
        return 2 * within == length and value == length and not crosses


def _beam(items: list[Event | Tuplet], grid: _Grid) -> Layer:
    """Numbers the beams: over events with flags in one beat, without rests.

    Eighths alone share a beam for two quarters, where those begin half a bar.
    """
    number = 0
    out: list[Event | Tuplet] = []
    runs = [list(run) for _, run in itertools.groupby(items, lambda x: _group(x, grid))]
    for run in _joined(runs, grid):
        number += 1
        for item in run:
            if isinstance(item, Tuplet):
                out.append(_beam_tuplet(item, number))
                number += len(item.events)
            else:
                beamed = _group(item, grid) is not None and len(run) > 1
                out.append(dataclasses.replace(item, beam=number if beamed else 0))
    return tuple(out)


def _joined(
    runs: list[list[Event | Tuplet]], grid: _Grid
) -> Iterator[list[Event | Tuplet]]:
    """Yields the runs; two quarters of eighths that make half a bar are one."""
    halves = grid.metre[0] in (2, 4) and grid.metre[1] == 4
    while runs:
        run, *runs = runs
        if halves and runs and _is_half(run + runs[0], grid):
            run, runs = run + runs[0], runs[1:]
        yield run


def _is_half(run: list[Event | Tuplet], grid: _Grid) -> bool:
    eighths = all(isinstance(x, Event) and x.heads and x.kind == 8 for x in run)
    plain = eighths and not any(isinstance(x, Event) and x.dots for x in run)
    return plain and len(run) == 4 and not (run[0].start - grid.origin) % (2 * QUARTER)


def _group(item: Event | Tuplet, grid: _Grid) -> tuple | None:
    """Returns a key that the members of a beam share; None without a beam."""
    if isinstance(item, Tuplet):
        return ("tuplet", item.start)
    if not item.heads or not item.flags:
        return None
    return ("beat", *grid.beat(item.start))


def _beam_tuplet(tuplet: Tuplet, number: int) -> Tuplet:
    """Beams the neighbours with flags in a tuplet."""
    events: list[Event] = []
    for flagged, run in itertools.groupby(
        tuplet.events, key=lambda e: bool(e.heads and e.flags)
    ):
        members = list(run)
        joined = flagged and len(members) > 1
        number += 1
        events += (
            dataclasses.replace(e, beam=number if joined else 0) for e in members
        )
    return dataclasses.replace(tuplet, events=tuple(events))
