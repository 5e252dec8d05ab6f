"""Archives of public collections: fetched or given by hand, unpacked, and listed.

A spec is a name of `COLLECTIONS` or `BENCHMARKS`, or `NAME:/path` of what was fetched
by hand: the archive, the folder that it unpacks to, or the file. Archives are kept and
unpacked below `data_root()`/archives.
"""

import functools
from pathlib import Path

from zoo.data.corpora.fetch import Remote, fetch, sha256, warn_unless_public
from zoo.data.corpora.public import BENCHMARKS, COLLECTIONS, Collection
from zoo.data.corpora.sources import File, Source
from zoo.data.corpora.unpack import unpack
from zoo.errors import UsageError
from zoo.files import data_root, user_path


def collection_source(name: str, path: str) -> Source:
    """Returns the files of a collection, fetched and unpacked the first time.

    Args:
      name: of the collection.
      path: of an unpacked copy, or of the archive; "" to download it.

    Raises:
      UsageError: there is no such collection at `path`.
      ZooError: the archive cannot be downloaded or unpacked.
    """
    collection = COLLECTIONS[name]
    local = user_path(path)
    if path and not local.exists():
        raise UsageError(
            f"There is no file or folder {local}: {collection.remote.by_hand}."
        )
    if path and local.is_dir():
        return listed(collection, local.resolve(), fixed=False)
    return unpacked(collection, unpacked_folder(collection.remote, path))


def benchmark_file(name: str, path: str) -> Path:
    """Returns the path of a file of encoded pieces, fetched the first time.

    Args:
      name: of the benchmark.
      path: of the file, or of the folder that it is in; "" to download it.

    Raises:
      UsageError: there is no such file at `path`.
      ZooError: it cannot be downloaded.
    """
    remote = BENCHMARKS[name].remote
    if not path:
        return fetch(remote, archives_folder())
    local = user_path(path)
    file = local / remote.file if local.is_dir() else local
    if not file.is_file():
        raise UsageError(f"There is no file {file}: {remote.by_hand}.")
    return file


def archives_folder() -> Path:
    """Returns the folder of downloads and of what they unpack to."""
    return data_root() / "archives"


def unpacked_folder(remote: Remote, path: str) -> Path:
    """Returns the folder of an archive's files; unpacks it the first time.

    Args:
      remote: the archive.
      path: of the archive; "" to download it.
    """
    from zoo.data.corpora.build import progress_bar
    from zoo.data.corpora.tfds_writer import exclusive_lock, translate_write_errors

    root, digest, archive = archives_folder(), remote.sha256, user_path(path)
    if path:
        stat = archive.stat()
        digest = digest_of(archive, stat.st_size, stat.st_mtime_ns)
    folder = root / f"{remote.name}-{digest[:12]}"
    if folder.is_dir():
        return folder
    if not path:
        archive = fetch(remote, root)
    else:
        warn_unless_public(archive, digest, remote)
    with (
        translate_write_errors(root),
        exclusive_lock(root / f"{folder.name}.lock"),
        progress_bar(f"unpacking {archive.name}") as progress,
    ):
        if not folder.is_dir():
            unpack(archive, folder, progress)
    return folder


@functools.lru_cache(maxsize=16)
def digest_of(archive: Path, size: int, modified: int) -> str:
    """Returns the SHA-256 of an archive of that size and time, read once."""
    del size, modified
    return sha256(archive)


@functools.lru_cache(maxsize=16)
def unpacked(collection: Collection, folder: Path) -> Source:
    """Returns the files of an archive that was unpacked here, listed once."""
    return listed(collection, folder, fixed=True)


def listed(collection: Collection, folder: Path, *, fixed: bool) -> Source:
    """Returns the files of a collection that `folder` has.

    Args:
      collection: of the files.
      folder: of the unpacked archive.
      fixed: the files do not change.

    Raises:
      UsageError: the folder has another layout, or none of the files.
    """
    remote = collection.remote
    root, entries = collection.layout(folder)
    files = []
    for entry in sorted(entries):
        path = root / entry.name
        if not path.is_file():
            continue
        stat = path.stat()
        files.append(
            File(
                path,
                entry.name,
                entry.style,
                size=stat.st_size,
                modified=0 if fixed else stat.st_mtime_ns,
                split=entry.split,
            )
        )
    if not files:
        raise UsageError(
            f"The folder {root} has none of the files of {remote.name}: "
            f"{remote.by_hand}."
        )
    notices = [collection.notice] if collection.notice else []
    if missing := len(entries) - len(files):
        notices.append(f"{missing} of {len(entries)} files are not in {root}.")
    return Source(
        remote.name,
        tuple(files),
        citation=collection.citation,
        licence=remote.licence,
        notice=" ".join(notices),
    )
