"""A dataset on disk is written by one process at a time, and is there whole or not at all."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

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
