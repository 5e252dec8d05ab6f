"""Reading of WAV, FLAC, OGG and MP3 files, as excerpts at one sample rate.

Channels are averaged. Files are read block by block, so that memory does not depend on
their duration. What a header claims is checked against `RecordingLimits` first. A file
that ends before its claimed length is kept as far as it decodes.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from zoo.data.refusal import Refused

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
BLOCK = 1 << 16  # samples that are read at a time, at the lower of both rates
BLOCK_CHANNELS = 8  # with more channels, blocks are shorter
UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's number of samples of a stream
TRUNCATED = 4096  # missing samples that are not rounding of the encoder
SILENCE_THRESHOLD = 10 ** (-60 / 20)  # an excerpt below this peak is silent
FULL_SCALE = 1 - 2**-12  # samples of at least this magnitude are at full scale
CLIPPED_RUN = 4  # successive samples at full scale that count as clipping


@dataclasses.dataclass(frozen=True)
class RecordingLimits:
    """Limits on one recording; one that exceeds them is refused.

    `seconds` and `memory` can only be enforced in a separate process, which
    `zoo.data.corpora.workers` does.

    Attributes:
      rates: lowest and highest sample rate, in hertz.
      channels: number of channels.
      duration: in seconds.
      seconds: wall-clock time for reading, in seconds.
      memory: bytes that reading may add to a worker's memory.
    """

    rates: tuple[int, int] = (100, 1_000_000)
    channels: int = 64
    duration: float = 12 * 3600.0
    _: dataclasses.KW_ONLY
    seconds: float = 900.0
    memory: int = 1 << 30


class Stream(soundfile.SoundFile):
    """A recording that is read from its beginning on.

    SoundFile seeks after each block, which fails in streams of unknown length.
    """

    def seekable(self) -> bool:
        return False


@dataclasses.dataclass
class Recording:
    """A file that is read once, at a sample rate of `rate`.

    `remarks` counts silent and clipped excerpts, and whether the file is truncated.
    """

    path: Path
    rate: int
    limits: RecordingLimits = RecordingLimits()
    _: dataclasses.KW_ONLY
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
            self._check_claims(file)
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
                self._check_duration(position / file.samplerate)
                yield block if same_rate else stream.resample_chunk(block)
            if not position:
                raise Refused(
                    "empty", "It has no samples; download it again or leave it out."
                )
            if position + TRUNCATED < file.frames < UNKNOWN_LENGTH:
                self.remarks["truncated"] += 1
            if not same_rate:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)

    def _open(self) -> Stream:
        try:
            if not self.path.stat().st_size:
                raise Refused(
                    "empty", "The file is empty; download it again or leave it out."
                )
            return Stream(os.fsencode(self.path))
        except soundfile.LibsndfileError as error:
            raise Refused(
                "unreadable",
                f"It is not a readable recording ({error.error_string}); download it "
                "again or leave it out.",
            ) from error
        except OSError as error:
            raise Refused(
                "unreadable", f"{error.strerror or error}; check it."
            ) from error

    def _check_claims(self, file: Stream) -> None:
        """Raises Refused if the header claims more than `limits`."""
        low, high = self.limits.rates
        if not low <= file.samplerate <= high:
            raise Refused(
                "sample-rate",
                f"Its sample rate is {file.samplerate:,} Hz and the limits are {low:,} "
                f"and {high:,} Hz; correct the file.",
            )
        if file.channels > self.limits.channels:
            raise Refused(
                "channels",
                f"It has {file.channels:,} channels and the limit is "
                f"{self.limits.channels}; mix it down.",
            )
        if file.frames < UNKNOWN_LENGTH:
            self._check_duration(file.frames / file.samplerate)

    def _check_duration(self, seconds: float) -> None:
        if seconds > self.limits.duration:
            raise Refused(
                "too-long",
                f"It is {seconds / 3600:,.1f} hours long and the limit is "
                f"{self.limits.duration / 3600:g}; divide it.",
            )

    def _blocks(self, file: Stream) -> Iterator[np.ndarray]:
        """Yields what can be decoded, averaged over channels, in blocks float32 [n]."""
        frames = BLOCK * min(file.samplerate, self.rate) // self.rate
        frames = max(1, frames * BLOCK_CHANNELS // max(file.channels, BLOCK_CHANNELS))
        try:
            # SoundFile.blocks would fill up what is missing from a truncated file
            while len(block := file.read(frames, "float32", always_2d=True)):
                yield block.mean(axis=1)
        except soundfile.LibsndfileError as error:
            raise Refused(
                "broken",
                f"Reading failed within the file ({error.error_string}); download it "
                "again or leave it out.",
            ) from error


def to_int16(x: np.ndarray) -> np.ndarray:
    """Converts samples in [-1, 1] to 16 bits; others are clipped."""
    return np.rint(np.clip(x, -1, 1) * 32767).astype(np.int16)
