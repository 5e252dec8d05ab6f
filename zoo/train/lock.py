"""A lock on the directory of a run, so that one process at a time writes it."""

import contextlib
import contextvars
import datetime
import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator

from zoo.errors import UsageError

# by this thread: a run that trains, evaluates and writes samples locks only once
HELD: contextvars.ContextVar[frozenset[pathlib.Path]] = contextvars.ContextVar(
    "HELD", default=frozenset()
)


@contextlib.contextmanager
def sole_writer(workdir: pathlib.Path) -> Iterator[None]:
    """Locks a directory, which it makes if need be; a killed process releases it.

    Raises:
      UsageError: another process has locked it, or it cannot be written.
    """
    path = workdir.absolute() / ".lock"
    if path in HELD.get():
        yield
        return
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise UsageError(
            f"cannot write to {workdir} ({error.strerror}): choose another `workdir`."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UsageError(
                f"{workdir} is being written by {file.read().strip()}: wait until it "
                "has ended, stop it, or choose another `workdir`."
            ) from None
        file.truncate(0)
        file.write(f"{holder()}\n")
        file.flush()
        token = HELD.set(HELD.get() | {path})
        try:
            yield
        finally:
            HELD.reset(token)


def holder() -> str:
    """Returns the number, host and time of this process."""
    now = datetime.datetime.now().astimezone().strftime("%H:%M on %Y-%m-%d")
    return f"process {os.getpid()} on {socket.gethostname()}, since {now}"
