"""Speech with the times of its phonemes. Axes: s sample, t phoneme."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A spoken text.

    Attributes:
      audio: samples float32 [s] in [-1, 1].
      rate: samples per second.
      phonemes: ARPAbet with stress, such as "AE1"; "" is a pause.
      bounds: int64 [t + 1], the first sample of each phoneme, and s; they never fall.
      words: the index of the first phoneme of each word.
    """

    audio: np.ndarray
    rate: int
    phonemes: tuple[str, ...]
    bounds: np.ndarray
    words: tuple[int, ...]
