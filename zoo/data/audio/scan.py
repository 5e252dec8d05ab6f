"""Scan of a folder of recordings: each is decoded once, in a worker process.

The result of each file is a line of `survey.jsonl`, so that an interrupted scan is
resumed. The samples are in files beside it (`zoo.data.audio.decode`).
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.data.audio.decode import Decoded, Decoder
from zoo.data.audio.recordings import SUFFIXES
from zoo.data.corpora.ingest import Progress
from zoo.data.corpora.listing import FoundFile, Listing, list_files
from zoo.data.corpora.workers import read_all
from zoo.data.refusal import Refused
from zoo.errors import UsageError

AHEAD_BYTES = 1 << 40  # the results are small, however large the files are


@dataclasses.dataclass(frozen=True)
class ScannedFile:
    """A recording: its samples, or the reason and detail of its refusal.

    Attributes:
      key: path relative to the folder.
      label: name of the subfolder.
      size: in bytes.
      modified: modification time in nanoseconds.
    """

    key: str
    label: str
    size: int
    _: dataclasses.KW_ONLY
    modified: int
    decoded: Decoded | None = None
    refused: tuple[str, str] | None = None

    @classmethod
    def of(cls, file: FoundFile, result: Decoded | Refused) -> "ScannedFile":
        """Returns a file with the result of its decoding."""
        scanned = cls(file.key, file.label, file.size, modified=file.modified)
        if isinstance(result, Refused):
            why = result.reason, result.detail
            return dataclasses.replace(scanned, refused=why)
        return dataclasses.replace(scanned, decoded=result)

    @property
    def version(self) -> tuple[str, int, int]:
        """The file's key, size and modification time."""
        return self.key, self.size, self.modified

    @property
    def excerpts(self) -> tuple[str, ...]:
        """A hash of each excerpt."""
        return self.decoded.excerpts if self.decoded else ()


def list_recordings(folder: Path) -> Listing:
    """Lists the recordings below `folder`, not yet read.

    Raises:
      UsageError: there is no such folder, or no recording in it.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}: give the path of a folder with recordings."
        )
    listing = list_files(folder, SUFFIXES)
    if not listing.files:
        raise UsageError(
            f"The folder {folder} contains no recording of a supported type "
            f"({', '.join(SUFFIXES)}): give the folder that they are in."
        )
    return listing


def scan(
    files: Sequence[FoundFile],
    decoder: Decoder,
    *,
    workers: int,
    progress: Progress,
) -> list[ScannedFile]:
    """Decodes all `files`, except those that were decoded before.

    Args:
      files: the recordings.
      decoder: decodes one; its folder keeps the results.
      workers: number of processes.
      progress: called with the number of files done and the total number.
    """
    results = {file.version: file for file in read_scan(decoder.folder)}
    versions = [(file.key, file.size, file.modified) for file in files]
    todo = [f for f, key in zip(files, versions, strict=True) if key not in results]
    done = len(files) - len(todo)
    progress(done, len(files))
    decoded = read_all(
        (file.path for file in todo),
        decoder,
        decoder.limits,
        workers,
        ahead_bytes=AHEAD_BYTES,
    )
    with contextlib.closing(decoded), survey(decoder.folder).open("a") as lines:
        pairs = zip(todo, decoded, strict=True)
        for count, (file, (_, result)) in enumerate(pairs, done + 1):
            scanned = ScannedFile.of(file, result)
            results[scanned.version] = scanned
            lines.write(json.dumps(dataclasses.asdict(scanned)) + "\n")
            lines.flush()
            progress(count, len(files))
    return [results[version] for version in versions]


def survey(folder: Path) -> Path:
    """Returns the path of the results of a scan."""
    return folder / "survey.jsonl"


def read_scan(folder: Path) -> Iterator[ScannedFile]:
    """Yields the results of an earlier scan, up to a truncated last line.

    Those whose samples are not there are left out.
    """
    log = survey(folder)
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            fields = json.loads(line)
            decoded, refused = fields.pop("decoded"), fields.pop("refused")
        except (json.JSONDecodeError, KeyError):
            return
        if decoded is None:
            yield ScannedFile(**fields, refused=tuple(refused))
            continue
        decoded["excerpts"] = tuple(decoded["excerpts"])
        samples = Decoded(**decoded)
        path = folder / samples.file
        end = samples.offset + 2 * samples.samples
        if path.exists() and path.stat().st_size >= end:
            yield ScannedFile(**fields, decoded=samples)
