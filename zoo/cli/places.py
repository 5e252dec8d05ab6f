"""Outputs of commands, which are checked before a command begins."""

import functools
import inspect
from collections.abc import Callable

from zoo.files import require_place


def with_place(command: Callable[..., None]) -> Callable[..., None]:
    """Makes a command refuse an `out` that cannot be written before it begins.

    `out` is a file if its default has a suffix, otherwise a folder.

    Raises:
      UsageError: by the command.
    """
    signature = inspect.signature(command)
    if "out" not in signature.parameters:
        return command
    folder = not signature.parameters["out"].default.suffix

    @functools.wraps(command)
    def call(*args: object, **kwargs: object) -> None:
        arguments = signature.bind(*args, **kwargs)
        arguments.apply_defaults()
        require_place(arguments.arguments["out"], folder=folder)
        command(*args, **kwargs)

    return call
