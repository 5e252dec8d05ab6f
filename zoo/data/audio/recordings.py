"""Recordings into excerpts of one rate: WAV, FLAC, OGG and MP3, a block at a time.

Of any rate, depth and number of channels; channels are averaged. A recording of hours takes no more
memory than one of seconds.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from zoo.data.refusal import Refused

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
BLOCK = 1 << 16  # samples of each channel that are read at a time
SILENCE_THRESHOLD = 10 ** (-60 / 20)  # an excerpt that stays below is none
FULL_SCALE = 1 - 2**-12  # samples from here on are at full scale
CLIPPED_RUN = 4  # as many in a row that are say that a recording was too loud


@dataclasses.dataclass
class Recording:
    """A file, to be read once. `remarks` counts what was met: silent and clipped excerpts."""

    path: Path
    rate: int
    remarks: Counter[str] = dataclasses.field(default_factory=Counter)

    def excerpts(self, length: int) -> Iterator[np.ndarray]:
        """Int16 [length] one after the other, the last one as long as it is; silent ones left out.

        Raises:
          Refused: it cannot be read, or has nothing to hear; where that shows after a while, what
            came before is not to be kept either.
        """
        waiting, heard = np.zeros(0, np.float32), False
        for block in self.resampled():
            waiting = np.concatenate([waiting, block])
            while len(waiting) >= length:
                part, waiting = waiting[:length], waiting[length:]
                if self._sounds(part):
                    heard = True
                    yield to_int16(part)
        if len(waiting) and self._sounds(waiting):
            heard = True
            yield to_int16(waiting)
        if not heard:
            raise Refused("silent", "There is nothing to hear in it; leave it out.")

    def _sounds(self, part: np.ndarray) -> bool:
        loud = np.abs(part)
        runs = np.convolve(loud >= FULL_SCALE, np.ones(CLIPPED_RUN), "valid")
        self.remarks["clipped"] += bool(len(runs) and runs.max() == CLIPPED_RUN)
        silent = bool(loud.max() < SILENCE_THRESHOLD)
        self.remarks["silent"] += silent
        return not silent

    def resampled(self) -> Iterator[np.ndarray]:
        """All of it, in blocks float32 [n] at `rate`, silence too.

        Raises:
          Refused: as `excerpts`, but for silence.
        """
        with self._opened() as file:
            if not file.frames:
                raise Refused(
                    "empty", "It has no samples; fetch it again or leave it out."
                )
            stream = soxr.ResampleStream(file.samplerate, self.rate, 1, "float32", "HQ")
            same, read = file.samplerate == self.rate, 0
            for block in self._blocks(file):
                if not np.isfinite(block).all():
                    at = (read + int(np.argmin(np.isfinite(block)))) / file.samplerate
                    raise Refused(
                        "not-finite", f"The sample at {at:.3f} s is no number; mend it."
                    )
                read += len(block)
                yield block if same else stream.resample_chunk(block)
            if not same:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)

    def _opened(self) -> soundfile.SoundFile:
        try:
            if not self.path.stat().st_size:
                raise Refused(
                    "empty", "It has no bytes; fetch it again or leave it out."
                )
            return soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError as error:
            raise Refused(
                "unreadable",
                f"It is no recording that can be read ({error.error_string}).",
            ) from error
        except OSError as error:
            raise Refused(
                "unreadable", f"{error.strerror or error}; check it."
            ) from error

    def _blocks(self, file: soundfile.SoundFile) -> Iterator[np.ndarray]:
        try:
            for block in file.blocks(BLOCK, dtype="float32", always_2d=True):
                yield block.mean(axis=1)
        except soundfile.LibsndfileError as error:
            raise Refused("broken", f"It breaks off ({error.error_string}).") from error


def to_int16(x: np.ndarray) -> np.ndarray:
    """Samples of 16 bits, what is beyond full scale at full scale."""
    return np.rint(np.clip(x, -1, 1) * 32767).astype(np.int16)
