"""Words below the notes of an ABC tune, `w:` (standard 2.1, section 5)."""

import html
import re
import unicodedata
from collections import Counter
from typing import NamedTuple

from zoo.data.lyrics import EXTENDS, Syllable, clean, syllabic

_TOKEN = re.compile(
    r"(?P<bar>\|)|(?P<skip>\*)|(?P<hold>_)|(?P<hyphen>-)|(?P<space>\s+)"
    r"|(?P<word>(?:\\.|[^\s|*_-])+)"
)
_NUMBER = re.compile(r"\s*\d{1,3}[.):][~\s]*")  # of a verse
_ACCENT = re.compile(r"\\([`'^~\"])([A-Za-z])")
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308"}
_CODE = re.compile(r"\\u([0-9A-Fa-f]{4})")


class Slot(NamedTuple):
    """A note, or a chord, that takes one syllable.

    Attributes:
      onset: its position; None if it is tied to the note before.
      bar: the number of its bar.
    """

    onset: int | None
    bar: int


class Words:
    """The words of a voice. The first verse is kept.

    Attributes:
      onsets: the positions at which notes begin.
      sung: the syllables at some of them; the other notes are not sung.
    """

    def __init__(self, remarks: Counter[str]):
        self.remarks = remarks
        self.onsets: set[int] = set()
        self.sung: dict[int, Syllable] = {}
        self.slots: list[Slot] = []  # notes since the last field
        self.first: int | None = None  # the bar in which the music since then begins
        self.aligned: list[Slot] = []  # notes of the last field
        self.next = 0  # of them
        self.bar = 0  # that the last field has come to
        self.verse = 0  # further verses of the same notes
        self.joined = False  # whether a hyphen came last
        self.last: int | None = None  # position of the last syllable
        self.continued = False  # whether the last field ends with a backslash

    def begin(self, bar: int) -> None:
        """Says that a note or rest begins in a bar."""
        if self.first is None:
            self.first = bar

    def note(self, onset: int | None, bar: int) -> None:
        """Adds a note; see `Slot`."""
        self.slots.append(Slot(onset, bar))
        if onset is not None:
            self.onsets.add(onset)

    def at(self, onset: int) -> Syllable | None:
        """Returns the syllable at a position, in or after the beginning of a note."""
        return self.sung.get(onset) if onset in self.onsets else EXTENDS

    def field(self, text: str, *, more: bool = False) -> None:
        """Aligns a field `w:` with the notes since the last one.

        Args:
          text: the field.
          more: whether it is a field `+:`, which continues the last one.
        """
        more = more or self.continued
        self.continued = text.endswith("\\") and not text.endswith("\\\\")
        text = text.removesuffix("\\") if self.continued else text
        if not more:
            if self.slots or not self.aligned:
                self.aligned, self.slots, self.next = self.slots, [], 0
                self.bar, self.first, self.verse = self.first or 0, None, 0
            else:
                self.verse += 1
                self.remarks["verses"] = max(self.remarks["verses"], self.verse)
            text = _NUMBER.sub("", text, count=1) if _NUMBER.match(text) else text
        if not self.verse:
            self._align(text)

    def _align(self, text: str) -> None:
        before = ""
        for match in _TOKEN.finditer(_ACCENT.sub(_accented, text)):
            kind = match.lastgroup or ""
            if kind == "word":
                self._syllable(_decoded(match[0]))
            elif kind == "hold":
                self._take(EXTENDS)
            elif kind == "skip":
                self._take(None)
            elif kind == "bar":
                self._advance()
            elif kind == "hyphen":
                if before not in ("word", "hold"):  # a hyphen below a note of its own
                    self._take(EXTENDS)
                self._join()
            before = kind

    def _syllable(self, text: str) -> None:
        if not text:
            self._take(None)
            return
        onset = self._take(Syllable(text, syllabic(self.joined, False)))
        self.joined, self.last = False, onset

    def _join(self) -> None:
        """Marks the last syllable as one that its word continues after."""
        self.joined = True
        if self.last is not None:
            syllable = self.sung[self.last]
            after = syllable.syllabic in ("middle", "end")
            self.sung[self.last] = syllable._replace(syllabic=syllabic(after, True))

    def _take(self, syllable: Syllable | None) -> int | None:
        """Gives a syllable to the next note; returns its position, if it has one."""
        onset = None
        if self.next < len(self.aligned):
            onset = self.aligned[self.next].onset
            self.next += 1
        if syllable is None or syllable.extends:
            if onset is not None and syllable is not None:
                self.sung[onset] = syllable
        elif onset is None:
            self.remarks["syllables-without-note"] += 1
        else:
            self.sung[onset] = syllable
        return onset

    def _advance(self) -> None:
        """Advances to the next bar, unless syllables lie beyond its bar line."""
        self.bar += 1
        while self.next < len(self.aligned) and self.aligned[self.next].bar < self.bar:
            self.next += 1


def _accented(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match[2] + _ACCENTS[match[1]])


def _decoded(word: str) -> str:
    """Returns a syllable as it is printed: `of~the` is `of the`, `\\-` a hyphen."""
    word = _CODE.sub(lambda m: f"&#x{m[1]};", word.replace("~", " "))
    return clean(html.unescape(re.sub(r"\\(.)", r"\1", word)))
