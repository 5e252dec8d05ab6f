"""Comparison of generated pieces with real ones."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.metrics.bootstrap import ConfidenceInterval, Statistic, confidence_interval
from zoo.metrics.distributions import (
    coverage,
    density_overlap,
    distinct,
    grams,
    js_divergence,
    melodic_intervals,
    merge,
    note_transitions,
    pitch_classes,
    self_bleu,
)
from zoo.metrics.memorization import longest_copies
from zoo.metrics.statistics import STATISTICS, statistics_table

NGRAM = 4  # transitions in an n-gram
NUM_SHUFFLES = 20
COUNTS: Mapping[str, Callable[[NoteSequence], Counter]] = {
    "pitch_classes": pitch_classes,
    "intervals": melodic_intervals,
    "word_pairs": lambda piece: grams(note_transitions(piece), 2),
}
NO_VALUE = ConfidenceInterval(math.nan)


class Row(NamedTuple):
    """A metric of generated and of real pieces; NaN where there is none.

    Attributes:
      name: of the metric.
      generated: value for the generated pieces.
      real: value for the real pieces.
      overlap: overlap of the distributions over pieces, from 0 to 1.
      divergence: divergence of the pooled distributions, from 0 to 1 bit.
      chance: divergence if the pieces are shuffled between both sets.
    """

    name: str
    generated: ConfidenceInterval = NO_VALUE
    real: ConfidenceInterval = NO_VALUE
    overlap: float = math.nan
    divergence: float = math.nan
    chance: float = math.nan


def compare(
    generated: Sequence[NoteSequence],
    real: Sequence[NoteSequence],
    training: Sequence[NoteSequence] | None = None,
    seed: int = 0,
) -> list[Row]:
    """Compares generated pieces with real ones.

    The rows are:

    - the means of all `STATISTICS`;
    - the divergences of pitch classes, intervals and bigrams of note transitions, with
      their expectation for shuffled pieces;
    - the distinct n-grams of `NGRAM` transitions, those that occur in (other) real
      pieces, and `self_bleu`;
    - with `training`, the notes of the longest copy from it, in the same key and in any
      key, as median and maximum. The copies in real pieces show what music of this kind
      has in common.

    Args:
      generated: as many as `real`; otherwise metrics of variety are not comparable.
      real: pieces that no model was trained on.
      training: pieces that the model was trained on.
      seed: seed of the confidence intervals.

    Raises:
      UsageError: there are no generated pieces, or no real ones.
    """
    if not (generated and real):
        raise UsageError("compare needs at least one generated and one real piece.")
    ours, theirs = statistics_table(generated), statistics_table(real)
    rows = [
        _piece_row(name, ours[:, i], theirs[:, i], seed)
        for i, name in enumerate(STATISTICS)
    ]
    for name, count in COUNTS.items():
        ours_counts, theirs_counts = [*map(count, generated)], [*map(count, real)]
        rows.append(_pooled_row(name, ours_counts, theirs_counts, seed))
    rows += _ngram_rows(
        [*map(note_transitions, generated)], [*map(note_transitions, real)], seed
    )
    if training:
        for name, transposed in (("copy", False), ("copy_any_key", True)):
            copies = longest_copies([*generated, *real], training, transposed)
            notes = np.array([copy.notes for copy in copies])
            ours, theirs = notes[: len(generated)], notes[len(generated) :]
            rows += _copy_rows(name, ours, theirs, seed)
    return rows


def _piece_row(
    name: str,
    ours: np.ndarray,
    theirs: np.ndarray,
    seed: int,
    *,
    statistic: Statistic = np.mean,
) -> Row:
    """Returns the row of a metric that has a value for each piece."""
    return Row(
        name,
        confidence_interval(ours, statistic, seed),
        confidence_interval(theirs, statistic, seed),
        density_overlap(ours, theirs),
    )


def _pooled_row(
    name: str, ours: list[Counter], theirs: list[Counter], seed: int
) -> Row:
    """Returns the row of the divergence of pooled counts."""
    counts, rng = ours + theirs, np.random.default_rng(seed)

    def divergence(order: Sequence[int]) -> float:
        first, second = order[: len(ours)], order[len(ours) :]
        return js_divergence(
            merge(counts[i] for i in first), merge(counts[i] for i in second)
        )

    shuffled = [
        divergence(rng.permutation(len(counts)).tolist()) for _ in range(NUM_SHUFFLES)
    ]
    return Row(
        name,
        divergence=divergence(range(len(counts))),
        chance=float(np.mean(shuffled)),
    )


def _ngram_rows(ours: list, theirs: list, seed: int) -> list[Row]:
    """Returns the rows of n-grams of note transitions."""
    ours_grams = [grams(tokens, NGRAM) for tokens in ours]
    theirs_grams = [grams(tokens, NGRAM) for tokens in theirs]
    total = merge(theirs_grams)
    in_real = np.array([coverage(counts, total) for counts in ours_grams])
    in_others = np.array([coverage(counts, total - counts) for counts in theirs_grams])
    return [
        Row(
            f"distinct_{NGRAM}",
            ConfidenceInterval(distinct(ours, NGRAM)),
            ConfidenceInterval(distinct(theirs, NGRAM)),
        ),
        _piece_row(f"in_real_{NGRAM}", in_real, in_others, seed),
        _piece_row("self_bleu", self_bleu(ours), self_bleu(theirs), seed),
    ]


def _copy_rows(name: str, ours: np.ndarray, theirs: np.ndarray, seed: int) -> list[Row]:
    """Returns the rows of the median and the maximum of copied notes."""
    longest = Row(
        f"{name}_longest",
        ConfidenceInterval(float(ours.max())),
        ConfidenceInterval(float(theirs.max())),
    )
    return [_piece_row(name, ours, theirs, seed, statistic=np.median), longest]
