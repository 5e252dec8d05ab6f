"""Scan of a folder of recordings, before the dataset is written.

The result of each file is a line of `survey.jsonl`, so that an interrupted scan is
resumed.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zoo.data.audio.recordings import SUFFIXES, Recording
from zoo.data.corpora.ingest import Progress
from zoo.data.refusal import Refused
from zoo.errors import UsageError


@dataclasses.dataclass(frozen=True)
class ScannedFile:
    """A recording.

    Attributes:
      key: path relative to the folder.
      label: name of the subfolder.
      size: in bytes.
      modified: modification time in nanoseconds.
      excerpts: a hash of each excerpt that is not silent.
      samples: total number of samples of these.
      silent: number of silent excerpts, which are left out.
      clipped: number of clipped excerpts, which are kept.
      refused: reason and detail, if the file cannot be read.
    """

    key: str
    label: str
    size: int
    _: dataclasses.KW_ONLY
    modified: int
    excerpts: tuple[str, ...] = ()
    samples: int = 0
    silent: int = 0
    clipped: int = 0
    refused: tuple[str, str] | None = None

    @property
    def version(self) -> tuple[str, int, int]:
        """The file's key, size and modification time."""
        return self.key, self.size, self.modified


def list_recordings(folder: Path) -> list[ScannedFile]:
    """Lists the recordings below `folder`, not yet read.

    Raises:
      UsageError: there is no such folder, or no recording in it.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}: give the path of a folder with recordings."
        )
    files = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            subfolder, stat = path.parent.relative_to(folder).as_posix(), path.stat()
            label = folder.name if subfolder == "." else subfolder
            key = path.relative_to(folder).as_posix()
            files.append(
                ScannedFile(key, label, stat.st_size, modified=stat.st_mtime_ns)
            )
    if not files:
        suffixes = ", ".join(SUFFIXES)
        raise UsageError(
            f"The folder {folder} contains no recording of a supported type "
            f"({suffixes})."
        )
    return files


def scan(
    folder: Path,
    files: Sequence[ScannedFile],
    log: Path,
    *,
    rate: int,
    length: int,
    workers: int,
    progress: Progress,
) -> list[ScannedFile]:
    """Reads all `files`, except those whose results are in `log`.

    Args:
      folder: folder of the recordings.
      files: result of `list_recordings`.
      log: file of results, which are appended to.
      rate: samples per second.
      length: samples of an excerpt.
      workers: number of threads.
      progress: called with the number of files done and the total number.
    """
    results = {file.version: file for file in read_scan(log)}
    todo = [file for file in files if file.version not in results]
    progress(len(files) - len(todo), len(files))
    with ThreadPoolExecutor(workers) as pool, log.open("a") as lines:
        scanned = pool.map(lambda file: scan_file(folder, file, rate, length), todo)
        for count, file in enumerate(scanned, len(files) - len(todo) + 1):
            results[file.version] = file
            lines.write(json.dumps(dataclasses.asdict(file)) + "\n")
            lines.flush()
            progress(count, len(files))
    return [results[file.version] for file in files]


def scan_file(folder: Path, file: ScannedFile, rate: int, length: int) -> ScannedFile:
    """Reads one recording to its end."""
    recording, hashes, samples = Recording(folder / file.key, rate), [], 0
    try:
        for part in recording.excerpts(length):
            hashes.append(hashlib.blake2b(part.tobytes(), digest_size=8).hexdigest())
            samples += len(part)
    except Refused as refused:
        return dataclasses.replace(file, refused=(refused.reason, refused.detail))
    return dataclasses.replace(
        file,
        excerpts=tuple(hashes),
        samples=samples,
        silent=recording.remarks["silent"],
        clipped=recording.remarks["clipped"],
    )


def read_scan(log: Path) -> Iterator[ScannedFile]:
    """Yields the results of an earlier scan, up to a truncated last line."""
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:
            return
        fields["excerpts"] = tuple(fields["excerpts"])
        fields["refused"] = fields["refused"] and tuple(fields["refused"])
        yield ScannedFile(**fields)
