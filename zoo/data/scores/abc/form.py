"""Repeats and variant endings, as sections and the order in which they are played."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import NamedTuple

from zoo.data.refusal import Refused

Span = tuple[int, int]  # start and stop, in ticks


class Mark(NamedTuple):
    """A repeat sign, double bar, variant ending or part label."""

    position: int  # in ticks
    kind: str  # "start" |:, "end" :|, "double" ||, "ending" [1, "part" P:
    times: int = 1  # number of times that an "end" plays its section
    passes: frozenset[int] = frozenset()  # passes on which an "ending" is played
    label: str = ""  # name of a "part"


class Play(NamedTuple):
    """Spans played in succession, `times` times."""

    spans: list[Span]
    times: int
    label: str = ""


@dataclass
class _State:
    """State of the iteration over the marks."""

    plays: list[Play] = field(default_factory=list)
    opened: int = 0  # start of the current section
    explicit: bool = False  # whether it was opened by |:
    _: KW_ONLY
    label: str = ""
    # passes and start of each ending of the current section
    endings: list[tuple[frozenset[int], int]] = field(default_factory=list)

    def close(self, stop: int, times: int = 1) -> None:
        """Closes the current section at `stop`."""
        if self.endings:
            self._close_endings(stop, times)
        elif stop > self.opened:
            self.plays.append(Play([(self.opened, stop)], times, self.label))
        self.opened, self.explicit = stop, False

    def _close_endings(self, stop: int, times: int) -> None:
        starts = [start for _, start in self.endings]
        spans = list(zip(starts, [*starts[1:], stop], strict=True))
        last = max(max(passes) for passes, _ in self.endings)
        if last == 1 and times > 1:
            last = times  # without a second ending, the repeat omits the first
        for number in range(1, last + 1):
            variants = [
                s for (p, _), s in zip(self.endings, spans, strict=True) if number in p
            ]
            chosen = [
                s for s in [(self.opened, starts[0]), *variants[:1]] if s[1] > s[0]
            ]
            if chosen:
                self.plays.append(Play(chosen, 1, self.label))
        self.endings = []


def plays(marks: Sequence[Mark], end: int, order: str) -> list[Play]:
    """Returns the plays of a tune in order.

    Args:
      marks: marks by position.
      end: end of the tune, in ticks.
      order: the P field of the header, which applies if all of its parts are marked.
    """
    state = _State()
    for index, mark in enumerate(marks):
        following = marks[index + 1] if index + 1 < len(marks) else None
        if mark.kind == "ending":
            if state.endings or 1 in mark.passes:
                state.endings.append((mark.passes, mark.position))
            continue
        if state.endings and following and following[:2] == (mark.position, "ending"):
            continue  # the `:|` of `:|2` is followed by the second ending
        if mark.kind == "double" and (
            (following and following.position == mark.position)
            or (max(state.endings[-1][0]) == 1 if state.endings else state.explicit)
        ):
            continue  # a double bar within a repeat does not end the section
        if mark.position > state.opened:
            state.close(mark.position, mark.times)
        if mark.kind in ("start", "part"):
            state.explicit = mark.kind == "start"
            state.label = mark.label or state.label
    state.close(end)
    return _order_plays(state.plays, order)


def _order_plays(played: list[Play], order: str) -> list[Play]:
    """Orders plays by the labels of `order`; otherwise merges adjacent plain ones."""
    labels = _parse_order(order)
    if labels and set(labels) <= {play.label for play in played}:
        return [play for label in labels for play in played if play.label == label]
    merged: list[Play] = []
    for play in played:
        if play.times == len(play.spans) == 1 and merged:
            before = merged[-1]
            if (
                before.times == len(before.spans) == 1
                and before.spans[0][1] == play.spans[0][0]
            ):
                merged[-1] = Play([(before.spans[0][0], play.spans[0][1])], 1)
                continue
        merged.append(play)
    return merged


def _parse_order(order: str) -> list[str]:
    """Expands an order of parts such as "A(AB)2C." to its letters."""
    stack: list[list[str]] = [[]]
    last: list[str] = []
    for token in re.findall(r"[A-Z]|\d+|[()]", order):
        if token == "(":
            stack.append([])
        elif token == ")" and len(stack) > 1:
            last = stack.pop()
            stack[-1] += last
        elif token.isdigit():
            stack[-1] += last * (min(int(token), 99) - 1)
        elif token.isalpha():
            last = [token]
            stack[-1] += last
        if len(stack[-1]) > 99:
            raise Refused(
                "abc-form", f"the order of parts `{order[:40]}` has over 99 parts"
            )
    return [label for level in stack for label in level]


def sections(
    played: Sequence[Play], end: int
) -> tuple[list[int], list[tuple[list[int], int]]]:
    """Returns the sections of a tune and the groups in which they are played.

    Returns:
      The starts of the sections in ticks, and for each group the indices of its
      sections and its number of plays; both empty if the tune is played straight
      through.
    """
    if len(played) == 1 and played[0].spans == [(0, end)] and played[0].times == 1:
        return [], []
    bounds = sorted(
        {0, end, *(edge for play in played for span in play.spans for edge in span)}
    )
    groups = [
        (
            [
                i
                for a, b in play.spans
                for i in range(bisect_left(bounds, a), bisect_left(bounds, b))
            ],
            play.times,
        )
        for play in played
    ]
    return bounds[:-1], groups
