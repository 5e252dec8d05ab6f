"""Words that an engine of speech is given, and the utterance of its answer."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.refusal import Refused
from zoo.data.speech.matching import stressed
from zoo.data.speech.utterance import Utterance
from zoo.data.text.normalise import PAUSES, tokens
from zoo.data.text.reading import read
from zoo.errors import clipped

FULL_SCALE = 32_768
NO_WORD = -1  # the word of a pause


class Script(NamedTuple):
    """The words of a text as our front end reads them.

    Attributes:
      words: each in plain letters; a capital is a letter that is named.
      phonemes: those of each word.
      pauses: the sign of the pause after each word, or "".
    """

    words: tuple[str, ...]
    phonemes: tuple[tuple[str, ...], ...]
    pauses: tuple[str, ...]

    @property
    def plain(self) -> list[str]:
        """The words with their signs of pauses, as an engine reads them."""
        return [a + b for a, b in zip(self.words, self.pauses, strict=True)]


class Phone(NamedTuple):
    """A sound of an engine.

    Attributes:
      name: ARPAbet, with or without stress; "" is a pause.
      end: the sample at which it ends.
      word: the index of its word, or NO_WORD.
    """

    name: str
    end: int
    word: int


def script(text: str) -> Script:
    """Reads a text for an engine of speech.

    Raises:
      Refused: as `zoo.data.text.reading.read`, and `braces` of phonemes in braces.
      ZooError: the dictionary is not installed.
    """
    spelled = [token for token in tokens(text) if token.spoken not in PAUSES]
    for token in spelled:
        if token.phonemes is not None:
            raise Refused(
                "braces",
                f"The phonemes {{{clipped(token.phonemes)}}} cannot be given to an "
                "engine of speech: spell the word.",
            )
    words, _ = read(text)
    return Script(
        tuple(token.spoken for token in spelled),
        tuple(word.phonemes for word in words),
        tuple(word.pause for word in words),
    )


def utterance(
    lines: Script, audio: np.ndarray, rate: int, phones: Sequence[Phone]
) -> Utterance:
    """Returns the utterance of an engine's sounds; pauses in a row become one.

    Args:
      lines: what was spoken.
      audio: samples int16 [s].
      rate: samples per second.
      phones: the sounds in order.

    Raises:
      Refused: `unspoken`, a word of which the engine spoke nothing.
    """
    names: list[str] = []
    ends: list[int] = []
    words: list[int] = []
    at = 0
    for number, (word, phonemes) in enumerate(
        zip(lines.words, lines.phonemes, strict=True)
    ):
        while at < len(phones) and phones[at].word == NO_WORD:
            _append(names, ends, phones[at])
            at += 1
        stop = at
        while stop < len(phones) and _is_in(number, phones[stop : stop + 2]):
            stop += 1
        if stop == at:
            raise Refused(
                "unspoken",
                f"The engine of speech says nothing for {clipped(word)!r}: choose "
                "another word.",
            )
        spoken = _sounding(phones[at:stop])
        words.append(len(names))
        names += stressed(phonemes, [phone.name for phone in spoken])
        ends += [phone.end for phone in spoken]
        at = stop
    for phone in phones[at:]:
        _append(names, ends, phone)
    bounds = np.maximum.accumulate(np.array([0, *ends], np.int64))
    bounds = np.minimum(bounds, len(audio))
    bounds[-1] = len(audio)
    sound = audio.astype(np.float32) / FULL_SCALE
    return Utterance(
        audio=sound,
        rate=rate,
        phonemes=tuple(names),
        bounds=bounds,
        words=tuple(words),
    )


def _append(names: list[str], ends: list[int], phone: Phone) -> None:
    """Adds a pause."""
    if names and not names[-1]:
        ends[-1] = phone.end
    else:
        names.append("")
        ends.append(phone.end)


def _is_in(word: int, phones: Sequence[Phone]) -> bool:
    """Says whether the first phone is in a word, which may have a pause inside."""
    return phones[0].word == word or (
        phones[0].word == NO_WORD and phones[-1].word == word
    )


def _sounding(phones: Sequence[Phone]) -> list[Phone]:
    """Returns the phones of a word; a pause inside belongs to what is before it."""
    kept: list[Phone] = []
    for phone in phones:
        if phone.word == NO_WORD and kept:
            kept[-1] = kept[-1]._replace(end=phone.end)
        else:
            kept.append(phone)
    return kept
