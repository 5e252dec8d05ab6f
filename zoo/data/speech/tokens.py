"""Tokens of a text, with the samples at which they end in an utterance of it."""

import numpy as np

from zoo.data.speech.matching import match
from zoo.data.speech.utterance import Utterance
from zoo.data.text.reading import Word


def token_ends(words: tuple[Word, ...], spoken: Utterance) -> np.ndarray:
    """Returns the sample at which each token of `Phonemes().row(words)` ends, int64
    [t].

    The tokens are those of our reading of the text. A phoneme that the engine left out
    lasts no time, and one that it put in is part of that before it. A token between
    words has the pause that the engine made there, which is often none. The first token
    begins at sample 0, and the last two end with the utterance.

    Args:
      words: those of the text that was spoken.
      spoken: the utterance.
    """
    stops = [*spoken.words[1:], len(spoken.phonemes)]
    ends: list[int] = []
    for word, first, stop in zip(words, spoken.words, stops, strict=True):
        silent = not spoken.phonemes[stop - 1]
        last = stop - 1 if silent else stop
        found = match(word.phonemes, spoken.phonemes[first:last])
        end, own = int(spoken.bounds[last]), []
        for place in reversed(found):
            own.append(end)
            if place >= 0:
                end = int(spoken.bounds[first + place])
        ends += reversed(own)
        if word.pause or stop < len(spoken.phonemes):
            ends.append(int(spoken.bounds[stop]))
    return np.array([*ends, len(spoken.audio)], np.int64)
