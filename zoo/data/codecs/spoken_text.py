"""Speech: text as phonemes, and the sound of it as samples."""

import dataclasses

import numpy as np

from zoo.data.text.phonemes import Phonemes
from zoo.ranges import Hertz, checked


@dataclasses.dataclass(frozen=True)
@checked
class SpokenText:
    """Text as tokens of `Phonemes`, and mono samples in [-1, 1], `rate` per second."""

    rate: Hertz = 16_000

    @property
    def vocab(self) -> int:
        """Number of tokens."""
        return Phonemes().vocab

    def encode(self, text: str) -> np.ndarray:
        """Returns the tokens of a text, int32 [t]; raises as `Phonemes.fit` does."""
        return Phonemes().encode(text)

    def decode(self, array: np.ndarray) -> np.ndarray:
        """Returns float32 [s] of 16-bit integers or of floats, clipped to [-1, 1]."""
        is_integer = np.issubdtype(array.dtype, np.integer)
        return np.clip(array / 32767 if is_integer else array, -1, 1).astype(np.float32)
