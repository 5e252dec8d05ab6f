"""Metrics of models of multitrack piano rolls, beside real phrases.

Axes: n phrase, t step, k track, p pitch.
"""

from collections.abc import Mapping

import numpy as np

from zoo.evaluation.critic import critic_verdicts, random_rows
from zoo.evaluation.key_mode import features, learn, recall
from zoo.inference.model import Model
from zoo.inference.sampler import Request
from zoo.metrics.compare import compare
from zoo.metrics.statistics import tonal_distance
from zoo.tasks.phrases import MultitrackPhrases

PROFILE_PHRASES = 4096  # from which key profiles are learnt
BEST_OF = 16
STATISTICS = (  # means over generated and over real phrases
    "empty_bars",
    "used_pitch_classes",
    "qualified_notes",
    "polyphonicity",
    "drum_pattern",
    "tonal_distance",
    "scale_consistency",
)


def multitrack_metrics(
    model: Model, task: MultitrackPhrases, count: int, seed: int = 0
) -> dict[str, float]:
    """Returns metrics of `count` generated phrases and as many of the test split.

    A model with conditioning tracks writes to those of the test split. `real_NAME` is a
    statistic of real phrases, `verdict_KIND` by how many standard deviations the critic
    puts that kind below real ones.
    """
    batches = task.eval_batches("test")
    real, style = random_rows(batches, model.family.length, count, seed)
    primer = real if model.sampler.accompanies else None
    request = Request(primer=primer, style=style)
    written = model.sampler.draw(len(real), seed, request)
    ours, theirs = ([model.codec.decode(x) for x in rolls] for rolls in (written, real))
    rows = {row.name: row for row in compare(ours, theirs, seed=seed)}
    metrics = {}
    for name in STATISTICS:
        metrics[name] = rows[name].generated.value
        metrics[f"real_{name}"] = rows[name].real.value
    metrics = {name: value for name, value in metrics.items() if np.isfinite(value)}
    metrics["distinct_4"] = rows["distinct_4"].generated.value
    metrics["real_distinct_4"] = rows["distinct_4"].real.value
    verdicts = critic_verdicts(model, real, written, style, seed=seed)
    for kind, below in verdicts.below.items():
        if kind != "real":
            metrics[f"verdict_{kind}"] = below.value
    if style is not None and task.label == "mode":
        metrics |= mode_metrics(model, task, written, real, style=style, seed=seed)
    if model.sampler.accompanies:
        metrics |= accompaniment_metrics(model, written)
    return metrics


def mode_metrics(
    model: Model,
    task: MultitrackPhrases,
    written: np.ndarray,
    real: np.ndarray,
    *,
    style: np.ndarray,
    seed: int,
) -> Mapping[str, float]:
    """Returns how often key profiles, learnt from the train split, find the mode.

    `mode_named` is of generated phrases, `mode_named_judged` of the best of 16 by the
    critic, `real_mode_named` of real phrases.
    """
    batches = task.eval_batches("train")
    length, low = model.family.length, model.codec.low
    rolls, modes = random_rows(batches, length, PROFILE_PHRASES, seed)
    assert modes is not None
    profiles = learn(features(rolls, low), modes, len(model.styles))
    named = lambda phrases: recall(profiles, features(phrases, low), style)
    metrics = {"mode_named": named(written), "real_mode_named": named(real)}
    if not model.sampler.accompanies:
        request = Request(best_of=BEST_OF, judge="critic", style=style)
        best = model.sampler.draw(len(real), seed, request)
        metrics["mode_named_judged"] = named(best)
    return metrics


def accompaniment_metrics(model: Model, written: np.ndarray) -> Mapping[str, float]:
    """Returns the tonal distance of an accompaniment to its own tracks, and to
    others."""
    family = model.family
    conditioning = [family.tracks.index(name) for name in family.conditioning]
    other = written.copy()  # the phrases are in random order
    other[:, :, conditioning] = np.roll(written, 1, axis=0)[:, :, conditioning]
    distances = lambda rolls: [tonal_distance(model.codec.decode(x)) for x in rolls]
    return {
        "tonal_distance_own": float(np.nanmean(distances(written))),
        "tonal_distance_shuffled": float(np.nanmean(distances(other))),
    }
