"""The memory there is, so that what would not fit is refused before it is asked for."""

import os
import pathlib

from zoo.errors import UsageError

GIBIBYTE = 2**30
MEMINFO = pathlib.Path("/proc/meminfo")
CGROUP = pathlib.Path("/sys/fs/cgroup")  # of version 2: the limit of a container


def available() -> int:
    """Returns the bytes of memory that this process can still get."""
    return min(of_machine(), of_container())


def of_machine() -> int:
    """Returns the bytes that are free, or could be freed."""
    if MEMINFO.exists():
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def of_container() -> int:
    """Returns the bytes that the container of this process leaves it."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # there is no container, or "max": no limit
        return of_machine()


def require(needed: float, what: str, advice: str, there: float | None = None) -> None:
    """Raises UsageError if more memory is needed than there is.

    Args:
      needed: bytes, at least.
      what: names what needs them.
      advice: says what to do instead.
      there: bytes that there are; by default the memory of this machine.
    """
    there = available() if there is None else there
    if needed > there:
        raise UsageError(
            f"{what} would take {needed / GIBIBYTE:,.1f} GiB of memory or more, and "
            f"{there / GIBIBYTE:,.1f} are free: {advice}."
        )
