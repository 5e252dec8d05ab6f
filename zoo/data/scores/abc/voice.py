"""One voice of an ABC tune, parsed token by token to notes at exact positions."""

import re
from collections import Counter
from fractions import Fraction

from zoo.data.refusal import Refused
from zoo.data.scores.abc import fields
from zoo.data.scores.abc.form import Mark
from zoo.data.scores.abc.lex import CHORD_NOTE, TOKEN, passes, ratio
from zoo.data.scores.abc.words import Words
from zoo.data.scores.limits import Limits

QUARTER = 2**10 * 3**3 * 5 * 7 * 11  # ticks, divisible by all tuplets and slashes
PITCH = {
    letter: 60 + step
    for letter, step in zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True)
}
PITCH |= {letter.lower(): pitch + 12 for letter, pitch in PITCH.items()}
DYNAMICS = {  # velocities as in note_seq; the default is mf
    **{"pppp": 30, "ppp": 30, "pp": 45, "p": 60, "mp": 75, "mf": 90},
    **{"f": 105, "ff": 120, "fff": 127, "ffff": 127},
}
HARMONY = re.compile(
    r"[A-G][#b]?(?:maj|min|dim|aug|sus|add|m|M|\+|°|ø|[2-79]|11|13|[#b(),])*"
    r"(?:/[A-G][#b]?)?"
)

Spelling = tuple[str, str]  # letter and octave marks
ChordNote = tuple[Spelling, int, int]  # spelling, pitch, ticks


class Voice:
    """Parser of the lines of a voice; positions and durations are in ticks.

    Attributes:
      notes: lists of start, end, pitch and velocity.
      harmonies: positions and texts of chord symbols.
      keys: positions and key signatures.
      metres: positions and metres, None for free metre.
      tempos: positions and quarters per minute.
      bar_lines: positions.
      marks: repeat signs, endings and part labels.
      remarks: counts of what was left out, such as groups of grace notes.
      words: the words below the notes.
      position: end of the music parsed so far.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.notes: list[list[int]] = []
        self.harmonies: list[tuple[int, str]] = []
        self.keys: list[tuple[int, fields.Key]] = []
        self.metres: list[tuple[int, tuple[int, int] | None]] = []
        self.tempos: list[tuple[int, float]] = []
        self.bar_lines: list[int] = []
        self.marks: list[Mark] = []
        self.remarks: Counter[str] = Counter()
        self.words = Words(self.remarks)
        self.position = 0
        self.unit = Fraction(1, 8)
        self.lengths: dict[str, int] = {}  # ticks by notation, under this unit
        self.metre: tuple[int, int] | None = None
        self.key = fields.Key({})
        self.transposition = fields.Transposition()
        self.velocity = DYNAMICS["mf"]
        self.altered: dict[str, int] = {}  # accidentals by letter, until the bar line
        self.ties: dict[Spelling, int] = {}  # indices of the notes with open ties
        # the previous event: spellings and indices of its notes, and its ticks
        self.last: tuple[list[tuple[Spelling, int]], int] | None = None
        self.broken = (1, 1)  # factor of the next event, after a broken rhythm
        self.tuplet = (0, 1, 1)  # events left, and their factor
        self.overlay_end = 0  # end of the layers before an overlay

    def field(self, name: str, value: str) -> None:
        """Parses a field of the header, of the body or in brackets."""
        if name == "K":
            key, unknown = fields.key(value)
            self.remarks["key-words"] += unknown
            self.transposition = self.transposition.changed(value, of_voice=False)
            if key is not None:
                self.key = key
                self.keys.append((self.position, key))
        elif name == "M":
            self.metre = fields.metre(value)
            self.metres.append((self.position, self.metre))
        elif name == "L":
            self.unit, self.lengths = fields.unit(value), {}
        elif name == "Q":
            qpm, understood = fields.tempo(value, self.unit)
            self.remarks["tempo-words"] += not understood
            if qpm is not None:
                self.tempos.append((self.position, qpm))
        elif name == "V":
            self.transposition = self.transposition.changed(value, of_voice=True)
        elif name == "w":
            self.words.field(value)
        elif name == "W":
            self.remarks["words-below-tune"] += 1
        elif name == "P":
            self.marks.append(Mark(self.position, "part", label=value.strip()[:1]))

    def music(self, text: str) -> None:
        """Parses a line of music. Raises Refused, with the column of the error."""
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
        """Closes the last bar at the end of the tune."""
        self.position = max(self.position, self.overlay_end)
        self._bar_line()
        # The notes of the last chord may be longer than its first.
        self.position = max([self.position, *(note[1] for note in self.notes)])

    def _note(self, match: re.Match[str]) -> None:
        sign, letter, octave, size = match.group("sign", "step", "octave", "size")
        self._place([self._chord_note(sign, letter, octave, self._ticks(size))])

    def _chord(self, match: re.Match[str]) -> None:
        scale = Fraction(*ratio(match["times"]))
        notes, tied = [], []
        for token in CHORD_NOTE.finditer(match["notes"]):
            if token["step"]:
                ticks = self._exact(self._ticks(token["size"]) * scale)
                sign, letter, octave = token.group("sign", "step", "octave")
                notes.append(self._chord_note(sign, letter, octave, ticks))
                if token["tie"]:
                    tied.append(len(notes) - 1)
        if not notes:
            raise Refused("abc-syntax", f"the chord `{match[0]}` has no notes")
        self._place(notes)
        if self.last:
            self.ties |= dict(self.last[0][i] for i in tied)

    def _chord_note(
        self, sign: str | None, letter: str, octave: str, ticks: int
    ) -> ChordNote:
        name, spelling = letter.upper(), (letter, octave)
        if sign is not None:
            alter = self.altered[name] = fields.ALTER[sign]
        elif spelling in self.ties:
            return spelling, self.notes[self.ties[spelling]][2], ticks
        else:
            alter = self.altered.get(name, self.key.alter.get(name, 0))
        octaves = octave.count("'") - octave.count(",")
        shift = 12 * octaves + alter + self.transposition.shift
        return spelling, PITCH[letter] + shift, ticks

    def _place(self, notes: list[ChordNote]) -> None:
        """Adds simultaneous notes, or lengthens the notes that they are tied to."""
        numerator, denominator = self._factor()
        placed, before = [], len(self.notes)
        for spelling, pitch, ticks in notes:
            end = self.position + self._divide(ticks * numerator, denominator)
            tied = self.ties.get(spelling)
            if tied is not None and self.notes[tied][1:3] == [self.position, pitch]:
                self.notes[tied][1] = end
            else:
                tied = len(self.notes)
                self.notes.append([self.position, end, pitch, self.velocity])
            placed.append((spelling, tied))
        if not self.overlay_end:
            onset = self.position if len(self.notes) > before else None
            self.words.note(onset, len(self.bar_lines))
        self._advance(placed, self._divide(notes[0][2] * numerator, denominator))

    def _advance(self, placed: list[tuple[Spelling, int]], ticks: int) -> None:
        self.words.begin(len(self.bar_lines))
        self.ties = {}
        self.last = placed, ticks
        self.position += ticks

    def _factor(self) -> tuple[int, int]:
        """Returns the fraction by which tuplet and broken rhythm scale an event."""
        numerator, denominator = self.broken
        self.broken = 1, 1
        left, q, p = self.tuplet
        if left:
            self.tuplet = left - 1, q, p
            return numerator * q, denominator * p
        return numerator, denominator

    def _rest(self, match: re.Match[str]) -> None:
        numerator, denominator = self._factor()
        ticks = self._ticks(match["pause"]) * numerator
        self._advance([], self._divide(ticks, denominator))

    def _bars(self, match: re.Match[str]) -> None:
        numerator, denominator = self.metre or (4, 4)
        for _ in range(int(match["count"] or 1)):
            self._bar_line()
            self._advance([], self._divide(4 * QUARTER * numerator, denominator))

    def _tie(self, match: re.Match[str]) -> None:
        if self.last:
            self.ties = dict(self.last[0])

    def _broken(self, match: re.Match[str]) -> None:
        if self.last is None:
            raise Refused("abc-rhythm", f"no note precedes `{match[0]}`")
        placed, ticks = self.last
        short, denominator = 1, 1 << len(match[0])
        long = 2 * denominator - short
        before, after = (long, short) if match[0][0] == ">" else (short, long)
        self.broken = after, denominator
        change = self._divide(ticks * before, denominator) - ticks
        for _, index in placed:
            self.notes[index][1] += change
        self.position += change
        self.last = None

    def _tuplet(self, match: re.Match[str]) -> None:
        p = int(match["p"])
        compound = (
            self.metre is not None and self.metre[0] % 3 == 0 and self.metre[0] > 3
        )
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 3 if compound else 2)
        q, count = int(match["q"] or usual), int(match["r"] or p)
        if p < 2 or not q or not count:
            raise Refused("abc-rhythm", f"the tuplet `{match[0]}` is not valid")
        self.tuplet = count, q, p

    def _grace(self, match: re.Match[str]) -> None:
        self.remarks["grace-notes"] += 1

    def _bar(self, match: re.Match[str]) -> None:
        self.position, self.overlay_end = max(self.position, self.overlay_end), 0
        self._bar_line()
        line = match["line"]
        left = len(line) - len(line.lstrip(":"))
        right = len(line) - len(line.rstrip(":"))
        if left == len(line):  # :: and its like
            left = right = (left + 1) // 2
        if left:
            self.marks.append(Mark(self.position, "end", times=left + 1))
        if right:
            self.marks.append(Mark(self.position, "start"))
        if not left and not right and line != "|":
            self.marks.append(Mark(self.position, "double"))
        if match["passes"]:
            self._add_ending(match["passes"])

    def _bar_line(self) -> None:
        self.altered = {}
        if not self.bar_lines or self.bar_lines[-1] < self.position:
            self.bar_lines.append(self.position)

    def _ending(self, match: re.Match[str]) -> None:
        self._add_ending(match["numbers"])

    def _add_ending(self, numbers: str) -> None:
        chosen = passes(numbers)
        if not chosen or 0 in chosen:
            raise Refused("abc-form", f"the ending `{numbers}` has no valid pass")
        self.marks.append(Mark(self.position, "ending", passes=chosen))

    def _overlay(self, match: re.Match[str]) -> None:
        self.overlay_end = max(self.overlay_end, self.position)
        self.position = self.bar_lines[-1] if self.bar_lines else 0
        self.ties, self.last = {}, None

    def _field(self, match: re.Match[str]) -> None:
        self.field(match["key"], match["value"].strip())

    def _quoted(self, match: re.Match[str]) -> None:
        if HARMONY.fullmatch(match["text"]):
            self.harmonies.append((self.position, match["text"]))

    def _decoration(self, match: re.Match[str]) -> None:
        name = match[0].strip("!+")
        if match[0][0] in "!+" and name in DYNAMICS:
            self.velocity = DYNAMICS[name]
        elif match[0][0] == "+" and re.fullmatch(
            r"(?:[\^_=]*[A-Ga-g][,']*[\d/]*){2,}", name
        ):
            raise Refused(
                "abc-syntax",
                f"the chord `{match[0]}` is in the notation before ABC 1.6",
            )

    def _newline(self, match: re.Match[str]) -> None:
        """Ignores a single `!`, which only breaks the printed line."""

    def _ticks(self, size: str) -> int:
        ticks = self.lengths.get(size)
        if ticks is None:
            numerator, denominator = ratio(size)
            ticks = self._exact(4 * QUARTER * self.unit * numerator / denominator)
            self.lengths[size] = ticks
        return ticks

    @staticmethod
    def _exact(ticks: Fraction) -> int:
        if ticks.denominator != 1:
            raise Refused("abc-length", "a length finer than any tuplet of 1024ths")
        return int(ticks)

    @staticmethod
    def _divide(ticks: int, divisor: int) -> int:
        quotient, remainder = divmod(ticks, divisor)
        if remainder:
            raise Refused("abc-length", "a length finer than any tuplet of 1024ths")
        return quotient
