"""A text as words with their phonemes."""

import itertools
from typing import NamedTuple

from zoo.data.refusal import Refused
from zoo.data.text.inventory import CONSONANTS, PHONEMES, VOWELS, is_vowel
from zoo.data.text.normalise import PAUSES, tokens
from zoo.data.text.words import pronounce
from zoo.errors import clipped

THE_BEFORE_VOWELS = ("DH", "IY0")


class Word(NamedTuple):
    """A word of a text.

    Attributes:
      text: its letters as the text has them; "" of phonemes in braces by themselves.
      phonemes: its phonemes.
      pause: the sign of the pause after it, one of `PAUSES`; "" without one.
    """

    text: str
    phonemes: tuple[str, ...]
    pause: str = ""


class Reading(NamedTuple):
    """The words of a text, and remarks: one `code: sentence` for each guessed word."""

    words: tuple[Word, ...]
    remarks: tuple[str, ...]


def read(text: str) -> Reading:
    """Returns the words of an English text with their phonemes.

    Phonemes in braces are a word, or, after a word without a space, its phonemes:
    `I read{R EH1 D} it`.

    Raises:
      Refused: `empty`, `control`, `alphabet`, `braces` or `phoneme`.
      ZooError: the dictionary is not installed.
    """
    words: list[Word] = []
    remarks: dict[str, str] = {}
    articles: set[int] = set()
    for token in tokens(text):
        if token.spoken in PAUSES:
            words[-1] = words[-1]._replace(pause=token.spoken)
            continue
        if token.phonemes is not None:
            words.append(Word(token.shown, phonemes_of(token.phonemes)))
            continue
        if token.spoken == "the":
            articles.add(len(words))
        spoken = pronounce(token.spoken)
        words.append(Word(token.shown, spoken.phonemes))
        if spoken.guessed:
            remarks[token.spoken] = _guessed(token.spoken, spoken.phonemes)
    for index, (word, after) in enumerate(itertools.pairwise(words)):
        is_the = index in articles and not word.pause
        if is_the and is_vowel(after.phonemes[0]):
            words[index] = word._replace(phonemes=THE_BEFORE_VOWELS)
    return Reading(tuple(words), tuple(remarks.values()))


def _guessed(word: str, phonemes: tuple[str, ...]) -> str:
    held = clipped(" ".join(phonemes))
    return (
        f"guessed: {clipped(word)!r} is in no dictionary and is read by its letters as "
        f"{{{held}}}"
    )


def phonemes_of(text: str) -> tuple[str, ...]:
    """Returns the phonemes that a text names, as `R EH1 D` does.

    Raises:
      Refused: `phoneme`.
    """
    names = text.upper().split()
    if not names:
        raise Refused("phoneme", "The braces hold no phoneme: write one, as in {AY1}.")
    for name in names:
        if name in VOWELS:
            raise Refused(
                "phoneme",
                f"The vowel {name} in braces has no stress: write {name}0 for none, "
                f"{name}1 for the main one or {name}2.",
            )
        if name not in PHONEMES:
            raise Refused(
                "phoneme",
                f"{clipped(name)!r} in braces is no phoneme: choose from "
                f"{', '.join(VOWELS)}, each with its stress 0, 1 or 2, and "
                f"{', '.join(CONSONANTS)}.",
            )
    return tuple(names)
