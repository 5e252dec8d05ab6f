"""Errors and texts for the user.

An error is one sentence that says what, where, and what to do next.

Messages name arguments as Python does, in backticks: `best_of`. The command line prints
them as options: --best-of.
"""

import atexit
import contextlib
import errno
import io
import math
import os
import re
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from rich.text import Text

T = TypeVar("T")
INTERRUPTED = 130  # the exit code of a process ended by SIGINT
BROKEN_PIPE = 141  # and by SIGPIPE
RAISED_AGAIN = 0.01  # seconds after which an ignored interrupt is raised again
NO_HOME = "This user has no home folder: set HOME to a folder that can be written."
SHOWN = 40  # characters of a value in a message
UNPRINTABLE = {"Cc", "Cf", "Zl", "Zp"}  # categories of Unicode
OF_THE_SYSTEM = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EIO, errno.EFBIG, errno.EMFILE),
}


class ZooError(Exception):
    """Something outside the program is wrong. The process exits with `code`."""

    code = 1


class UsageError(ZooError):
    """The request is wrong: an option, a name, a path."""

    code = 2


def as_options(message: str) -> str:
    """Returns a message with `name` as --name and `name=value` as --name value."""

    def option(match: re.Match[str]) -> str:
        name, value = match.groups()
        flag = "--" + name.replace("_", "-")
        return flag if value is None else f"{flag} {value}"

    return re.sub(r"`([a-z]\w*)(?:=([^`]+))?`", option, message)


def shown(value: Any) -> str:
    """Returns a value in a few characters, for a message."""
    finite = isinstance(value, float) and math.isfinite(value)
    return clipped(f"{value:g}" if finite else repr(value))


def clipped(text: str, length: int = SHOWN) -> str:
    """Returns the beginning of a text that a file may have made as long as it likes."""
    return text if len(text) <= length else f"{text[:length]}..."


def require(holds: bool, otherwise: str) -> None:
    """Raises UsageError with the message `otherwise`, unless the condition holds."""
    if not holds:
        raise UsageError(otherwise)


def printable(text: str) -> str:
    """Returns a text of a file or a file's name without what could move a terminal.

    Control characters and marks of direction are left out, line breaks and tabs are
    spaces, and bytes that are not UTF-8 are written as numbers.
    """
    words = "".join(" " if c in "\t\n\r" else c for c in text)
    words = "".join(c for c in words if unicodedata.category(c) not in UNPRINTABLE)
    return words.encode("utf-8", "backslashreplace").decode()


def as_cell(text: str) -> "Text":
    """Returns `printable` text for a table of rich, in which [red] is no markup."""
    from rich.text import Text

    return Text(printable(text))


def markdown(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1
) -> str:
    """Returns a Markdown table, of which all but the first `texts` columns are
    numbers."""
    rule = ["---" if i < texts else "---:" for i in range(len(head))]
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def exit_on_error(
    run: Callable[[], T], interrupted: str = "run the same command again"
) -> T:
    """Runs a command; prints a ZooError as one sentence and exits with its code.

    Args:
      run: the command.
      interrupted: advice to the user who pressed Ctrl-C.
    """
    # a command that is done is not interrupted any more
    atexit.register(ignore_interrupts)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale may lack characters
            stream.reconfigure(errors="replace")
    try:
        return run()
    except KeyboardInterrupt:
        end_interrupted(interrupted)
    except BrokenPipeError:  # of a program such as head, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from None
    except Exception as error:
        known = as_sentence(error)
        if known is None:
            raise
        end(as_options(str(known)), known.code, error)


def end_interrupted(advice: str) -> NoReturn:
    """Exits after Ctrl-C. Another one must not interrupt the end of the process."""
    ignore_interrupts()
    try:
        end(f"interrupted: {advice}.", INTERRUPTED)
    finally:
        if is_program():
            leave()


def leave() -> NoReturn:
    """Ends the process at once: threads of libraries crash if they are interrupted."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


def is_program() -> bool:
    """Tells whether this process is the command `zoo`, or an experiment."""
    path = getattr(sys.modules["__main__"], "__file__", None) or ""
    *_, topic, _, name = ["", "", *os.path.abspath(path).split(os.sep)]
    return name == "zoo" or topic == "experiments"


def ignore_interrupts() -> None:
    """Makes Ctrl-C do nothing."""
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def handle_interrupts() -> None:
    """Makes Ctrl-C end a program in one line, wherever it is.

    While modules are imported, `exit_on_error` does not run yet. In callbacks of the
    garbage collector, Python ignores the exception; it is raised again.
    """

    def uncaught(
        kind: type[BaseException], value: BaseException, trace: TracebackType | None
    ) -> None:
        if kind is not KeyboardInterrupt:
            sys.__excepthook__(kind, value, trace)
            return
        print("interrupted: run the same command again.", file=sys.stderr)
        leave()  # Python would end itself by a signal

    def ignored(found: "sys.UnraisableHookArgs") -> None:
        if found.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(found)
            return
        threading.Timer(RAISED_AGAIN, interrupt_main_thread).start()

    sys.excepthook, sys.unraisablehook = uncaught, ignored


def interrupt_main_thread() -> None:
    """Raises KeyboardInterrupt in the main thread, even while it sleeps or waits."""
    ident = threading.main_thread().ident
    if ident is not None:
        signal.pthread_kill(ident, signal.SIGINT)


def end(message: str, code: int, cause: BaseException | None = None) -> NoReturn:
    """Prints a message on stderr and exits."""
    print("\n".join(map(printable, message.split("\n"))), file=sys.stderr)
    raise SystemExit(code) from cause


def as_sentence(error: Exception) -> ZooError | None:
    """Returns a sentence for an error of the user or the system, None for a bug."""
    if isinstance(error, ZooError):
        return error
    if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
        place = f"{error.filename}: " if error.filename else ""
        return ZooError(
            f"{place}{error.strerror}; free disk space, or choose another place."
        )
    if "Could not determine home directory" in str(error):  # of pathlib
        return UsageError(NO_HOME)
    if "Unable to initialize backend" in str(error):  # of jax, a RuntimeError
        chosen = os.environ.get("JAX_PLATFORMS", "")
        return UsageError(
            f"JAX has no platform {chosen!r} here: unset JAX_PLATFORMS, or set it to "
            "cpu."
        )
    return None
