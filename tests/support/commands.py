"""The command line, in the process of the tests."""

import shlex
import sys

import zoo.cli.main


def command(words: str, monkeypatch) -> int:
    """Runs `zoo` with these words; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["zoo", *shlex.split(words)])
    try:
        zoo.cli.main.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
