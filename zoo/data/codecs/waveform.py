"""Sound as what it is: samples of one channel, which a model reads and writes as they are."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Waveform:
    """Samples in [-1, 1], at `rate` a second: no NoteSequence, and nothing to be transposed."""

    rate: int = 16_000

    def decode(self, array: np.ndarray) -> np.ndarray:
        """Float32 [s] of integers of 16 bits, or of floats, what is beyond full scale at it."""
        whole = np.issubdtype(array.dtype, np.integer)
        return np.clip(array / 32767 if whole else array, -1, 1).astype(np.float32)
