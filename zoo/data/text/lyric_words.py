"""The words that a piece is sung to, with their notes and phonemes."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from zoo.data.lyrics import Line, Syllable, lyrics_of
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.text.reading import ENGINES, phonemes_of, read
from zoo.data.text.syllables import SpokenSyllable, syllables_of

NUMBER = re.compile(r"^\d+\s*[.):]\s*")  # of a verse, before its first syllable
BRACES = re.compile(r"\{([^{}]*)\}")
Group = tuple[Syllable, list[int]]  # a syllable of lyrics, and its notes


class LaidSyllable(NamedTuple):
    """A syllable and the notes that it is sung to.

    Attributes:
      spoken: the syllable, with its phonemes.
      notes: indices of its notes in the piece, in order; several are a melisma.
    """

    spoken: SpokenSyllable
    notes: tuple[int, ...]


def laid_syllables(
    sequence: NoteSequence, engine: str = ENGINES[0], line: Line | None = None
) -> list[LaidSyllable]:
    """Returns the syllables that a line of a piece is sung to, with their notes.

    A word with fewer syllables than it is pronounced with joins them, as "heav'n"; of
    one with more, the last are extended.

    Args:
      sequence: the piece.
      engine: what pronounces the words, "cmudict" or "espeak".
      line: instrument and voice; by default the first that has lyrics.

    Raises:
      Refused: `words`: the line has no lyrics; others as `read`.
      ZooError, UsageError: as `read`.
    """
    found: list[LaidSyllable] = []
    for word in lyric_words(sequence, line):
        spoken = _spoken([syllable.text for syllable, _ in word], engine)
        if not spoken:
            if found:
                more = [i for _, notes in word for i in notes]
                found[-1] = found[-1]._replace(notes=(*found[-1].notes, *more))
            continue
        spoken = _merged(spoken, len(word))
        for place, (syllable, notes) in enumerate(word):
            if place < len(spoken):
                one = spoken[place]._replace(lyric=syllable)
                found.append(LaidSyllable(one, tuple(notes)))
            else:
                longer = (*found[-1].notes, *notes)
                found[-1] = found[-1]._replace(notes=longer)
    if not found:
        raise Refused("words", "There are notes but no words: give them lyrics.")
    return found


def lyric_words(sequence: NoteSequence, line: Line | None = None) -> list[list[Group]]:
    """Returns the syllables of each word of a line, with the indices of their notes.

    Args:
      sequence: the piece.
      line: instrument and voice; by default the first that has lyrics.
    """
    lyrics = lyrics_of(sequence)
    order = sorted(range(len(lyrics)), key=lambda i: (sequence.notes[i].start_time, i))
    groups: list[Group] = []
    for index in order:
        syllable, note = lyrics[index], sequence.notes[index]
        if syllable is None or note.end_time <= note.start_time:
            continue
        line = line or (note.instrument, note.voice)
        if line != (note.instrument, note.voice):
            continue
        if not syllable.extends:
            groups.append((syllable, [index]))
        elif groups:
            groups[-1][1].append(index)
    words: list[list[Group]] = [[]]
    for group in groups:
        words[-1].append(group)
        if not group[0].joined:
            words.append([])
    return [word for word in words if word]


def spelled(texts: Sequence[str]) -> str:
    """Returns a word whose syllables are `texts`; "" if it has no letters."""
    text = NUMBER.sub("", "".join(texts))
    return text if any(map(str.isalnum, text)) else ""


def _spoken(texts: Sequence[str], engine: str) -> list[SpokenSyllable]:
    """Returns the syllables of a word; none if it has no letters."""
    named = [BRACES.fullmatch(text) for text in texts]
    if all(named):
        return [
            SpokenSyllable(Syllable(text), phonemes_of(match[1]), 0)
            for text, match in zip(texts, named, strict=True)
            if match
        ]
    text = spelled(texts)
    if not text:
        return []
    words = read(text, engine).words
    return [syllable for word in words for syllable in syllables_of(word)]


def _merged(spoken: list[SpokenSyllable], count: int) -> list[SpokenSyllable]:
    """Joins syllables without stress to those before them until there are `count`."""
    spoken = list(spoken)
    while len(spoken) > count:
        place = min(range(1, len(spoken)), key=lambda i: (spoken[i].stress == 1, -i))
        weak = spoken.pop(place)
        before = spoken[place - 1]
        spoken[place - 1] = before._replace(
            phonemes=(*before.phonemes, *weak.phonemes), pause=weak.pause
        )
    return spoken
