"""Mono audio as samples."""

import dataclasses

import numpy as np

from zoo.ranges import Hertz, checked


@dataclasses.dataclass(frozen=True)
@checked
class Waveform:
    """Mono samples in [-1, 1], `rate` per second. It has no NoteSequences."""

    rate: Hertz = 16_000

    def decode(self, array: np.ndarray) -> np.ndarray:
        """Returns float32 [s] of 16-bit integers or of floats, clipped to [-1, 1]."""
        is_integer = np.issubdtype(array.dtype, np.integer)
        return np.clip(array / 32767 if is_integer else array, -1, 1).astype(np.float32)
