"""Atomic writing of TFDS datasets, by one process at a time."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from zoo.data.corpora.report import Report
from zoo.errors import ZooError
from zoo.files import CORPUS_ADVICE


@contextlib.contextmanager
def atomic_replace(finished: Path, staging: Path) -> Iterator[None]:
    """Moves an old dataset away while a new one is written; restores it on failure."""
    for incomplete in finished.parent.glob("incomplete.*"):
        shutil.rmtree(incomplete)
    old = staging / "replaced"
    if finished.exists():
        finished.rename(old)
    try:
        yield
    except BaseException:
        if old.exists():
            old.rename(finished)
        raise


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Waits for the lock file `path` and locks it; a killed process releases it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def translate_write_errors(root: Path) -> Iterator[None]:
    """Raises ZooError for an OSError."""
    try:
        yield
    except OSError as error:
        raise ZooError(
            f"The corpus could not be written below {root} "
            f"({error.strerror or error}): {CORPUS_ADVICE}."
        ) from error


class ShardedBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder of prepared shards, which also saves a report with the data."""

    pkg_dir_path = Path(__file__).parent

    def __init__(
        self, folder: Path, shards: Mapping[str, Sequence[Any]], report: Report
    ):
        self._shards, self._report = shards, report
        super().__init__(data_dir=folder, file_format="array_record")

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Sequence[Any]]:
        del dl_manager  # there is no download
        self._report.save(Path(self.data_dir) / "report.json")
        return self._shards
