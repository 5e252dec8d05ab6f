"""Piano rolls of several tracks: phrases of full bars, as MuseGAN generates them.

Dong, Hsiao, Yang & Yang 2018, MuseGAN: multi-track sequential generative adversarial
networks for symbolic music generation and accompaniment (arXiv:1709.06298). Deviations:
a bar of 4/4 has 16 steps instead of 96, the melody has a track of its own, and every
step of a drum is a hit.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.data.codecs.phrase_cropping import CroppedPhrases, whole_piece_codec
from zoo.data.codecs.rolls import BAR, OFF, Rolls, bar_marks
from zoo.data.proto import QPM, NoteSequence
from zoo.ranges import Bars, checked


@dataclass(frozen=True)
@checked
class Multitrack(CroppedPhrases, Rolls):
    """`bars` full bars of several tracks as uint8 [length, k, p], 0 off and 1 on.

    Tracks and pitches are those of `Rolls`. A note that sounds where a phrase begins is
    struck there.

    Attributes:
      bars: number of bars in a phrase.

    Raises:
      UsageError: `bars` is less than 1; or as `Rolls`.
    """

    bars: Bars = 4

    @functools.cached_property
    def source(self) -> Rolls:  # type: ignore[override]
        """The codec of the pieces that phrases are cropped from."""
        return whole_piece_codec(Rolls, self)

    @property
    def bar(self) -> int:
        """Number of steps in a bar."""
        return self.source.bar

    @property
    def dimensions(self) -> Mapping[str, Any]:
        sizes = {"bars": self.bars, "steps": self.bar, "pitches": self.shape[1]}
        return {"tracks": self.tracks, **sizes}

    @property
    def vocab(self) -> int:
        return BAR

    def crops(self, stream: np.ndarray, stride: int = 1) -> list[np.ndarray]:
        """Returns the phrases of a piece, one from every `stride`-th bar on.

        Silent phrases are left out; the beginnings of the others do not change. Phrases
        are views, so that a piece is in memory only once.
        """
        rolls = np.asarray(stream).reshape(-1, *self.shape)
        marks = np.flatnonzero(bar_marks(rolls))
        sounding = np.cumsum(np.append(0, (rolls != OFF).any(axis=(1, 2))))
        phrases = []
        runs = zip([0, *(marks + 1)], [*marks, len(rolls)], strict=True)
        for first, last in runs:
            for start in range(first, last - self.length + 1, stride * self.bar):
                stop = start + self.length
                if sounding[stop] > sounding[start]:
                    phrases.append(rolls[start:stop])
        return phrases

    def decode(self, array: np.ndarray, qpm: float = QPM) -> NoteSequence:
        """Decodes a phrase, or any number of steps, as `Rolls.decode` does."""
        return super().decode(np.asarray(array) != OFF, qpm)
