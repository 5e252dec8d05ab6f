"""Sample rate and duration of the excerpts of an audio dataset."""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from zoo.errors import UsageError

SHARD_SAMPLES = 64 << 20
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExcerptSpec:
    """Excerpts of `seconds` at a sample rate of `rate`.

    Attributes:
      rate: in samples per second.
      seconds: maximum duration of an excerpt.

    Raises:
      UsageError: a rate below 1, or excerpts of less than a sample.
    """

    rate: int = 16_000
    seconds: float = 4.0

    def __post_init__(self) -> None:
        if self.rate < 1 or self.length < 1:
            raise UsageError(
                f"excerpts of seconds={self.seconds:g} at rate={self.rate} are empty: "
                "increase seconds or rate."
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
