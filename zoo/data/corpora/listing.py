"""The files of a folder: links are followed, and what cannot be opened is listed."""

import os
from collections import deque
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from zoo.data.refusal import Refused


@dataclass(frozen=True)
class FoundFile:
    """A file below a folder.

    Attributes:
      path: its location.
      key: its path relative to the folder.
      label: the subfolder that it is in, or the folder's name.
      size: in bytes.
      modified: modification time in nanoseconds.
    """

    path: Path
    key: str
    label: str
    _: KW_ONLY
    size: int
    modified: int


@dataclass(frozen=True)
class Listing:
    """The files of a folder, in the order of their paths, and what cannot be listed."""

    files: tuple[FoundFile, ...]
    refused: tuple[tuple[str, Refused], ...]


def list_files(root: Path, suffixes: Collection[str]) -> Listing:
    """Lists the files below `root` whose suffixes are among `suffixes`.

    Links to folders are followed, but each folder is listed once, under its own path
    if that is below `root`. A link to a folder that contains `root` is not followed.
    Names are as the system has them; `readable` makes text of those that are not UTF-8.
    """
    files, refused = list[FoundFile](), list[tuple[str, Refused]]()
    seen = {_identity(parent) for parent in root.resolve().parents}
    folders, links = deque([root]), deque[Path]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        try:
            identity = _identity(folder)
            if identity in seen:
                continue
            seen.add(identity)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            refused.append((f"{_key(folder, root)}/", _unreadable(error)))
            continue
        for entry in entries:
            path = folder / entry.name
            try:
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(path)
                elif path.suffix.lower() in suffixes:
                    files.append(_found(path, root))
            except OSError as error:
                refused.append((_key(path, root), _unreadable(error)))
            except Refused as error:
                refused.append((_key(path, root), error))
    files.sort(key=lambda file: file.path)
    return Listing(tuple(files), tuple(sorted(refused, key=lambda item: item[0])))


def readable(name: str) -> str:
    r"""Returns a name as text: bytes that are not UTF-8 are written \xe9."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _found(path: Path, root: Path) -> FoundFile:
    """Returns a file; raises Refused if it is a device or a pipe."""
    if not path.is_file():
        path.stat()  # raises if it is a link to nothing
        raise Refused("unreadable", "It is not a file; leave it out.")
    stat, label = path.stat(), _key(path.parent, root)
    return FoundFile(
        path,
        _key(path, root),
        root.name if label == "." else label,
        size=stat.st_size,
        modified=stat.st_mtime_ns,
    )


def _key(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _unreadable(error: OSError) -> Refused:
    return Refused("unreadable", f"{error.strerror or error}; check it.")
