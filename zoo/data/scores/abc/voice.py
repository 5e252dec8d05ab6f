"""One voice of an ABC tune, token by token, into notes at exact positions."""

import re
from fractions import Fraction

from zoo.data.refusal import Refused
from zoo.data.scores.abc import fields
from zoo.data.scores.abc.form import Mark
from zoo.data.scores.abc.lex import HEAD, TOKEN, passes, ratio
from zoo.data.scores.limits import Limits

QUARTER = (
    2**10 * 3**3 * 5 * 7 * 11
)  # ticks: whatever a tuplet or a slash divides, exactly
PITCH = {
    letter: 60 + step
    for letter, step in zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True)
}
PITCH |= {letter.lower(): pitch + 12 for letter, pitch in PITCH.items()}
VELOCITY = {  # of the dynamics, as note_seq has them; mf until one is met
    **{"pppp": 30, "ppp": 30, "pp": 45, "p": 60, "mp": 75, "mf": 90},
    **{"f": 105, "ff": 120, "fff": 127, "ffff": 127},
}
HARMONY = re.compile(
    r"[A-G][#b]?(?:maj|min|dim|aug|sus|add|m|M|\+|°|ø|[2-79]|11|13|[#b(),])*(?:/[A-G][#b]?)?"
)

Head = tuple[tuple[str, str], int, int]  # its letter and octave marks, pitch, ticks


class Voice:
    """Reads the lines of a voice in turn; positions and durations are in ticks of `QUARTER`.

    The result: `notes` as [start, end, pitch, velocity], and with their positions `harmonies`
    (chord symbols), `keys`, `metres`, `tempos`, `lines` (bar lines) and `marks` (of the form).
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.notes: list[list[int]] = []
        self.harmonies: list[tuple[int, str]] = []
        self.keys: list[tuple[int, fields.Key]] = []
        self.metres: list[tuple[int, tuple[int, int] | None]] = []
        self.tempos: list[tuple[int, float]] = []
        self.lines: list[int] = []
        self.marks: list[Mark] = []
        self.graces = 0
        self.now = 0
        self.unit = Fraction(1, 8)
        self.lengths: dict[
            str, int
        ] = {}  # in ticks, of what is written under this unit
        self.metre: tuple[int, int] | None = None
        self.key = fields.Key({})
        self.velocity = VELOCITY["mf"]
        self.altered: dict[str, int] = {}  # letters, until the bar line
        self.ties: dict[tuple[str, str], int] = {}  # to the notes they would lengthen
        self.last: tuple[list[tuple[tuple[str, str], int]], int] | None = None
        self.scale = (1, 1)  # of the next event, after a broken rhythm
        self.tuplet = (0, 1, 1)  # events left, and what they are scaled by
        self.furthest = 0  # end of the layers before an overlay

    def field(self, name: str, value: str) -> None:
        """Take a field of the header, the body or an `[inline]` one."""
        if name == "K":
            key = fields.key(value)
            if key is not None:
                self.key = key
                self.keys.append((self.now, key))
        elif name == "M":
            self.metre = fields.metre(value)
            self.metres.append((self.now, self.metre))
        elif name == "L":
            self.unit, self.lengths = fields.unit(value), {}
        elif name == "Q":
            qpm = fields.tempo(value, self.unit)
            if qpm is not None:
                self.tempos.append((self.now, qpm))
        elif name == "P":
            self.marks.append(Mark(self.now, "part", label=value.strip()[:1]))

    def music(self, text: str) -> None:
        """Take a line of music. Raises Refused, with the column, for what is not ABC."""
        position = 0
        while position < len(text):
            match = TOKEN.match(text, position)
            try:
                if match is None or match.lastgroup is None:
                    raise Refused(
                        "abc-syntax", f"`{text[position : position + 8]}` is not ABC"
                    )
                if match.lastgroup != "skip":
                    getattr(self, f"_{match.lastgroup}")(match)
            except Refused as refused:
                raise Refused(
                    refused.reason, f"column {position + 1}: {refused.detail}"
                ) from None
            position = match.end()
        if len(self.notes) > self.limits.notes:
            raise Refused("too-many-notes", f"over {self.limits.notes:,} notes")

    def finish(self) -> None:
        """Close what is open at the end of the tune."""
        self.now = max(self.now, self.furthest)
        self._line()
        self.now = max(
            [self.now, *(note[1] for note in self.notes)]
        )  # a chord's longest

    def _note(self, match: re.Match[str]) -> None:
        sign, letter, octave, size = match.group("sign", "step", "octave", "size")
        self._place([self._head(sign, letter, octave, self._ticks(size))])

    def _chord(self, match: re.Match[str]) -> None:
        scale = Fraction(*ratio(match["times"]))
        heads, tied = [], []
        for head in HEAD.finditer(match["heads"]):
            if head["step"]:
                ticks = self._exact(self._ticks(head["size"]) * scale)
                heads.append(
                    self._head(head["sign"], head["step"], head["octave"], ticks)
                )
                if head["tie"]:
                    tied.append(len(heads) - 1)
        if not heads:
            raise Refused("abc-syntax", f"the chord `{match[0]}` has no notes")
        self._place(heads)
        if self.last:
            self.ties |= dict(self.last[0][i] for i in tied)

    def _head(self, sign: str | None, letter: str, octave: str, ticks: int) -> Head:
        name, where = letter.upper(), (letter, octave)
        if sign is not None:
            alter = self.altered[name] = fields.ALTER[sign]
        elif where in self.ties:
            return where, self.notes[self.ties[where]][2], ticks
        else:
            alter = self.altered.get(name, self.key.alter.get(name, 0))
        octaves = octave.count("'") - octave.count(",")
        return where, PITCH[letter] + 12 * octaves + alter + self.key.shift, ticks

    def _place(self, heads: list[Head]) -> None:
        """Sound `heads` together, each lengthening the note it is tied to, if it is."""
        above, below = self._scale()
        placed = []
        for where, pitch, ticks in heads:
            end = self.now + self._divide(ticks * above, below)
            tied = self.ties.get(where)
            if tied is not None and self.notes[tied][1:3] == [self.now, pitch]:
                self.notes[tied][1] = end
            else:
                tied = len(self.notes)
                self.notes.append([self.now, end, pitch, self.velocity])
            placed.append((where, tied))
        self._advance(placed, self._divide(heads[0][2] * above, below))

    def _advance(self, placed: list[tuple[tuple[str, str], int]], ticks: int) -> None:
        self.ties = {}
        self.last = placed, ticks
        self.now += ticks

    def _scale(self) -> tuple[int, int]:
        """What tuplet and broken rhythm make of the next event's length."""
        above, below = self.scale
        self.scale = 1, 1
        left, q, p = self.tuplet
        if left:
            self.tuplet = left - 1, q, p
            return above * q, below * p
        return above, below

    def _rest(self, match: re.Match[str]) -> None:
        above, below = self._scale()
        self._advance([], self._divide(self._ticks(match["pause"]) * above, below))

    def _bars(self, match: re.Match[str]) -> None:
        above, below = self.metre or (4, 4)
        for _ in range(int(match["count"] or 1)):
            self._line()
            self._advance([], self._divide(4 * QUARTER * above, below))

    def _tie(self, match: re.Match[str]) -> None:
        if self.last:
            self.ties = dict(self.last[0])

    def _broken(self, match: re.Match[str]) -> None:
        if self.last is None:
            raise Refused("abc-rhythm", f"nothing comes before `{match[0]}`")
        placed, ticks = self.last
        part, whole = 1, 1 << len(match[0])
        rest = 2 * whole - part
        first, self.scale = (
            (rest, (part, whole)) if match[0][0] == ">" else (part, (rest, whole))
        )
        change = self._divide(ticks * first, whole) - ticks
        for _, index in placed:
            self.notes[index][1] += change
        self.now += change
        self.last = None

    def _tuplet(self, match: re.Match[str]) -> None:
        p = int(match["p"])
        compound = (
            self.metre is not None and self.metre[0] % 3 == 0 and self.metre[0] > 3
        )
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 3 if compound else 2)
        q, count = int(match["q"] or usual), int(match["r"] or p)
        if p < 2 or not q or not count:
            raise Refused("abc-rhythm", f"the tuplet `{match[0]}` has no sense")
        self.tuplet = count, q, p

    def _grace(self, match: re.Match[str]) -> None:
        self.graces += 1

    def _bar(self, match: re.Match[str]) -> None:
        self.now, self.furthest = max(self.now, self.furthest), 0
        self._line()
        line = match["line"]
        left = len(line) - len(line.lstrip(":"))
        right = len(line) - len(line.rstrip(":"))
        if left == len(line):  # :: and its like
            left = right = (left + 1) // 2
        if left:
            self.marks.append(Mark(self.now, "end", times=left + 1))
        if right:
            self.marks.append(Mark(self.now, "start"))
        if not left and not right and line != "|":
            self.marks.append(Mark(self.now, "double"))
        if match["passes"]:
            self._mark_ending(match["passes"])

    def _line(self) -> None:
        self.altered = {}
        if not self.lines or self.lines[-1] < self.now:
            self.lines.append(self.now)

    def _ending(self, match: re.Match[str]) -> None:
        self._mark_ending(match["numbers"])

    def _mark_ending(self, numbers: str) -> None:
        chosen = passes(numbers)
        if not chosen or 0 in chosen:
            raise Refused("abc-form", f"the ending `{numbers}` is for no time through")
        self.marks.append(Mark(self.now, "ending", passes=chosen))

    def _overlay(self, match: re.Match[str]) -> None:
        self.furthest = max(self.furthest, self.now)
        self.now = self.lines[-1] if self.lines else 0
        self.ties, self.last = {}, None

    def _field(self, match: re.Match[str]) -> None:
        self.field(match["key"], match["value"].strip())

    def _quoted(self, match: re.Match[str]) -> None:
        if HARMONY.fullmatch(match["text"]):
            self.harmonies.append((self.now, match["text"]))

    def _decoration(self, match: re.Match[str]) -> None:
        name = match[0].strip("!+")
        if match[0][0] in "!+" and name in VELOCITY:
            self.velocity = VELOCITY[name]
        elif match[0][0] == "+" and re.fullmatch(
            r"(?:[\^_=]*[A-Ga-g][,']*[\d/]*){2,}", name
        ):
            raise Refused(
                "abc-syntax", f"the chord `{match[0]}` is of an ABC before 1.6"
            )

    def _newline(self, match: re.Match[str]) -> None:
        """A lone `!` breaks the printed line and nothing else."""

    def _ticks(self, size: str) -> int:
        ticks = self.lengths.get(size)
        if ticks is None:
            above, below = ratio(size)
            ticks = self.lengths[size] = self._exact(
                4 * QUARTER * self.unit * above / below
            )
        return ticks

    @staticmethod
    def _exact(ticks: Fraction) -> int:
        if ticks.denominator != 1:
            raise Refused("abc-length", "a length finer than any tuplet of 1024ths")
        return int(ticks)

    @staticmethod
    def _divide(ticks: int, by: int) -> int:
        whole, over = divmod(ticks, by)
        if over:
            raise Refused("abc-length", "a length finer than any tuplet of 1024ths")
        return whole
