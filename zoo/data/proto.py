"""note_seq's NoteSequence, with its tempo map (seconds to quarter notes) and metres.

Within `zoo.data` this is the only module that imports the protos. Quarters (quarter
notes) count from the beginning of the piece. As in MIDI, the default tempo is 120
quarters per minute and the default metre 4/4.
"""

import importlib.util
import math
import pathlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

# note_seq imports pydub, which warns if ffmpeg is missing; neither is used here
warnings.filterwarnings("ignore", "Couldn't find ffmpeg", RuntimeWarning)

if TYPE_CHECKING:
    from note_seq.protobuf.music_pb2 import NoteSequence
else:

    def _protos() -> ModuleType:
        """Loads the file of note_seq's protos alone.

        note_seq imports bokeh and pandas, which take 1.2 of the 1.4 seconds in which a
        process that reads files starts. protobuf makes one class of each message, so
        NoteSequence is note_seq's own, whichever is imported first.
        """
        package = importlib.util.find_spec("note_seq").submodule_search_locations[0]
        file = pathlib.Path(package, "protobuf", "music_pb2.py")
        spec = importlib.util.spec_from_file_location("music_pb2", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    NoteSequence = _protos().NoteSequence

__all__ = ["QPM", "TICKS", "Metre", "NoteSequence", "metres", "quarters", "seconds"]

QPM = 120.0  # default tempo, in quarters per minute
TICKS = 220  # ticks per quarter, as in the MIDI files that note_seq writes

Times = Callable[[np.ndarray], np.ndarray]


class Metre(NamedTuple):
    """A time signature, and its beginning in quarters."""

    start: float
    numerator: int
    denominator: int

    @property
    def bar(self) -> float:
        """Duration of a bar, in quarters."""
        return 4 * self.numerator / self.denominator


def quarters(sequence: NoteSequence) -> Times:
    """Returns the map from seconds to quarters, monotonic and piecewise linear."""
    times, beats, rates = _tempo_map(sequence)
    return lambda x: _piecewise(np.asarray(x, np.float64), times, beats, rates)


def seconds(sequence: NoteSequence) -> Times:
    """Returns the map from quarters to seconds, the inverse of `quarters`."""
    times, beats, rates = _tempo_map(sequence)
    return lambda x: _piecewise(np.asarray(x, np.float64), beats, times, 1 / rates)


def metres(sequence: NoteSequence) -> list[Metre]:
    """Returns the metres in order, the first at 0; of several at one time, the last.

    A pickup is a first metre of one short bar. Invalid signatures (0/4) are skipped.
    """
    metres_by_start = {0.0: (4, 4)}
    signatures = [
        x for x in sequence.time_signatures if x.numerator > 0 and x.denominator > 0
    ]
    signatures.sort(key=lambda x: x.time)
    starts = quarters(sequence)(np.array([x.time for x in signatures])).tolist()
    for start, signature in zip(starts, signatures, strict=True):
        fraction = signature.numerator, signature.denominator
        metres_by_start[max(start, 0.0)] = fraction
    return [Metre(start, *fraction) for start, fraction in metres_by_start.items()]


def _tempo_map(sequence: NoteSequence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns tempo changes [k] in seconds, in quarters, and as quarters per second."""
    tempos = {0.0: QPM}
    for tempo in sorted(sequence.tempos, key=lambda x: x.time):
        if tempo.qpm > 0 and math.isfinite(tempo.qpm) and math.isfinite(tempo.time):
            tempos[max(tempo.time, 0.0)] = tempo.qpm
    times, rates = np.array(list(tempos)), np.array(list(tempos.values())) / 60
    beats = np.concatenate([[0.0], np.cumsum(np.diff(times) * rates[:-1])])
    return times, beats, rates


def _piecewise(
    x: np.ndarray, knots: np.ndarray, values: np.ndarray, slopes: np.ndarray
) -> np.ndarray:
    """Evaluates a piecewise linear function at `x`."""
    index = np.maximum(np.searchsorted(knots, x, side="right") - 1, 0)
    return values[index] + (x - knots[index]) * slopes[index]
