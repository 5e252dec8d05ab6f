"""Repeats and variant endings as sections and the order they are played in."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from zoo.data.refusal import Refused

Span = tuple[int, int]  # from and to, in ticks


class Mark(NamedTuple):
    """A place where the form may turn."""

    at: int  # ticks
    kind: str  # "start" |:, "end" :|, "double" ||, "ending" [1, "part" P:
    times: int = 1  # that an "end" has the section played
    passes: frozenset[int] = frozenset()  # that an "ending" is for
    label: str = ""  # of a "part"


class Play(NamedTuple):
    """Spans played one after the other, `times` over."""

    spans: list[Span]
    times: int
    label: str = ""


@dataclass
class _Walk:
    """Where a walk over the marks stands."""

    plays: list[Play] = field(default_factory=list)
    opened: int = 0  # where the section under way began
    explicit: bool = False  # whether a |: opened it
    label: str = ""
    endings: list[tuple[frozenset[int], int]] = field(
        default_factory=list
    )  # passes, start

    def play(self, to: int, times: int = 1) -> None:
        """End the section under way at `to`."""
        if self.endings:
            self._play_endings(to, times)
        elif to > self.opened:
            self.plays.append(Play([(self.opened, to)], times, self.label))
        self.opened, self.explicit = to, False

    def _play_endings(self, to: int, times: int) -> None:
        starts = [start for _, start in self.endings]
        spans = list(zip(starts, [*starts[1:], to], strict=True))
        last = max(max(passes) for passes, _ in self.endings)
        if last == 1 and times > 1:
            last = times  # a first ending and no second: the repeat leaves it out
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
    """What is played, in order; `order` is the header's P field, obeyed where parts are marked."""
    walk = _Walk()
    for index, mark in enumerate(marks):
        following = marks[index + 1] if index + 1 < len(marks) else None
        if mark.kind == "ending":
            if walk.endings or 1 in mark.passes:
                walk.endings.append((mark.passes, mark.at))
            continue
        if walk.endings and following and following[:2] == (mark.at, "ending"):
            continue  # `:|2` turns back, and the second ending is next
        if mark.kind == "double" and (
            (following and following.at == mark.at)  # which says more
            or (max(walk.endings[-1][0]) == 1 if walk.endings else walk.explicit)
        ):
            continue  # a double bar inside a repeat is only a double bar
        if mark.at > walk.opened:
            walk.play(mark.at, mark.times)
        if mark.kind in ("start", "part"):
            walk.explicit = mark.kind == "start"
            walk.label = mark.label or walk.label
    walk.play(end)
    return _ordered(walk.plays, order)


def _ordered(played: list[Play], order: str) -> list[Play]:
    labels = _parts(order)
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


def _parts(order: str) -> list[str]:
    """The letters of "A(AB)2C." in the order they are played."""
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
                "abc-form", f"the order of parts `{order[:40]}` plays over 99 parts"
            )
    return [label for level in stack for label in level]


def sections(
    played: Sequence[Play], end: int
) -> tuple[list[int], list[tuple[list[int], int]]]:
    """Where sections begin, and the groups played: (section indices, times); none if plain."""
    if len(played) == 1 and played[0].spans == [(0, end)] and played[0].times == 1:
        return [], []
    cuts = sorted(
        {0, end, *(at for play in played for span in play.spans for at in span)}
    )
    groups = [
        (
            [
                i
                for a, b in play.spans
                for i in range(bisect_left(cuts, a), bisect_left(cuts, b))
            ],
            play.times,
        )
        for play in played
    ]
    return cuts[:-1], groups
