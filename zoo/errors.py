"""Errors a person reads: one sentence saying what, where and what to do next."""


class ZooError(Exception):
    """Something outside the program is not as it must be. The process exits with `code`."""

    code = 1


class UsageError(ZooError):
    """The request itself is wrong: an option, a name, a path."""

    code = 2
