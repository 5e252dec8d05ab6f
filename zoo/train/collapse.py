"""Signs, among the metrics of a game, that it has gone wrong, said once while it runs."""

import collections
from collections.abc import Mapping

HOLDS = 5  # looks in a row for which a sign must hold
SIGNS = {  # the metric, by the end of its name: when it is a sign, and of what
    "duplicates": (
        lambda x: x > 0.5,
        "most of what the generator writes, it writes twice",
    ),
    "spread": (lambda x: x < 0.05, "what the generator writes is nearly all the same"),
    "gap": (lambda x: x > 50, "the critic is sure of itself beyond measure"),
}


class Watch:
    """Looks at metrics now and then; says of a sign that holds what it is, once."""

    def __init__(self) -> None:
        self.held: collections.Counter[str] = collections.Counter()

    def look(self, step: int, metrics: Mapping[str, float]) -> list[str]:
        """What is to be said of the metrics of a step, a sentence each."""
        said = []
        for name, value in metrics.items():
            wrong, what = SIGNS.get(name.rpartition("/")[2], (lambda x: False, ""))
            self.held[name] = (
                self.held[name] + 1 if wrong(value) else min(self.held[name], 0)
            )
            if self.held[name] == HOLDS:
                self.held[name] = -(2**31)  # once is enough
                said.append(
                    f"step {step}: {name} is {value:.3g}, so {what}: another --game, a lower "
                    "learning rate, or an earlier checkpoint may serve better."
                )
        return said
