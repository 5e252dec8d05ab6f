"""Where bars are counted: between the time signatures of a proto and the metre tokens of a stream.

A span says: from this step on, count bars of this metre. A pickup, or a bar cut short, is a span
too short for its metre, followed by one that begins the count anew. Protos write the same thing as
one bar under a shorter signature. Both directions go to a normal form, in which

- a bar shorter than the metre before it (or, for the first, after it) is a cut bar of that metre,
  unless its signature is a known metre other than the plain name of its length;
- two cut bars that make up a whole one, as at a repeat in mid-bar, are a whole one.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.proto import Metre
from zoo.data.refusal import Refused

Fraction = tuple[int, int]  # a time signature, not reduced: 6/8 is not 3/4


class Span(NamedTuple):
    """Bars of `metre`, counted from `start` in steps."""

    start: int
    metre: Fraction


class _Part(NamedTuple):
    start: int
    length: int
    metre: Fraction


def bar_steps(metre: Fraction, steps_per_quarter: int) -> int:
    """Steps in a bar. Raises `Refused` where they are not whole."""
    steps, rest = divmod(4 * steps_per_quarter * metre[0], metre[1])
    if rest:
        raise Refused(
            "metre",
            f"A bar of {metre[0]}/{metre[1]} is not a whole number of steps, "
            f"{steps_per_quarter} to a quarter.",
        )
    return steps


def spans(
    metres: Iterable[Metre], end: int, known: Sequence[Fraction], steps_per_quarter: int
) -> list[Span]:
    """The normal form of the metres of a piece of `end` steps.

    Raises `Refused` where one is not `known` and no cut bar either.
    """
    parts = _parts(_renamed(metres, known), end, known, steps_per_quarter)
    found: list[Span] = []
    metre, position, at = None, 0, 0
    while at < len(parts):
        part = parts[at]
        own = _own(parts, at, metre, known, steps_per_quarter)
        if own not in known:
            raise Refused(
                "metre", f"A bar is in {own[0]}/{own[1]}; add it to the codec's metres."
            )
        if (
            own == metre
            and position == 0
            and _halves(parts, at, own, known, steps_per_quarter)
        ):
            at += 2
            continue
        if own != metre or position:
            found.append(Span(part.start, own))
            position = 0
        metre, position = (
            own,
            (position + part.length) % bar_steps(own, steps_per_quarter),
        )
        at += 1
    return found


def signatures(found: Sequence[Span], end: int, steps_per_quarter: int) -> list[Span]:
    """The time signatures that say the same: cut bars, the last excepted, under short ones."""
    written: list[Span] = []
    ends = [span.start for span in found[1:]] + [end]
    for span, stop in zip(found, ends, strict=True):
        bar = bar_steps(span.metre, steps_per_quarter)
        whole = stop if stop == end else stop - (stop - span.start) % bar
        if whole > span.start:
            written.append(span)
        if whole < stop:
            written.append(Span(whole, plain_name(stop - whole, steps_per_quarter)))
    return written


def plain_name(length: int, steps_per_quarter: int) -> Fraction:
    """The plain signature of a bar of `length` steps: in quarters, else eighths, else 16ths."""
    numerator, denominator = length, 4 * steps_per_quarter
    while denominator > 4 and numerator % 2 == 0:
        numerator, denominator = numerator // 2, denominator // 2
    return numerator, denominator


def _renamed(metres: Iterable[Metre], known: Sequence[Fraction]) -> list[Metre]:
    """Signatures that are not known under a known name for as long a bar: 1/2 is 2/4."""
    renamed = []
    for m in metres:
        same = (x for x in known if x[0] * m.denominator == x[1] * m.numerator)
        named = (m.numerator, m.denominator) in known
        renamed.append(m if named else Metre(m.start, *next(same, m[1:])))
    return renamed


def _parts(
    metres: list[Metre], end: int, known: Sequence[Fraction], rate: int
) -> list[_Part]:
    """Stretches of whole bars, and of single cut ones; only the last may end within a bar.

    Where the bars of a stretch do not come out, its last one is cut; the first of a piece, if it
    is the very first stretch.
    """
    starts = [int(np.floor(m.start * rate + 0.5)) for m in metres]
    stops = [min(start, end) for start in starts[1:]] + [end]
    parts: list[_Part] = []
    for m, start, stop in zip(metres, starts, stops, strict=True):
        metre = m.numerator, m.denominator
        if start >= stop:
            continue
        rest = (stop - start) % bar_steps(metre, rate) if stop < end else 0
        whole = _Part(start if parts else start + rest, stop - start - rest, metre)
        cut = _Part(stop - rest if parts else start, rest, plain_name(rest, rate))
        for part in sorted(x for x in (whole, cut) if x.length):
            if parts and part.metre == parts[-1].metre and part.metre in known:
                last = parts.pop()
                part = last._replace(length=last.length + part.length)
            parts.append(part)
    return parts


def _own(
    parts: list[_Part],
    at: int,
    before: Fraction | None,
    known: Sequence[Fraction],
    rate: int,
) -> Fraction:
    """The metre a part is counted in: its own, or that of its neighbour where it is a cut bar."""
    part = parts[at]
    bar = bar_steps(part.metre, rate)
    if part.length > bar or (
        part.metre in known and part.metre != plain_name(bar, rate)
    ):
        return part.metre
    neighbours = [before] if before else []
    if at + 1 < len(parts) and not (before and part.metre in known):
        neighbours.append(parts[at + 1].metre)
    longer = (x for x in neighbours if x in known and bar < bar_steps(x, rate))
    return next(longer, part.metre)


def _halves(
    parts: list[_Part], at: int, metre: Fraction, known: Sequence[Fraction], rate: int
) -> bool:
    """Whether this part and the next are the two halves of one bar of `metre`."""
    if at + 1 == len(parts):
        return False
    both, bar = parts[at : at + 2], bar_steps(metre, rate)
    return (
        sum(part.length for part in both) == bar
        and all(part.length == bar_steps(part.metre, rate) for part in both)
        and all(
            _own(parts, i, metre, known, rate) == metre
            for i in range(
                at, min(at + 3, len(parts))
            )  # and the one after goes on in it
        )
    )
