"""Errors a person reads: one sentence saying what, where and what to do next."""

import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class ZooError(Exception):
    """Something outside the program is not as it must be. The process exits with `code`."""

    code = 1


class UsageError(ZooError):
    """The request itself is wrong: an option, a name, a path."""

    code = 2


def require(holds: bool, otherwise: str) -> None:
    """Raises UsageError with the message `otherwise`, unless the condition holds."""
    if not holds:
        raise UsageError(otherwise)


def exit_on_error(run: Callable[[], T]) -> T:
    """One sentence and an exit code, in place of a traceback, for what a person can mend."""
    try:
        return run()
    except ZooError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.code) from error
    except KeyboardInterrupt:
        print(
            "interrupted: the same command goes on from the last checkpoint.",
            file=sys.stderr,
        )
        raise SystemExit(130) from None
