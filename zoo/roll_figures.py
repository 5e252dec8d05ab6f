"""Figures of models of piano rolls: how like real phrases those are that they write.

Axes: n phrase, t step, k track, p pitch.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from zoo.core import Batch
from zoo.measure.report import compare
from zoo.measure.statistics import tonal_distance
from zoo.trained import Trained
from zoo.verdicts import judged, some, write

FIGURES = (  # of a phrase, the generated ones' and the real ones' mean of each
    "empty_bars",
    "used_pitch_classes",
    "qualified_notes",
    "polyphonicity",
    "drum_pattern",
    "tonal_distance",
    "scale_consistency",
)


def figures(
    model: Trained, whole: Callable[[str], Iterable[Batch]], many: int, seed: int = 0
) -> dict[str, float]:
    """What is published of a model of rolls: means over `many` phrases of its own and as many of
    the test split, and the verdicts of its critic on both and on real ones taken apart.

    A model that goes by given tracks writes to those of the test split.
    """
    family: Any = model.family
    real, style = some(whole("test"), many, seed)
    written = write(model, real, style, seed)
    ours, theirs = ([model.codec.decode(x) for x in rolls] for rolls in (written, real))
    rows = {row.name: row for row in compare(ours, theirs, seed=seed)}
    found = {
        key: value
        for name in FIGURES
        for key, value in (
            (name, rows[name].generated.value),
            (f"real_{name}", rows[name].real.value),
        )
        if np.isfinite(value)
    }
    found |= {
        "distinct_4": rows["distinct_4"].generated.value,
        "real_distinct_4": rows["distinct_4"].real.value,
    }
    found |= {
        f"verdict_{kind}": below.value
        for kind, below in judged(model, real, written, style, seed).below.items()
        if kind != "real"
    }
    return found | (accompanied(model, written, seed) if family.given else {})


def accompanied(model: Trained, written: np.ndarray, seed: int) -> dict[str, float]:
    """Tonal distance of what is written from the tracks it was written to, and from others'."""
    family: Any = model.family
    given = [family.tracks.index(name) for name in family.given]
    other = written.copy()
    order = np.roll(np.random.default_rng(seed).permutation(len(written)), 1)
    other[:, :, given] = written[order][:, :, given]
    apart = lambda rolls: float(
        np.nanmean([tonal_distance(model.codec.decode(roll)) for roll in rolls])
    )
    return {"tonal_distance_own": apart(written), "tonal_distance_shuffled": apart(other)}
