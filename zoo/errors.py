"""Errors for the user: one sentence that says what, where, and what to do next.

Messages name arguments as Python does, in backticks: `best_of`. The command line prints
them as options: --best-of.
"""

import re
import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
INTERRUPTED = 130  # the exit code of a process ended by SIGINT


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


def require(holds: bool, otherwise: str) -> None:
    """Raises UsageError with the message `otherwise`, unless the condition holds."""
    if not holds:
        raise UsageError(otherwise)


def exit_on_error(run: Callable[[], T]) -> T:
    """Runs a command; prints a ZooError as one sentence and exits with its code."""
    try:
        return run()
    except ZooError as error:
        print(as_options(str(error)), file=sys.stderr)
        raise SystemExit(error.code) from error
    except KeyboardInterrupt:
        print(
            "interrupted: the same command resumes from the last checkpoint.",
            file=sys.stderr,
        )
        raise SystemExit(INTERRUPTED) from None
