"""A text as words with their phonemes."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from zoo.data.refusal import Refused
from zoo.data.text import espeak
from zoo.data.text.inventory import CONSONANTS, PHONEMES, VOWELS, is_vowel
from zoo.data.text.normalise import PAUSES, Token, tokens
from zoo.data.text.words import pronounce
from zoo.errors import clipped, require, shown

ENGINES = ("cmudict", "espeak")
PHRASE = 30  # words that espeak-ng is given at once

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


def read(text: str, engine: str = ENGINES[0]) -> Reading:
    """Returns the words of an English text with their phonemes.

    Phonemes in braces are a word, or, after a word without a space, its phonemes:
    `I read{R EH1 D} it`.

    Args:
      text: the text.
      engine: one of `ENGINES`.

    Raises:
      Refused: `empty`, `control`, `alphabet`, `braces` or `phoneme`.
      ZooError: the dictionary, or espeak-ng, is not installed.
      UsageError: there is no such engine.
    """
    require(
        engine in ENGINES,
        f"there is no engine of phonemes called {shown(engine)}: choose `engine` from "
        f"{', '.join(ENGINES)}.",
    )
    found = tokens(text)
    remarks: dict[str, str] = {}
    words: list[Word] = []
    for token in found:
        if token.spoken in PAUSES:
            words[-1] = words[-1]._replace(pause=token.spoken)
        elif token.phonemes is not None:
            words.append(Word(token.shown, phonemes_of(token.phonemes)))
        else:
            words.append(Word(token.shown, ()))
    spelled = [token for token in found if token.spoken not in PAUSES]
    if engine == "espeak":
        _read_by_espeak(spelled, words)
    for index, token in enumerate(spelled):
        if words[index].phonemes:
            continue
        spoken = pronounce(token.spoken)
        words[index] = words[index]._replace(phonemes=spoken.phonemes)
        if spoken.guessed:
            remarks[token.spoken] = _guessed(token.spoken, spoken.phonemes)
    _before_vowels(spelled, words)
    return Reading(tuple(words), tuple(remarks.values()))


def _read_by_espeak(spelled: Sequence[Token], words: list[Word]) -> None:
    """Writes the phonemes of words that have none yet, phrase by phrase."""
    phrase: list[int] = []
    for index, word in enumerate(words):
        if not word.phonemes:
            phrase.append(index)
        ends = bool(word.pause or word.phonemes) or index == len(words) - 1
        if phrase and (ends or len(phrase) == PHRASE):
            spoken = espeak.phrase([spelled[place].spoken for place in phrase])
            for place, phonemes in zip(phrase, spoken, strict=True):
                words[place] = words[place]._replace(phonemes=phonemes)
            phrase = []


def _before_vowels(spelled: Sequence[Token], words: list[Word]) -> None:
    """Writes the other "the" where a vowel follows."""
    for index, (word, after) in enumerate(itertools.pairwise(words)):
        is_the = spelled[index].spoken == "the" and spelled[index].phonemes is None
        if is_the and not word.pause and is_vowel(after.phonemes[0]):
            words[index] = word._replace(phonemes=THE_BEFORE_VOWELS)


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
