"""Warnings about mode collapse and divergence of adversarial training."""

import collections
import dataclasses
from collections.abc import Mapping

PATIENCE = 5  # consecutive checks at which a symptom must be present


@dataclasses.dataclass(frozen=True)
class Symptom:
    """A range of a metric that indicates a problem.

    Attributes:
      low: values below it are a symptom.
      high: values above it are a symptom.
      meaning: the problem, in words.
    """

    low: float
    high: float
    meaning: str

    def present(self, value: float) -> bool:
        return value < self.low or value > self.high


INF = float("inf")
SYMPTOMS = {  # by the last part of the metric's name
    "duplicates": Symptom(-INF, 0.5, "more than half of the samples are duplicates"),
    "spread": Symptom(0.05, INF, "the samples are nearly identical"),
    "gap": Symptom(-INF, 50, "the critic separates real from generated too easily"),
}


class CollapseMonitor:
    """Checks metrics for symptoms of collapse and reports each one once."""

    def __init__(self) -> None:
        self.consecutive: collections.Counter[str] = collections.Counter()
        self.reported: set[str] = set()

    def check(self, step: int, metrics: Mapping[str, float]) -> list[str]:
        """Returns a warning for each symptom that has now persisted long enough."""
        warnings = []
        for name, value in metrics.items():
            symptom = SYMPTOMS.get(name.rpartition("/")[2])
            if symptom is None or name in self.reported:
                continue
            if not symptom.present(value):
                self.consecutive[name] = 0
                continue
            self.consecutive[name] += 1
            if self.consecutive[name] == PATIENCE:
                self.reported.add(name)
                warnings.append(
                    f"step {step}: {name} is {value:.3g}: {symptom.meaning}; try "
                    "another `game`, a lower learning rate, or an earlier checkpoint."
                )
        return warnings
