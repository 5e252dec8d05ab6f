"""The cost of metrics: how many rows a run can pay for, and how far measuring is."""

import contextlib
import contextvars
import random
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from zoo.core import Batch

T = TypeVar("T")
TRAINING = 3  # passes of a training step: forward, and about two for the gradient
EVALUATION = 24  # passes of a row that is evaluated, for bounds of several samples
LEAST = 64  # rows
UNBOUNDED = 2048  # rows from which on all of a split are read
LINE_INTERVAL = 10.0  # seconds between two lines
QUIET = contextvars.ContextVar("QUIET", default=False)


def affordable(trained: int, passes: int = EVALUATION, least: int = LEAST) -> int:
    """Returns the rows that can be measured in the time of training.

    Args:
      trained: rows that a run has trained on.
      passes: passes through the model that measuring a row takes.
      least: rows that even the shortest run is measured on.
    """
    return max(least, TRAINING * trained // passes)


def bounded(batches: Iterable[Batch], rows: int, size: int) -> Iterable[Batch]:
    """Returns batches of at most about `rows` rows, chosen at random, in their order.

    The choice is the same in every call, and in every process of a run.

    Args:
      batches: all batches.
      rows: the largest number of rows; from `UNBOUNDED` on all batches are returned.
      size: rows of a batch, over all processes.
    """
    if rows >= UNBOUNDED:
        return batches
    kept: list[tuple[int, Batch]] = []
    most, rng, count = -(-rows // size), random.Random(0), 0
    for count, batch in enumerate(batches, 1):  # Algorithm R (Vitter 1985)
        place = len(kept) if len(kept) < most else rng.randrange(count)
        if place < most:
            kept[place : place + 1] = [(count, batch)]
    if count > most:
        say(f"this run is short: measured on {most} of {count} batches")
    return [batch for _, batch in sorted(kept, key=lambda x: x[0])]


def followed(items: Iterable[T], what: str) -> Iterator[T]:
    """Yields the items, and prints how many there were, every ten seconds."""
    began = last = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last > LINE_INTERVAL:
            last = now
            say(f"{what}: {number} done after {now - began:.0f} s")


def say(text: str) -> None:
    """Prints a line on stderr, unless a run is quiet."""
    if not QUIET.get():
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet(value: bool) -> Iterator[None]:
    """Prints nothing, if `value`."""
    token = QUIET.set(value)
    try:
        yield
    finally:
        QUIET.reset(token)
