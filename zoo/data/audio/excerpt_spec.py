"""Sample rate and duration of the excerpts of an audio dataset."""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from zoo.errors import UsageError
from zoo.ranges import Hertz, Seconds, checked

SHARD_SAMPLES = 64 << 20
MAX_SAMPLES = SHARD_SAMPLES  # of an excerpt
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
@checked
class ExcerptSpec:
    """Excerpts of `seconds` at a sample rate of `rate`.

    Attributes:
      rate: in samples per second.
      seconds: maximum duration of an excerpt.

    Raises:
      UsageError: excerpts of less than a sample, or too many.
    """

    rate: Hertz = 16_000
    seconds: Seconds = 4.0

    def __post_init__(self) -> None:
        if not 1 <= self.length <= MAX_SAMPLES:
            raise UsageError(
                f"excerpts of {self.seconds:g} seconds at {self.rate} Hz have "
                f"{self.length:,} samples: choose a rate and a duration that make 1 to "
                f"{MAX_SAMPLES:,}."
            )

    @property
    def length(self) -> int:
        """Samples of an excerpt."""
        return round(self.rate * self.seconds)

    def shard(self, items: Sequence[T], excerpts: int) -> list[tuple[T, ...]]:
        """Divides items with `excerpts` excerpts in total into files of equal size."""
        count = min(len(items), -(-excerpts * self.length // SHARD_SAMPLES))
        bounds = [len(items) * i // max(count, 1) for i in range(count + 1)]
        return [tuple(items[a:b]) for a, b in pairwise(bounds)]
