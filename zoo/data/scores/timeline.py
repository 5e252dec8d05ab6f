"""Conversion of score positions to the tempos and time signatures of a NoteSequence."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

from zoo.data.proto import QPM, NoteSequence

Signature = tuple[int, int, int]  # position, numerator, denominator
Clock = Callable[[int], float]  # from ticks to seconds


def write_tempos(
    sequence: NoteSequence, tempos: Iterable[tuple[int, float]], quarter: int
) -> Clock:
    """Writes tempos to `sequence` and returns the resulting map from ticks to seconds.

    Args:
      sequence: the sequence to write to.
      tempos: (ticks, quarters per minute); of several at one tick, the last is kept.
      quarter: ticks per quarter note.
    """
    changes = dict([(0, QPM), *sorted(tempos, key=lambda x: x[0])])
    ticks = list(changes)
    rates = [60 / qpm / quarter for qpm in changes.values()]
    starts = [0.0]
    for before, after, rate in zip(ticks, ticks[1:], rates, strict=False):
        starts.append(starts[-1] + (after - before) * rate)
    for time, qpm in zip(starts, changes.values(), strict=True):
        sequence.tempos.add(time=time, qpm=qpm)

    def seconds(tick: int) -> float:
        index = bisect_right(ticks, tick) - 1
        return starts[index] + (tick - ticks[index]) * rates[index]

    return seconds


def time_signatures(
    bar_lines: Sequence[int], metres: Iterable[Signature], quarter: int
) -> tuple[list[Signature], int]:
    """Returns time signatures by which every bar line begins a bar.

    A short first bar (pickup) gets a signature of its own length, followed by the true
    one, as in note_seq's MusicXML reader. So does an irregular bar within the piece.
    Two parts of one bar, divided by a repeat sign, remain one bar, and the last bar may
    be incomplete.

    Args:
      bar_lines: ascending positions of the bar lines, including the end of the piece.
      metres: the notated time signatures.
      quarter: ticks per quarter note.

    Returns:
      The signatures, and the number of irregular bars.
    """
    changes = sorted({metre[0]: metre for metre in metres}.values())
    end = bar_lines[-1] if bar_lines else 0
    stops = [*(position for position, _, _ in changes[1:]), end]
    signatures: dict[int, tuple[int, int]] = {}
    irregular = 0
    for (start, numerator, denominator), stop in zip(changes, stops, strict=False):
        bar, origin = 4 * quarter * numerator // denominator, start
        signatures[start] = numerator, denominator
        inside = bar_lines[
            bisect_right(bar_lines, start) : bisect_right(bar_lines, stop)
        ]
        for line, following in pairwise(inside):
            excess = (line - origin) % bar
            pickup = excess == line
            if not excess or ((following - origin) % bar == 0 and not pickup):
                continue
            length = Fraction(excess, 4 * quarter)
            if length.denominator in (1, 2, 4, 8, 16, 32, 64):
                signatures[line - excess] = length.numerator, length.denominator
            signatures[line] = numerator, denominator
            origin = line
            irregular += not pickup
    ordered = [(position, *metre) for position, metre in sorted(signatures.items())]
    return ordered, irregular
