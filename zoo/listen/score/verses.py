"""Lyrics of a notated piece: melismas in a layer, and words below an ABC voice."""

from collections.abc import Iterable, Iterator

from zoo.data.lyrics import Syllable
from zoo.listen.score.shape import Event, Lyric, Score, events

RESERVED = set("_*|~%\\&")  # signs in the words of ABC


def lyric(syllable: Syllable | None) -> Lyric | None:
    """Returns the lyric of a note, for `extended`."""
    if syllable is None:
        return None
    if syllable.extends:
        return Lyric(extend="continue")
    return Lyric(syllable.text, syllable.syllabic)


def extended(lyrics: Iterable[Lyric | None]) -> list[Lyric | None]:
    """Returns the lyrics of the chords of a layer, with the ends of their melismas."""
    found = list(lyrics)
    singing = False
    for i, (now, following) in enumerate(zip(found, [*found[1:], None], strict=True)):
        if now is None or not (now.text or singing):
            # needed only where no end of a melisma says so
            unmarked = singing and not (found[i - 1] or Lyric()).extend
            found[i], singing = Lyric() if unmarked else None, False
            continue
        goes_on = following is not None and not following.text
        singing = True
        if now.text:
            found[i] = now._replace(extend="start" if goes_on else "")
        else:
            found[i] = now._replace(extend="continue" if goes_on else "stop")
    return found


def verses(score: Score) -> dict[tuple[int, int], int]:
    """Returns the number of the verse of each layer that has lyrics, by staff.

    A layer has none if a higher one of its staff has the same words.
    """
    numbers: dict[tuple[int, int], int] = {}
    for staff in range(len(score.bars[0].staves)):
        texts: list[list[str]] = []
        for place in range(max(len(bar.staves[staff]) for bar in score.bars)):
            found = [
                event.lyric.text
                for bar in score.bars
                for event in _events(bar.staves[staff], place)
                if event.lyric is not None
            ]
            words = [text for text in found if text]
            if words and words not in texts:
                texts.append(words)
                numbers[staff, place] = len(texts)
    return numbers


def _events(layers: tuple, place: int) -> list[Event]:
    return events(layers[place]) if place < len(layers) else []


class Words:
    """The words of a voice of ABC, line by line."""

    def __init__(self) -> None:
        self.singing = self.joined = False

    def line(self, notes: Iterable[Event]) -> str:
        """Returns the field `w:` of the chords of a line of music."""
        words = "".join(self._words(notes)).strip()
        return f"w: {words}" if words.strip("* ") else "w:"

    def _words(self, notes: Iterable[Event]) -> Iterator[str]:
        first = True
        for event in notes:
            now = event.lyric
            if event.held or (now is not None and now.extend and not now.text):
                yield "_" if self.singing else " *"
            elif now is None or not now.text:
                self.singing = False
                yield " *"
            else:
                self.singing = True
                yield " " * (not self.joined) + _escaped(now.text, first=first)
                self.joined = now.syllabic in ("begin", "middle")
                yield "-" * self.joined
            first = False


def _escaped(text: str, *, first: bool) -> str:
    """Returns a syllable of ABC; one that begins a line shall not seem a number."""
    signs = [_sign(sign) for sign in text]
    if first and text[0].isdigit():
        signs[0] = f"\\u{ord(text[0]):04x}"
    return "".join(signs)


def _sign(sign: str) -> str:
    if sign in RESERVED:
        return f"\\u{ord(sign):04x}"
    return {"-": "\\-", " ": "~"}.get(sign, sign)
