"""Lyrics of the parts of a MusicXML score (`<lyric>`).

Of several verses the one of the lowest number is kept, and of others what stands on
notes without words of that one, such as those of a second ending.
"""

from collections import Counter, defaultdict
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import NamedTuple

from zoo.data.lyrics import EXTENDS, Syllable, clean, syllabic
from zoo.data.scores.musicxml_values import Element, integer

STOPS = "stop"
MARKED = ("start", "continue", "word")  # melismas that rests do not end
UNTYPED = "untyped"  # <extend/> without a type, as before MusicXML 3
LAST = 1 << 30  # order of verses whose name is no number


class Word(NamedTuple):
    """A `<lyric>`: its syllable, or what it says of a melisma.

    Attributes:
      syllable: the syllable; None without a text.
      extend: the type of its `<extend>`, "" without one.
    """

    syllable: Syllable | None
    extend: str


@dataclass(frozen=True)
class Place:
    """A note, a chord or a rest of a voice.

    Attributes:
      position: its position in quarters.
      words: its lyrics by verse.
      begins: whether it begins there, and is not tied to the note before.
      rest: whether it is a rest.
    """

    position: Fraction
    words: dict[str, Word]
    begins: bool = False
    _: KW_ONLY
    rest: bool = False


class Words:
    """Collects the lyrics of a part by voice, in the order of the file."""

    def __init__(self, remarks: Counter[str]):
        self.remarks = remarks
        self.places: dict[int, list[Place]] = defaultdict(list)

    def note(
        self, element: Element, voice: int, position: Fraction, *, tied: bool
    ) -> None:
        """Adds a note that sounds.

        Args:
          element: the note.
          voice: its voice.
          position: its position in quarters.
          tied: whether it is joined to the note before.
        """
        words = _words(element)
        places = self.places[voice]
        if places and places[-1].position == position and not places[-1].rest:
            for verse, word in words.items():
                places[-1].words.setdefault(verse, word)
            return
        if tied:
            self.remarks["syllables-without-note"] += _texts(words)
        places.append(Place(position, words, not tied))

    def rest(self, element: Element, voice: int, position: Fraction) -> None:
        """Adds a rest, which has no syllable."""
        words = _words(element)
        self.remarks["syllables-without-note"] += _texts(words)
        self.places[voice].append(Place(position, {}, rest=True))

    def lines(self) -> dict[int, list[tuple[Fraction, Syllable | None]]]:
        """Returns the syllable of each onset, by voice; adds remarks."""
        lines = {}
        for voice, places in self.places.items():
            verses = _verses(places)
            if verses:
                self.remarks["verses"] += len(verses) - 1
                places.sort(key=lambda place: place.position)
                lines[voice] = _line(places, verses)
        return lines


def _texts(words: dict[str, Word]) -> bool:
    """Says whether there is a syllable."""
    return any(word.syllable is not None for word in words.values())


def _verses(places: list[Place]) -> list[str]:
    """Returns the names of the verses, the one that is kept first."""
    names = dict.fromkeys(name for place in places for name in place.words)
    return sorted(names, key=lambda x: LAST if (n := integer(x)) is None else n)


def _line(
    places: list[Place], verses: list[str]
) -> list[tuple[Fraction, Syllable | None]]:
    """Returns the syllables of a voice.

    A note without a word extends the last one up to the end of a melisma that is
    marked, or to the next syllable of the same word, or else to the next rest.
    """
    line: list[tuple[Fraction, Syllable | None]] = []
    verse, melisma, sung = verses[0], "", False
    for place in places:
        if place.rest:
            melisma = melisma if melisma in MARKED else ""
            sung = bool(melisma)
            continue
        here = [x for x in (verses[0], verse) if x in place.words]
        if melisma in ("", STOPS):
            here += [x for x in verses if x in place.words]
        word = place.words[here[0]] if here else None
        found = EXTENDS if sung else None
        if word is not None and word.syllable is not None and place.begins:
            found, verse = word.syllable, here[0]
            melisma = word.extend or ("word" if found.joined else "")
        elif word is not None and word.extend:
            melisma = word.extend if word.extend == STOPS else "start"
        elif word is not None and place.begins:  # an empty text
            found, melisma = None, ""
        if place.begins:
            line.append((place.position, found))
        sung = (found is not None or not place.begins) and melisma != STOPS
    return line


def _words(element: Element) -> dict[str, Word]:
    """Returns the lyrics of a note by verse; the first of one number is kept."""
    words: dict[str, Word] = {}
    for lyric in element.findall("lyric"):
        verse = (lyric.get("number") or lyric.get("name") or "1").strip()
        words.setdefault(verse, _word(lyric))
    return words


def _word(lyric: Element) -> Word:
    """Returns the syllable of a lyric, in which elided ones have spaces between."""
    texts = [x.text or "" for x in lyric.findall("text")]
    places = [(x.text or "").strip() for x in lyric.findall("syllabic")]
    text = clean(" ".join(texts))
    after = bool(places) and places[0] in ("middle", "end")
    before = bool(places) and places[-1] in ("begin", "middle")
    if before and len(text) > 1:
        text = text.removesuffix("-")
    extend = lyric.find("extend")
    kind = "" if extend is None else extend.get("type") or UNTYPED
    return Word(Syllable(text, syllabic(after, before)) if text else None, kind)
