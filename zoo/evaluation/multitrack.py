"""Figures of models of piano rolls: how like real phrases those are that they write.

Axes: n phrase, t step, k track, p pitch.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np

from zoo.core import Batch
from zoo.data.codecs import Multitrack
from zoo.evaluation.critic import judged, some
from zoo.evaluation.key_mode import features, learn, recall
from zoo.inference.model import Trained
from zoo.metrics.compare import compare
from zoo.metrics.statistics import tonal_distance

MANY = 4096  # phrases that profiles are learned from
BEST_OF = 16
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
    real, style = some(whole("test"), family.length, many, seed)
    heard = real if family.conditioning else None
    written = model.sampler.draw(len(real), seed, style=style, primer=heard)
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
    found |= conditional(model, whole, written, real, style, seed)
    return found | (accompanied(model, written) if family.conditioning else {})


def conditional(
    model: Trained,
    whole: Callable[[str], Iterable[Batch]],
    written: np.ndarray,
    real: np.ndarray,
    style: np.ndarray | None,
    seed: int,
) -> dict[str, float]:
    """How often profiles of the modes, learned from the train split, name the one that was asked
    for, of what is written, of the best of 16 by the critic, and the one that real phrases are in.

    Nothing, of a model that is told of no modes.
    """
    if style is None or model.about["music"].get("label") != "mode":
        return {}
    family, codec = cast(Any, model.family), cast(Multitrack, model.codec)
    rolls, modes = some(whole("train"), family.length, MANY, seed)
    profiles = learn(
        features(rolls, codec.low), cast(np.ndarray, modes), len(family.styles)
    )
    named = lambda rolls: recall(profiles, features(rolls, codec.low), style)
    found = {"mode_named": named(written), "real_mode_named": named(real)}
    if family.conditioning:
        return found
    best = model.sampler.draw(
        len(real), seed, best_of=BEST_OF, judge="critic", style=style
    )
    return found | {"mode_named_judged": named(best)}


def accompanied(model: Trained, written: np.ndarray) -> dict[str, float]:
    """Tonal distance of what is written from the tracks it was written to, and from others'."""
    family: Any = model.family
    given = [family.tracks.index(name) for name in family.conditioning]
    other = written.copy()
    other[:, :, given] = np.roll(written, 1, axis=0)[
        :, :, given
    ]  # they are in no order
    apart = lambda rolls: float(
        np.nanmean([tonal_distance(model.codec.decode(roll)) for roll in rolls])
    )
    return {
        "tonal_distance_own": apart(written),
        "tonal_distance_shuffled": apart(other),
    }
