"""Figures of models of piano rolls: how like real phrases those are that they write.

Axes: n phrases, t step, k track, p pitch.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.core import Batch
from zoo.measure.report import compare
from zoo.measure.statistics import tonal_distance
from zoo.trained import Trained

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
    found |= verdicts(model, written, real, style, seed)
    return found | (accompanied(model, written, seed) if family.given else {})


def some(batches: Iterable[Batch], many: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """`many` phrases [n, t, k, p] at random, of those in the mask, and their styles."""
    kept = [{k: v[b["mask"].any(axis=1)] for k, v in b.items()} for b in batches]
    order = np.random.default_rng(seed).permutation(sum(len(b["tokens"]) for b in kept))[:many]
    of = lambda name: np.concatenate([b[name] for b in kept])[order]
    return of("tokens"), of("style") if "style" in kept[0] else None


def write(model: Trained, real: np.ndarray, style: np.ndarray | None, seed: int) -> np.ndarray:
    """As many phrases as real ones, of their styles, and to their tracks where these are given."""
    family: Any = model.family
    asked = {"style": style, "tracks": real if family.given else None}
    told = {name: jnp.asarray(value) for name, value in asked.items() if value is not None}
    sample = jax.jit(family.sample, static_argnames="n")
    return np.asarray(sample(model.params, jax.random.key(seed), n=len(real), **told))


def verdicts(
    model: Trained, written: np.ndarray, real: np.ndarray, style: np.ndarray | None, seed: int
) -> dict[str, float]:
    """What the critic holds of phrases that are written, that are real, and of real ones whose
    tracks are each from another phrase or whose bars are out of order: standard deviations of its
    verdicts on real ones by which it puts them lower."""
    family: Any = model.family
    rng = np.random.default_rng(seed)
    told = () if style is None else (jnp.asarray(style),)
    score = jax.jit(family.score)
    judge = lambda rolls: np.asarray(score(model.params, jnp.asarray(rolls), *told))
    mixed = np.stack([real[rng.permutation(len(real)), :, k] for k in range(real.shape[2])], axis=2)
    late = np.roll(real, 3 * family.steps // 8, axis=1)
    usual = judge(real)
    below = lambda rolls: float((usual.mean() - judge(rolls).mean()) / usual.std())
    return {
        "verdict_written": below(written),
        "verdict_mixed_tracks": below(mixed),
        "verdict_off_beat": below(late),
    }


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
