"""note_seq's protos, and the two maps every reader of one needs: seconds to quarters, and metres.

Under `zoo.data` the protos are imported here and nowhere else. Quarters (quarter notes) count from
the start of the piece; where a sequence states no tempo it goes at 120 quarters per minute, and
where it states no metre it is in 4/4, as MIDI has it.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

with warnings.catch_warnings():
    # pydub, which note_seq imports and the zoo does not use, misses ffmpeg aloud
    warnings.filterwarnings("ignore", "Couldn't find ffmpeg", RuntimeWarning)
    from note_seq.protobuf.music_pb2 import NoteSequence

__all__ = ["QPM", "TICKS", "Metre", "NoteSequence", "metres", "quarters", "seconds"]

QPM = 120.0  # quarters per minute where nothing else is said
TICKS = 220  # per quarter, as note_seq writes MIDI

Times = Callable[[np.ndarray], np.ndarray]


class Metre(NamedTuple):
    """A time signature and where it begins, in quarters."""

    start: float
    numerator: int
    denominator: int

    @property
    def bar(self) -> float:
        """Length of a bar in quarters."""
        return 4 * self.numerator / self.denominator


def quarters(sequence: NoteSequence) -> Times:
    """The function from seconds to quarters: piecewise linear, monotonic, elementwise."""
    times, beats, rates = _tempo_map(sequence)
    return lambda x: _piecewise(np.asarray(x, np.float64), times, beats, rates)


def seconds(sequence: NoteSequence) -> Times:
    """The inverse of `quarters`."""
    times, beats, rates = _tempo_map(sequence)
    return lambda x: _piecewise(np.asarray(x, np.float64), beats, times, 1 / rates)


def metres(sequence: NoteSequence) -> list[Metre]:
    """The metres in force, in order, the first at 0; of several at one moment the last holds.

    A pickup is a first metre that lasts one short bar. Impossible signatures (0/4) are passed over.
    """
    stated = {0.0: (4, 4)}
    signatures = [
        x for x in sequence.time_signatures if x.numerator > 0 and x.denominator > 0
    ]
    signatures.sort(key=lambda x: x.time)
    starts = quarters(sequence)(np.array([x.time for x in signatures])).tolist()
    for start, signature in zip(starts, signatures, strict=True):
        stated[max(start, 0.0)] = signature.numerator, signature.denominator
    return [Metre(start, *fraction) for start, fraction in stated.items()]


def _tempo_map(sequence: NoteSequence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the tempo changes, [k] in seconds and [k] in quarters, and [k] quarters per second."""
    stated = {0.0: QPM}
    for tempo in sorted(sequence.tempos, key=lambda x: x.time):
        if tempo.qpm > 0 and math.isfinite(tempo.qpm) and math.isfinite(tempo.time):
            stated[max(tempo.time, 0.0)] = tempo.qpm
    times, rates = np.array(list(stated)), np.array(list(stated.values())) / 60
    beats = np.concatenate([[0.0], np.cumsum(np.diff(times) * rates[:-1])])
    return times, beats, rates


def _piecewise(
    x: np.ndarray, knots: np.ndarray, values: np.ndarray, slopes: np.ndarray
):
    at = np.maximum(np.searchsorted(knots, x, side="right") - 1, 0)
    return values[at] + (x - knots[at]) * slopes[at]
