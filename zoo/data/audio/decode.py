"""Decoding of recordings into files of samples, in worker processes.

Each process appends the excerpts of its recordings to a file of its own, so that
recordings are decoded once, and no samples are sent between processes.
"""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from zoo.data.audio.recordings import Recording, RecordingLimits
from zoo.data.refusal import Refused
from zoo.files import CORPUS_ADVICE, write_error


@dataclasses.dataclass(frozen=True)
class Decoded:
    """The excerpts of a recording that are not silent.

    Attributes:
      file: name of the file that contains them, int16 little-endian.
      offset: where they begin in it, in bytes.
      excerpts: a hash of each excerpt.
      samples: total number of samples of these.
      remarks: counts of silent excerpts, which are left out, of clipped ones, which are
        kept, and of truncated files.
    """

    file: str
    offset: int
    excerpts: tuple[str, ...]
    _: dataclasses.KW_ONLY
    samples: int
    remarks: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Decodes a recording into a file in `folder`, as excerpts of `length` samples."""

    folder: Path
    rate: int
    length: int
    _: dataclasses.KW_ONLY
    limits: RecordingLimits = RecordingLimits()

    def __call__(self, path: Path) -> Decoded:
        """Decodes a recording to its end.

        Raises:
          Refused: the file cannot be read, or is silent.
          ZooError: the samples cannot be written.
        """
        recording = Recording(path, self.rate, self.limits)
        name, hashes, samples = f"{os.getpid()}.pcm", [], 0
        try:
            with (self.folder / name).open("ab") as file:
                offset = file.tell()
                try:
                    for part in recording.excerpts(self.length):
                        data = part.astype("<i2").tobytes()
                        digest = hashlib.blake2b(data, digest_size=8)
                        hashes.append(digest.hexdigest())
                        samples += len(part)
                        file.write(data)
                except Refused:
                    file.truncate(offset)
                    raise
        except OSError as error:
            raise write_error(self.folder, error, CORPUS_ADVICE) from error
        return Decoded(
            name,
            offset,
            tuple(hashes),
            samples=samples,
            remarks=dict(+recording.remarks),
        )
