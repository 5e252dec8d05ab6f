"""Texts as arrays of phonemes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zoo.data.text.inventory import PHONEMES
from zoo.data.text.normalise import PAUSES
from zoo.data.text.reading import ENGINES, Word, read

BOUNDARY = 0  # the end, as in the codecs of music
BETWEEN = 1  # between words
PAUSE = 2  # the first of the pauses
FIRST = PAUSE + len(PAUSES)  # the first of the phonemes


class TextFit(NamedTuple):
    """An encoded text, and remarks: one `code: sentence` for each guessed word."""

    array: np.ndarray
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Phonemes:
    """English text as int32 [t], one token for each phoneme of ARPAbet.

    Between words stands a token, which is one of four if there is a pause: `, . ! ?`.
    The stream ends with BOUNDARY.

    Attributes:
      engine: what pronounces words, "cmudict" or, if it is installed, "espeak".
    """

    engine: str = ENGINES[0]

    @property
    def vocab(self) -> int:
        """Number of tokens."""
        return FIRST + len(PHONEMES)

    def fit(self, text: str) -> TextFit:
        """Encodes a text, with remarks.

        Raises:
          Refused: `empty`, `control`, `alphabet`, `braces` or `phoneme`.
          ZooError: the dictionary, or espeak-ng, is not installed.
          UsageError: there is no such engine.
        """
        words, remarks = read(text, self.engine)
        return TextFit(self.row(words), remarks)

    def encode(self, text: str) -> np.ndarray:
        """Returns the array of `fit` alone; raises as `fit` does."""
        return self.fit(text).array

    def row(self, words: tuple[Word, ...]) -> np.ndarray:
        """Encodes words with their phonemes."""
        row: list[int] = []
        for word in words:
            if row and row[-1] >= FIRST:
                row.append(BETWEEN)
            row += [_TOKENS[phoneme] for phoneme in word.phonemes]
            if word.pause:
                row.append(PAUSE + PAUSES.index(word.pause))
        return np.array([*row, BOUNDARY], np.int32)

    def decode(self, array: np.ndarray) -> str:
        """Decodes any tokens, up to the first BOUNDARY, as phonemes in braces.

        The text is encoded as the same tokens. Of tokens between words in a row, the
        strongest pause counts, and those before the first word do not.
        """
        words: list[list[str]] = []
        pauses: list[str] = []
        inside = False
        for token in np.asarray(array).reshape(-1).tolist():
            if token == BOUNDARY:
                break
            if token >= FIRST:
                if not inside:
                    words.append([])
                    pauses.append("")
                words[-1].append(PHONEMES[token - FIRST])
            elif words and token >= PAUSE:
                sign = PAUSES[token - PAUSE]
                if not pauses[-1] or PAUSES.index(sign) > PAUSES.index(pauses[-1]):
                    pauses[-1] = sign
            inside = token >= FIRST
        spelled = zip(words, pauses, strict=True)
        return " ".join(f"{{{' '.join(word)}}}{pause}" for word, pause in spelled)

    def describe(self, token: int) -> str:
        """Returns the name of a token."""
        if token >= FIRST:
            return PHONEMES[token - FIRST]
        if token >= PAUSE:
            return f"pause {PAUSES[token - PAUSE]}"
        return "between words" if token == BETWEEN else "end"


_TOKENS = {phoneme: FIRST + index for index, phoneme in enumerate(PHONEMES)}
