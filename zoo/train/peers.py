"""The processes of a run on several hosts: when one of them ends, all do, and say why.

Without its peers a process would wait in a collective operation, or JAX would abort it
in the middle of one.
"""

import atexit
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import jax

from zoo.errors import INTERRUPTED, ZooError, as_options

HEARTBEAT = 20  # seconds of silence after which JAX holds a process for dead
AGAIN = "run the same command again on every host: it resumes from the last checkpoint."
# JAX's own threads abort a process, which Python cannot see: another process tells
WATCHER = "import sys; sys.stdin.read() or print(sys.argv[1], file=sys.stderr)"
NETWORK = (ConnectionError, TimeoutError)  # Orbax raises them when a barrier fails
# an operation between hosts has failed, or may have
LOST = (ZooError, jax.errors.JaxRuntimeError, *NETWORK)
WATCHERS: list[subprocess.Popen] = []


def watch() -> None:
    """Starts a process that prints a sentence if this one ends by an abort."""
    sentence = f"this process lost the other hosts of its run; {AGAIN}"
    command = [sys.executable, "-S", "-c", WATCHER, sentence]
    WATCHERS.append(subprocess.Popen(command, stdin=subprocess.PIPE))
    atexit.register(dismiss)


def dismiss() -> None:
    """Ends the watching process, which prints nothing."""
    while WATCHERS:
        WATCHERS.pop().communicate(b"ended")


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Ends this process at once if its part of a run on several hosts fails.

    A process that ended in the usual way would wait for the others, and they for it.
    """
    try:
        yield
    except (*LOST, KeyboardInterrupt) as error:
        if jax.process_count() == 1:
            raise
        sentence, code = ending(error)
        print(sentence, file=sys.stderr, flush=True)
        dismiss()
        os._exit(code)


def ending(error: BaseException) -> tuple[str, int]:
    """Returns what is printed when a process ends by an error, and its exit code."""
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted; {AGAIN}", INTERRUPTED
    if isinstance(error, ZooError) and not between_hosts(error):
        return as_options(str(error)), error.code
    reason = str(error).partition("\n")[0].rstrip(".")
    return f"this process lost the other hosts of its run ({reason}); {AGAIN}", 1


def between_hosts(error: BaseException) -> bool:
    """Says whether an error comes from an operation between hosts.

    Orbax, which waits for all hosts at every save, raises errors of several kinds.
    """
    cause = error.__cause__
    if cause is None:
        return False
    local = isinstance(cause, OSError | ZooError) and not isinstance(cause, NETWORK)
    return not local or between_hosts(cause)
