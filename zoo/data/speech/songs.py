"""Pieces with lyrics, sung by a voice that can speak."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.speech.placing import SungNote, Syllable, syllables_in
from zoo.data.speech.singing import Singing, Spoken, sing
from zoo.data.text.lyric_words import lyric_words, spelled
from zoo.data.text.reading import read


class SpokenWords(Spoken, Protocol):
    """An utterance that says with which phoneme each word begins."""

    @property
    def words(self) -> Sequence[int]: ...


class SongWord(NamedTuple):
    """A word of a song.

    Attributes:
      text: its letters.
      size: how many words it is in speech: two of "well-known".
      notes: for each of its syllables, the indices of its notes.
    """

    text: str
    size: int
    notes: tuple[tuple[int, ...], ...]


def song_words(sequence: NoteSequence) -> list[SongWord]:
    """Returns the words of a piece with their notes.

    Raises:
      Refused: `words`: it has none; others as `zoo.data.text.reading.read`.
    """
    found: list[SongWord] = []
    for word in lyric_words(sequence):
        text = spelled([syllable.text for syllable, _ in word])
        notes = tuple(tuple(held) for _, held in word)
        if text:
            plain = "".join(x if x.isalnum() or x in "'’" else " " for x in text)
            text = " ".join(plain.split()).strip("'’")
        if text:
            found.append(SongWord(text, len(read(text).words), notes))
        elif found:  # signs alone extend what is before them
            *others, last = found[-1].notes
            more = tuple(i for held in notes for i in held)
            found[-1] = found[-1]._replace(notes=(*others, (*last, *more)))
    if not found:
        raise Refused("words", "There are notes but no words: give them lyrics.")
    return found


def sing_piece(
    sequence: NoteSequence,
    speak: Callable[[str], SpokenWords],
    *,
    compass: tuple[int, int] | None = None,
    seed: int = 0,
) -> Singing:
    """Sings the line of a piece that has lyrics.

    A word that is spoken with more syllables than it has in the lyrics joins those
    without stress to others; of one with fewer, the last is extended.

    Args:
      sequence: the piece.
      speak: speaks a text; its words are those of `zoo.data.text.reading.read`.
      compass: as in `sing`.
      seed: as in `sing`.

    Raises:
      Refused: `words` or `notes`; others as `speak`.
      ZooError: the vocoder, or what speaks, is not installed.
    """
    words = song_words(sequence)
    spoken = speak(" ".join(word.text for word in words))
    if len(spoken.words) != sum(word.size for word in words):
        raise Refused(
            "words",
            f"The engine of speech says {len(spoken.words)} words, where the lyrics "
            f"have {sum(word.size for word in words)}: spell numbers and signs out.",
        )
    ranges = _ranges(spoken)
    syllables: list[Syllable] = []
    notes: list[SungNote] = []
    for word in words:
        own, ranges = ranges[: word.size], ranges[word.size :]
        found = _fitted(_syllables(spoken.phonemes, own), len(word.notes), spoken)
        for place, held in enumerate(word.notes):
            number = len(syllables) + min(place, len(found) - 1)
            for index in held:
                note = sequence.notes[index]
                begin, end = note.start_time, note.end_time
                notes.append(SungNote(note.pitch, begin, end, number))
        syllables += found
    return sing(
        spoken, _as_line(notes), syllables=syllables, compass=compass, seed=seed
    )


def _ranges(spoken: SpokenWords) -> list[range]:
    """Returns the numbers of the phonemes of each word, without pauses after it."""
    edges = [*spoken.words, len(spoken.phonemes)]
    found = []
    for start, stop in itertools.pairwise(edges):
        while stop > start + 1 and not spoken.phonemes[stop - 1]:
            stop -= 1
        found.append(range(start, stop))
    return found


def _syllables(names: Sequence[str], words: Sequence[range]) -> list[Syllable]:
    """Returns the syllables of a word; one without a vowel holds its last consonant."""
    whole = Syllable(words[0].start, words[-1].stop - 1, words[-1].stop)
    return syllables_in(names, words) or [whole]


def _fitted(found: list[Syllable], count: int, spoken: Spoken) -> list[Syllable]:
    """Joins syllables without stress to those before them until there are `count`."""
    found = list(found)
    while len(found) > count:
        stressed = [spoken.phonemes[x.vowel].endswith("1") for x in found]
        place = min(range(1, len(found)), key=lambda i: (stressed[i], -i))
        weak = found.pop(place)
        found[place - 1] = found[place - 1]._replace(stop=weak.stop)
    return found


def _as_line(notes: Sequence[SungNote]) -> list[SungNote]:
    """Returns notes of which each ends before the next begins."""
    after = [note.start for note in notes[1:]] + [float("inf")]
    return [
        note._replace(end=min(note.end, start))
        for note, start in zip(notes, after, strict=True)
    ]
