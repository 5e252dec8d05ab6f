"""Metrics of a set of excerpts beside real ones: the columns of the leaderboard."""

import pathlib
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.evaluation.arena import Arena, Excerpts
from zoo.inference.loading import load
from zoo.inference.model import Model
from zoo.metrics.bootstrap import ConfidenceInterval
from zoo.metrics.compare import COUNTS, NGRAM
from zoo.metrics.distributions import note_transitions, rhythms
from zoo.metrics.memorization import longest_copies
from zoo.metrics.repetition import recurrence
from zoo.metrics.resampled import (
    distinct_interval,
    divergence_interval,
    frechet_interval,
    grouped_interval,
)

DIVERGENCES: Mapping[str, Callable] = {
    "keys": COUNTS["pitch_classes"],
    "rhythms": rhythms,
    "ngrams": COUNTS["word_pairs"],
}
CLASSIFIERS = pathlib.Path(__file__).parent / "classifiers"
ROWS = 128  # excerpts that a classifier reads at a time


def set_metrics(
    arena: Arena,
    written: Excerpts,
    real: Excerpts,
    *,
    training: Sequence[NoteSequence],
    copies_of: Excerpts | None = None,
    seed: int = 0,
) -> dict[str, ConfidenceInterval]:
    """Returns the metrics of `written` excerpts, with 95 % intervals over pieces.

    - frechet: Fréchet distance in the features of the shipped classifier of the arena;
      NaN if none ships for excerpts of this length.
    - recurrence: mean similarity of two bars of the upper line to the most similar two
      bars before them.
    - keys, rhythms, ngrams: Jensen-Shannon divergences, in bits, of pitch classes, of
      places and durations of notes, and of bigrams of note transitions.
    - distinct: different 4-grams of note transitions per 4-gram.
    - copy, copy_any_key: median notes of the longest copy from `training`, exact and
      transposed; copy_longest: the maximum over excerpts.

    Args:
      arena: of the excerpts.
      written: excerpts of a model.
      real: excerpts of held-out pieces.
      training: whole pieces that the model was trained on.
      copies_of: excerpts in which copies are looked for, instead of `written`.
      seed: seed of the resamples.
    """
    groups = written.groups, real.groups
    pieces = [[arena.decode(x) for x in part.arrays] for part in (written, real)]
    metrics = {"frechet": frechet(arena, written, real, seed)}
    values = np.array([_recurrence(arena, x) for x in arena.lines(written.arrays)])
    metrics["recurrence"] = grouped_interval(values, written.groups, seed=seed)
    for name, count in DIVERGENCES.items():
        ours, theirs = ([*map(count, part)] for part in pieces)
        metrics[name] = divergence_interval(ours, theirs, groups=groups, seed=seed)
    moves = [note_transitions(piece) for piece in pieces[0]]
    metrics["distinct"] = distinct_interval(moves, NGRAM, written.groups)
    checked, of = pieces[0], written.groups
    if copies_of is not None:
        checked = [arena.decode(x) for x in copies_of.arrays]
        of = copies_of.groups
    for name, transposed in (("copy", False), ("copy_any_key", True)):
        copies = longest_copies(checked, training, transposed)
        notes = np.array([copy.notes for copy in copies], float)
        metrics[name] = grouped_interval(notes, of, median=True, seed=seed)
        metrics[f"{name}_longest"] = ConfidenceInterval(float(notes.max()))
    return metrics


def _recurrence(arena: Arena, line: np.ndarray) -> float:
    try:
        return recurrence(line[None], arena.line)
    except UsageError:  # the line is too short or silent
        return np.nan


def frechet(
    arena: Arena, written: Excerpts, real: Excerpts, seed: int = 0
) -> ConfidenceInterval:
    """Returns the Fréchet distance in the features of the arena's classifier.

    Returns NaN if there is no classifier of excerpts of this length.
    """
    model = load(CLASSIFIERS / f"excerpts_{arena.name}.safetensors")
    family = model.family
    if (family.length, family.patch) != (arena.length, arena.steps_per_quarter):
        return ConfidenceInterval(np.nan)
    compute = jax.jit(lambda tokens: family.features(model.params, tokens))

    def features(excerpts: Excerpts) -> np.ndarray:
        tokens = arena.tokens(excerpts.arrays)
        parts = [tokens[i : i + ROWS] for i in range(0, len(tokens), ROWS)]
        return np.concatenate([np.asarray(compute(x), np.float64) for x in parts])

    return frechet_interval(
        features(written),
        features(real),
        groups=(written.groups, real.groups),
        seed=seed,
    )


def exact_nats(model: Model) -> ConfidenceInterval:
    """Returns the negative log-likelihood of the test split per event or frame.

    The interval is over the pieces of the split, each with its own number of events.
    """
    rates, sizes = [], []
    for batch in model.task.eval_batches("test", batch=16):
        mask = np.asarray(batch["mask"])
        kept = mask.any(axis=1)
        tokens = np.asarray(batch["tokens"])[kept]
        found = model.sampler.log_prob(tokens, mask[kept])
        rates.append(-np.asarray(found))
        sizes.append(mask[kept].sum(axis=1))
    nats, events = np.concatenate(rates), np.concatenate(sizes)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(nats), np.full(len(nats), 1 / len(nats)), size=2000)
    low, high = np.quantile(drawn @ nats / (drawn @ events), [0.025, 0.975])
    return ConfidenceInterval(float(nats.sum() / events.sum()), float(low), float(high))
