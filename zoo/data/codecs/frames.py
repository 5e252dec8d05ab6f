"""The common part of Pianoroll and Voices: frames on a grid, which state no metre."""

from typing import Any

import numpy as np

from zoo.data.bars import at_tempo, copy_metres, main_tempo
from zoo.data.codecs.base import BaseCodec
from zoo.data.proto import NoteSequence, quarters


class FrameCodec(BaseCodec):
    """A codec whose arrays have one row for each step, and no metres."""

    def tail(self, array: np.ndarray, music: NoteSequence, start: float) -> np.ndarray:
        return array[round(float(quarters(music)(np.array(start))) * self.beat) :]

    def decode_like(self: Any, array: np.ndarray, source: NoteSequence) -> NoteSequence:
        piece = self.decode(array)
        copy_metres(piece, source)
        return at_tempo(piece, main_tempo(source))
