"""What every dataset of sound is: so many samples a second, in excerpts of so many seconds."""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from zoo.errors import UsageError

SHARD_SAMPLES = 64 << 20
One = TypeVar("One")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExcerptSpec:
    """At `rate`, in excerpts of `seconds`.

    Raises:
      UsageError: a rate below 1, or no seconds.
    """

    rate: int = 16_000
    seconds: float = 4.0

    def __post_init__(self) -> None:
        if self.rate < 1 or self.length < 1:
            raise UsageError(
                f"excerpts of {self.seconds:g} s at {self.rate} Hz are none: choose more of either."
            )

    @property
    def length(self) -> int:
        """Samples of an excerpt."""
        return round(self.rate * self.seconds)

    def by_file(self, chosen: Sequence[One], excerpts: int) -> list[tuple[One, ...]]:
        """What is chosen, which is so many excerpts, by the file that it goes to."""
        count = min(len(chosen), -(-excerpts * self.length // SHARD_SAMPLES))
        bounds = [len(chosen) * i // max(count, 1) for i in range(count + 1)]
        return [tuple(chosen[a:b]) for a, b in pairwise(bounds)]
