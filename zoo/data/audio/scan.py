"""What a folder of recordings holds: each is read to its end once, before anything is written.

What was found of a file is a line of `survey.jsonl`: a survey that was killed goes on after the
last of them.
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
    """A recording: `key` is its path below the folder, `label` the folder that it lies in."""

    key: str
    label: str
    size: int  # bytes
    modified: int  # nanoseconds
    excerpts: tuple[str, ...] = ()  # a hash of each
    samples: int = 0
    silent: int = 0  # excerpts that were left out
    clipped: int = 0  # excerpts that were not
    refused: tuple[str, str] | None = None  # the reason, and a sentence


def list_recordings(folder: Path) -> list[ScannedFile]:
    """The recordings below `folder`, not yet read.

    Raises:
      UsageError: there is no folder, or none in it.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}: give the path of one with recordings."
        )
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            within, stat = path.parent.relative_to(folder).as_posix(), path.stat()
            label = folder.name if within == "." else within
            key = path.relative_to(folder).as_posix()
            found.append(ScannedFile(key, label, stat.st_size, stat.st_mtime_ns))
    if not found:
        kinds = ", ".join(SUFFIXES)
        raise UsageError(
            f"The folder {folder} holds no recording that can be read ({kinds})."
        )
    return found


def scan(
    folder: Path,
    files: Sequence[ScannedFile],
    rate: int,
    length: int,
    notes: Path,
    workers: int,
    progress: Progress,
) -> list[ScannedFile]:
    """All of `files`, read at `rate` in excerpts of `length`, `workers` at a time; what is in
    `notes` is not read again."""
    known = {(one.key, one.size, one.modified): one for one in read_scan(notes)}
    of = lambda file: known.get((file.key, file.size, file.modified))
    todo = [file for file in files if not of(file)]
    progress(len(files) - len(todo), len(files))
    with ThreadPoolExecutor(workers) as pool, notes.open("a") as lines:
        read = pool.map(lambda file: scan_file(folder, file, rate, length), todo)
        for count, found in enumerate(read, len(files) - len(todo) + 1):
            known[found.key, found.size, found.modified] = found
            lines.write(json.dumps(dataclasses.asdict(found)) + "\n")
            lines.flush()
            progress(count, len(files))
    return [known[file.key, file.size, file.modified] for file in files]


def scan_file(folder: Path, file: ScannedFile, rate: int, length: int) -> ScannedFile:
    """One of them, read to its end."""
    recording, hashes, samples = Recording(folder / file.key, rate), [], 0
    try:
        for part in recording.excerpts(length):
            hashes.append(hashlib.blake2b(part.tobytes(), digest_size=8).hexdigest())
            samples += len(part)
    except Refused as refused:
        return dataclasses.replace(file, refused=(refused.reason, refused.detail))
    silent, clipped = (recording.remarks[name] for name in ("silent", "clipped"))
    return dataclasses.replace(
        file, excerpts=tuple(hashes), samples=samples, silent=silent, clipped=clipped
    )


def read_scan(notes: Path) -> Iterator[ScannedFile]:
    """What an earlier survey has found, but for a last line that breaks off."""
    for line in notes.read_text().splitlines() if notes.exists() else ():
        try:
            known = json.loads(line)
        except json.JSONDecodeError:
            return
        refused = known["refused"] and tuple(known["refused"])
        yield ScannedFile(
            **{**known, "excerpts": tuple(known["excerpts"]), "refused": refused}
        )
