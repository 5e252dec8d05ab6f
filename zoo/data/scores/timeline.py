"""From the positions of a score to those of a NoteSequence: its tempos and its metres."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

from zoo.data.proto import QPM, NoteSequence

Stated = tuple[int, int, int]  # position, numerator, denominator
Clock = Callable[[int], float]  # from ticks to seconds


def clock(
    sequence: NoteSequence, tempos: Iterable[tuple[int, float]], quarter: int
) -> Clock:
    """Write `tempos` (ticks, quarters per minute); the function from ticks to seconds they make.

    A quarter note has `quarter` ticks. Of several tempos at one tick the last holds.
    """
    changes = dict([(0, QPM), *sorted(tempos, key=lambda x: x[0])])
    ticks, rates, starts = (
        list(changes),
        [60 / qpm / quarter for qpm in changes.values()],
        [0.0],
    )
    for before, after, rate in zip(ticks, ticks[1:], rates, strict=False):
        starts.append(starts[-1] + (after - before) * rate)
    for time, qpm in zip(starts, changes.values(), strict=True):
        sequence.tempos.add(time=time, qpm=qpm)

    def seconds(at: int) -> float:
        index = bisect_right(ticks, at) - 1
        return starts[index] + (at - ticks[index]) * rates[index]

    return seconds


def signatures(
    lines: Sequence[int], metres: Iterable[Stated], quarter: int
) -> tuple[list[Stated], int]:
    """The time signatures that make each bar line begin a bar, and how many bars are irregular.

    `lines` are the positions of the bar lines, ascending, the end of the music among them. A short
    first bar gets a signature of its own length and the true one follows it: a pickup, as in
    note_seq's MusicXML reader. So does an irregular bar inside; but two parts of one bar, as
    repeats divide it, stay a bar, and the last bar may be incomplete.
    """
    changes = sorted({at: (at, above, below) for at, above, below in metres}.values())
    stops = [*(at for at, _, _ in changes[1:]), lines[-1] if lines else 0]
    found: dict[int, tuple[int, int]] = {}
    irregular = 0
    for (start, above, below), stop in zip(changes, stops, strict=False):
        bar, origin = 4 * quarter * above // below, start
        found[start] = above, below
        inside = lines[bisect_right(lines, start) : bisect_right(lines, stop)]
        for line, following in pairwise(inside):
            over = (line - origin) % bar
            pickup = over == line
            if not over or ((following - origin) % bar == 0 and not pickup):
                continue
            length = Fraction(over, 4 * quarter)
            if length.denominator in (1, 2, 4, 8, 16, 32, 64):
                found[line - over] = length.numerator, length.denominator
            found[line] = above, below
            origin = line
            irregular += not pickup
    return [(at, *metre) for at, metre in sorted(found.items())], irregular
