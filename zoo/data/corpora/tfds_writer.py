"""A dataset on disk is written by one process at a time, and is there whole or not at all."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from zoo.data.corpora.report import Report
from zoo.errors import ZooError


@contextlib.contextmanager
def replaced(finished: Path, staging: Path) -> Iterator[None]:
    """Clear the way for a new dataset, and put the old one back if that fails."""
    for killed in finished.parent.glob("incomplete.*"):
        shutil.rmtree(killed)
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
def alone(path: Path) -> Iterator[None]:
    """Hold the lock at `path`, waiting for whoever does; a killed process holds none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ZooError(
            f"The corpus could not be written below {root} ({error.strerror or error}): make room "
            "or set ZOO_DATA to another folder; what has been read is kept."
        ) from error


class Gathered(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder of what is read and divided already: the files of each split, and a report
    that is put beside them."""

    pkg_dir_path = Path(__file__).parent

    def __init__(
        self, folder: Path, shards: Mapping[str, Sequence[Any]], report: Report
    ):
        self._shards, self._report = shards, report
        super().__init__(data_dir=folder, file_format="array_record")

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Sequence[Any]]:
        del dl_manager  # nothing is downloaded
        self._report.save(Path(self.data_dir) / "report.json")
        return self._shards
