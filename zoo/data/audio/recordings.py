"""Reading of WAV, FLAC, OGG and MP3 files, as excerpts at one sample rate.

Files may have any sample rate, depth and number of channels; channels are averaged.
Files are read block by block, so that memory does not depend on their duration.
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
SILENCE_THRESHOLD = 10 ** (-60 / 20)  # an excerpt below this peak is silent
FULL_SCALE = 1 - 2**-12  # samples of at least this magnitude are at full scale
CLIPPED_RUN = 4  # successive samples at full scale that count as clipping


@dataclasses.dataclass
class Recording:
    """A file that is read once, at a sample rate of `rate`.

    `remarks` counts silent and clipped excerpts.
    """

    path: Path
    rate: int
    remarks: Counter[str] = dataclasses.field(default_factory=Counter)

    def excerpts(self, length: int) -> Iterator[np.ndarray]:
        """Yields successive excerpts int16 [length] that are not silent.

        The last one may be shorter.

        Raises:
          Refused: the file cannot be read, or is silent. The error may follow excerpts,
            which are then to be discarded.
        """
        pending, silent = np.zeros(0, np.float32), True
        for block in self.resampled():
            pending = np.concatenate([pending, block])
            while len(pending) >= length:
                part, pending = pending[:length], pending[length:]
                if not self._is_silent(part):
                    silent = False
                    yield to_int16(part)
        if len(pending) and not self._is_silent(pending):
            silent = False
            yield to_int16(pending)
        if silent:
            raise Refused("silent", "It is silent; leave it out.")

    def _is_silent(self, part: np.ndarray) -> bool:
        """Tests the peak of an excerpt, and counts silence and clipping."""
        magnitude = np.abs(part)
        runs = np.convolve(magnitude >= FULL_SCALE, np.ones(CLIPPED_RUN), "valid")
        self.remarks["clipped"] += bool(len(runs) and runs.max() == CLIPPED_RUN)
        silent = bool(magnitude.max() < SILENCE_THRESHOLD)
        self.remarks["silent"] += silent
        return silent

    def resampled(self) -> Iterator[np.ndarray]:
        """Yields all of the recording in blocks float32 [n] at `rate`.

        Raises:
          Refused: the file cannot be read.
        """
        with self._open() as file:
            if not file.frames:
                raise Refused(
                    "empty", "It has no samples; download it again or leave it out."
                )
            stream = soxr.ResampleStream(file.samplerate, self.rate, 1, "float32", "HQ")
            same_rate, position = file.samplerate == self.rate, 0
            for block in self._blocks(file):
                finite = np.isfinite(block)
                if not finite.all():
                    time = (position + int(np.argmin(finite))) / file.samplerate
                    raise Refused(
                        "not-finite",
                        f"The sample at {time:.3f} s is not finite; correct the file.",
                    )
                position += len(block)
                yield block if same_rate else stream.resample_chunk(block)
            if not same_rate:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)

    def _open(self) -> soundfile.SoundFile:
        try:
            if not self.path.stat().st_size:
                raise Refused(
                    "empty", "The file is empty; download it again or leave it out."
                )
            return soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError as error:
            raise Refused(
                "unreadable",
                f"It is not a readable recording ({error.error_string}).",
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
            raise Refused(
                "broken", f"Reading failed within the file ({error.error_string})."
            ) from error


def to_int16(x: np.ndarray) -> np.ndarray:
    """Converts samples in [-1, 1] to 16 bits; others are clipped."""
    return np.rint(np.clip(x, -1, 1) * 32767).astype(np.int16)
