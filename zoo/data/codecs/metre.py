"""Metres: time signatures of a proto, and spans in which bars are counted.

A span begins a count of bars of one metre. A pickup, or a bar that is cut short, is a
span that is shorter than a bar of its metre, followed by a span that begins the count
again. Protos write the same as one bar with a shorter signature. Both directions
produce a normal form:

- A bar that is shorter than the metre before it (or, for the first bar, after it) is a
  cut bar of that metre, unless its signature is an allowed metre other than the plain
  name of its length.
- Two cut bars that together make up a whole one, as at a repeat within a bar, are one
  whole bar.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.codecs.base import empty_sequence
from zoo.data.proto import Metre, NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError

Fraction = tuple[int, int]  # a time signature, not reduced: 6/8 is not 3/4


class Span(NamedTuple):
    """Bars of `metre`, counted from step `start`."""

    start: int
    metre: Fraction


class _Stretch(NamedTuple):
    """A number of whole bars, or one bar that is cut short; times in steps."""

    start: int
    length: int
    metre: Fraction


class _Stretches(NamedTuple):
    """The stretches of a piece, and the metres that are allowed."""

    stretches: list[_Stretch]
    allowed: Sequence[Fraction]
    steps_per_quarter: int

    def metre(self, index: int, before: Fraction | None) -> Fraction:
        """Returns the metre in which a stretch is counted.

        This is its own metre, or that of its neighbour if it is a cut bar.
        """
        stretch, rate = self.stretches[index], self.steps_per_quarter
        bar = bar_steps(stretch.metre, rate)
        is_allowed = stretch.metre in self.allowed
        if stretch.length > bar:
            return stretch.metre
        if is_allowed and stretch.metre != plain_name(bar, rate):
            return stretch.metre
        neighbours = [before] if before else []
        if index + 1 < len(self.stretches) and not (before and is_allowed):
            neighbours.append(self.stretches[index + 1].metre)
        for metre in neighbours:
            if metre in self.allowed and bar < bar_steps(metre, rate):
                return metre
        return stretch.metre

    def are_halves(self, index: int, metre: Fraction) -> bool:
        """Returns whether a stretch and the next make up one bar of `metre`.

        The stretch after them, if there is one, continues in that metre.
        """
        pair = self.stretches[index : index + 2]
        rate = self.steps_per_quarter
        if len(pair) < 2 or sum(x.length for x in pair) != bar_steps(metre, rate):
            return False
        if any(x.length != bar_steps(x.metre, rate) for x in pair):
            return False
        stop = min(index + 3, len(self.stretches))
        return all(self.metre(i, metre) == metre for i in range(index, stop))


def bar_steps(metre: Fraction, steps_per_quarter: int) -> int:
    """Returns the number of steps in a bar.

    Raises:
      Refused: `metre`: the number is not whole.
    """
    steps, rest = divmod(4 * steps_per_quarter * metre[0], metre[1])
    if rest:
        raise Refused(
            "metre",
            f"A bar of {metre[0]}/{metre[1]} is not a whole number of steps, "
            f"{steps_per_quarter} to a quarter.",
        )
    return steps


def metre_spans(
    metres: Iterable[Metre],
    end: int,
    allowed: Sequence[Fraction],
    steps_per_quarter: int,
) -> list[Span]:
    """Returns the normal form of the metres of a piece of `end` steps.

    Raises:
      Refused: `metre`: a metre is not allowed, and is no cut bar.
    """
    renamed = _renamed(metres, allowed)
    stretches = _stretches(renamed, end, allowed, steps_per_quarter)
    reader = _Stretches(stretches, allowed, steps_per_quarter)
    spans: list[Span] = []
    metre, position, index = None, 0, 0  # `position` is in steps since the barline
    while index < len(stretches):
        stretch = stretches[index]
        own = reader.metre(index, metre)
        if own not in allowed:
            raise Refused(
                "metre", f"A bar is in {own[0]}/{own[1]}; add it to the codec's metres."
            )
        if own == metre and position == 0 and reader.are_halves(index, own):
            index += 2
            continue
        if own != metre or position:
            spans.append(Span(stretch.start, own))
            position = 0
        position = (position + stretch.length) % bar_steps(own, steps_per_quarter)
        metre = own
        index += 1
    return spans


def time_signatures(
    spans: Sequence[Span], end: int, steps_per_quarter: int
) -> list[Span]:
    """Returns spans as time signatures: cut bars have short signatures of their own.

    A bar that the end of the piece cuts keeps the signature of its span.
    """
    signatures: list[Span] = []
    stops = [span.start for span in spans[1:]] + [end]
    for span, stop in zip(spans, stops, strict=True):
        bar = bar_steps(span.metre, steps_per_quarter)
        whole = stop if stop == end else stop - (stop - span.start) % bar
        if whole > span.start:
            signatures.append(span)
        if whole < stop:
            signatures.append(Span(whole, plain_name(stop - whole, steps_per_quarter)))
    return signatures


def plain_name(length: int, steps_per_quarter: int) -> Fraction:
    """Returns the plain signature of a bar: in quarters, else eighths, else 16ths.

    Args:
      length: the length of the bar in steps.
    """
    numerator, denominator = length, 4 * steps_per_quarter
    while denominator > 4 and numerator % 2 == 0:
        numerator, denominator = numerator // 2, denominator // 2
    return numerator, denominator


def barred_sequence(
    spans: Sequence[Span], length: int, steps_per_quarter: int, qpm: float
) -> NoteSequence:
    """Returns a sequence of `length` steps that has time signatures but no notes."""
    step = 60 / qpm / steps_per_quarter
    sequence = empty_sequence(qpm)
    for start, metre in time_signatures(spans, length, steps_per_quarter):
        sequence.time_signatures.add(
            time=start * step, numerator=metre[0], denominator=metre[1]
        )
    sequence.total_time = length * step
    return sequence


def filled_length(start: int, end: int, bar: int) -> tuple[int, list[str]]:
    """Returns the length with the last bar filled if half of it is there, and remarks.

    Args:
      start: the step from which bars are counted.
      end: the length in steps.
      bar: the length of a bar in steps.
    """
    rest = (end - start) % bar
    if 2 * rest < bar:
        return end, []
    return end + bar - rest, ["padded: rests up to the end of the last bar"]


def require_one_length(
    names: Sequence[str], metres: Sequence[Fraction], steps_per_quarter: int
) -> None:
    """Raises UsageError unless bars of all metres make up bars of the first."""
    bar = bar_steps(metres[0], steps_per_quarter)
    if any(bar % bar_steps(metre, steps_per_quarter) for metre in metres):
        raise UsageError(
            f"bars of {', '.join(names)} do not make up bars of {names[0]}: choose "
            "metres whose bars do, and train another model for the others."
        )


@contextlib.contextmanager
def fixed_metres(names: Sequence[str]) -> Iterator[None]:
    """Replaces the advice of a refusal of a metre.

    A metre of other bars cannot be added to the codec of a model of phrases, because
    its phrases are of one length.
    """
    try:
        yield
    except Refused as refused:
        if refused.reason != "metre":
            raise
        fact = refused.detail.partition(";")[0].rstrip(".")
        raise Refused(
            "metre",
            f"{fact}. The codec reads {' or '.join(names)}: other metres need a model "
            "of their own.",
        ) from refused


def _renamed(metres: Iterable[Metre], allowed: Sequence[Fraction]) -> list[Metre]:
    """Renames signatures to allowed ones of the same length: 1/2 becomes 2/4."""
    renamed = []
    for m in metres:
        same = (x for x in allowed if x[0] * m.denominator == x[1] * m.numerator)
        if (m.numerator, m.denominator) not in allowed:
            m = Metre(m.start, *next(same, (m.numerator, m.denominator)))
        renamed.append(m)
    return renamed


def _stretches(
    metres: list[Metre], end: int, allowed: Sequence[Fraction], rate: int
) -> list[_Stretch]:
    """Divides a piece into stretches of whole bars and single cut bars.

    If a metre does not last for a whole number of bars, its last bar is cut; in the
    first metre of a piece it is the first bar. The last stretch may end within a bar.
    """
    starts = [int(np.floor(m.start * rate + 0.5)) for m in metres]
    stops = [min(start, end) for start in starts[1:]] + [end]
    stretches: list[_Stretch] = []
    for m, start, stop in zip(metres, starts, stops, strict=True):
        metre = m.numerator, m.denominator
        if start >= stop:
            continue
        rest = (stop - start) % bar_steps(metre, rate) if stop < end else 0
        first = not stretches
        whole = _Stretch(start + rest if first else start, stop - start - rest, metre)
        cut = _Stretch(start if first else stop - rest, rest, plain_name(rest, rate))
        for stretch in sorted(x for x in (whole, cut) if x.length):
            last = stretches[-1] if stretches else None
            if last and stretch.metre == last.metre and stretch.metre in allowed:
                stretches.pop()
                stretch = last._replace(length=last.length + stretch.length)
            stretches.append(stretch)
    return stretches
