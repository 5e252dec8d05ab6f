"""Unpacking of zip and tar archives: scores and tables alone, within one folder."""

import contextlib
import functools
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from zoo.data.scores.read import SUFFIXES
from zoo.errors import UsageError, ZooError

TABLES = (".csv", ".json")  # of a collection's styles and splits
MAX_BYTES = 256 << 20  # no score or table is larger
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(gzip.BadGzipFile, EOFError),
    *(NotImplementedError, RuntimeError),  # of a zip file, RuntimeError: a password
)
BLOCK = 1 << 20
Report = Callable[[int, int], None]  # bytes read, bytes of the archive
Member = tuple[str, int, Callable[[], IO[bytes] | None], int]  # name, size, open, at


def unpack(archive: Path, folder: Path, report: Report = lambda at, of: None) -> None:
    """Unpacks scores and tables to `folder`, which appears only when complete.

    Links, special files, and names that lead out of the folder are left out.

    Raises:
      UsageError: the file is no archive.
      ZooError: it is damaged, or contains no score.
      OSError: the files cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}-"
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as unfinished:
        staging = Path(unfinished) / "files"
        staging.mkdir()
        scores, total = 0, archive.stat().st_size
        with translate_damage(archive):
            for name, size, source, at in members(archive):
                report(at, total)
                path = safe_path(name)
                if path is None or size > MAX_BYTES:
                    continue
                file = source()
                if file is not None:
                    copy(file, staging / path)
                    scores += path.suffix.lower() in SUFFIXES
        report(total, total)
        if not scores:
            raise ZooError(
                f"{archive} contains no file of a supported type "
                f"({', '.join(sorted(SUFFIXES))}): give the archive of a collection."
            )
        staging.rename(folder)


def members(archive: Path) -> Iterator[Member]:
    """Yields the name, size, opener and position of each regular file.

    Raises:
      UsageError: it is neither a zip nor a tar file.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            at = 0
            for info in packed.infolist():
                at += info.compress_size
                if not info.is_dir():
                    source = functools.partial(open_member, packed, info)
                    yield info.filename, info.file_size, source, at
        return
    with archive.open("rb") as raw:
        try:
            unpacked = tarfile.open(fileobj=raw)  # noqa: SIM115
        except tarfile.ReadError as error:
            raise UsageError(
                f"{archive} is neither a zip nor a tar file: give the archive, or the "
                "folder that it unpacks to."
            ) from error
        with unpacked:
            for entry in unpacked:
                # or it would keep a record of every file
                unpacked.members = []  # type: ignore[attr-defined]
                if entry.isreg():
                    part = functools.partial(unpacked.extractfile, entry)
                    yield entry.name, entry.size, part, raw.tell()
            while unpacked.fileobj and unpacked.fileobj.read(BLOCK):
                pass  # the checksum of all is at the end, after that of the tar file


def open_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Opens a member of a zip file; raises BadZipFile if its position is wrong."""
    try:
        return packed.open(info)
    except (OSError, ValueError) as error:
        raise zipfile.BadZipFile(str(error)) from error


def safe_path(name: str) -> Path | None:
    """Returns the path of a member below a folder; None if it is not to be unpacked."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "__MACOSX" in path.parts:
        return None
    if path.suffix.lower() not in (*SUFFIXES, *TABLES) or path.name.startswith("._"):
        return None
    return Path(*path.parts)


def copy(source: IO[bytes], path: Path) -> None:
    """Writes what is left of `source` to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with source, path.open("wb") as file:
        shutil.copyfileobj(source, file)


@contextlib.contextmanager
def translate_damage(archive: Path) -> Iterator[None]:
    """Raises ZooError if the archive cannot be read to its end."""
    try:
        yield
    except DAMAGED as error:
        raise ZooError(
            f"{archive} cannot be unpacked ({error or type(error).__name__}): "
            "download it again."
        ) from error
