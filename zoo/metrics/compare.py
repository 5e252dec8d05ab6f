"""Pieces that a model has written beside real ones: every figure of both, and how far apart."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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

N = 4  # words in a run
SHUFFLES = 20
BAGS: Mapping[str, Callable[[NoteSequence], Counter]] = {
    "pitch_classes": pitch_classes,
    "intervals": melodic_intervals,
    "word_pairs": lambda piece: grams(note_transitions(piece), 2),
}
NONE = ConfidenceInterval(math.nan)


class Row(NamedTuple):
    """A figure of the pieces generated and of the real ones; NaN where there is none."""

    name: str
    generated: ConfidenceInterval = NONE
    real: ConfidenceInterval = NONE
    density_overlap: float = math.nan  # of what single pieces have, from 0 to 1
    js_divergence: float = math.nan  # of what all have together, from 0 to 1 bit
    chance: float = math.nan  # what that would be, were all of them pieces of one kind


def compare(
    generated: Sequence[NoteSequence],
    real: Sequence[NoteSequence],
    training: Sequence[NoteSequence] | None = None,
    seed: int = 0,
) -> list[Row]:
    """A row for each figure.

    They are the means of all `STATISTICS`; how far apart pitch classes, intervals and pairs of
    words are, and how far they would be were the pieces shuffled; runs of `N` words that are
    distinct, and that are in (other) real pieces, and `self_bleu`; and, with `training`, the notes
    in the longest copy from it, as it stands and in any key, at the median and at most. What copies
    there are in real pieces is what music of this kind has in common anyway.

    Args:
      generated: as many as `real`, or what says how much they vary is not comparable.
      real: pieces no model was trained on.
      training: those it was trained on.
      seed: of the intervals.

    Raises:
      UsageError: there is nothing to compare.
    """
    if not (generated and real):
        raise UsageError(
            "there is nothing to compare: give a generated piece and a real one."
        )
    ours, theirs = statistics_table(generated), statistics_table(real)
    rows = [
        _each(name, ours[:, i], theirs[:, i], seed) for i, name in enumerate(STATISTICS)
    ]
    for name, bag in BAGS.items():
        rows.append(_pooled(name, [*map(bag, generated)], [*map(bag, real)], seed))
    rows += _runs(
        [*map(note_transitions, generated)], [*map(note_transitions, real)], seed
    )
    if training:
        for name, transposed in (("copy", False), ("copy_any_key", True)):
            copies = longest_copies([*generated, *real], training, transposed)
            notes = np.array([copy.notes for copy in copies])
            rows += _copied(
                name, notes[: len(generated)], notes[len(generated) :], seed
            )
    return rows


def as_dict(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The rows by name, as JSON has it: null for NaN, and [value, low, high] for an interval."""
    plain = lambda x: None if math.isnan(x) else x
    return {
        row.name: {
            "generated": [plain(x) for x in row.generated],
            "real": [plain(x) for x in row.real],
            "overlap": plain(row.overlap),
            "divergence": plain(row.divergence),
            "chance": plain(row.chance),
        }
        for row in rows
    }


def _each(
    name: str, ours: np.ndarray, theirs: np.ndarray, seed: int, of: Statistic = np.mean
) -> Row:
    """A figure of single pieces, summed up by `of`."""
    return Row(
        name,
        confidence_interval(ours, of, seed),
        confidence_interval(theirs, of, seed),
        density_overlap(ours, theirs),
    )


def _pooled(name: str, ours: list[Counter], theirs: list[Counter], seed: int) -> Row:
    """How far all of the bags together are from all of the others."""
    bags, rng = ours + theirs, np.random.default_rng(seed)

    def apart(order: Sequence[int]) -> float:
        shares = order[: len(ours)], order[len(ours) :]
        one, other = (merge(bags[i] for i in share) for share in shares)
        return js_divergence(one, other)

    shuffles = [apart(rng.permutation(len(bags)).tolist()) for _ in range(SHUFFLES)]
    found = apart(range(len(bags)))
    return Row(name, divergence=found, chance=float(np.mean(shuffles)))


def _runs(ours: list, theirs: list, seed: int) -> list[Row]:
    """What is of runs of words."""
    one, other = ([grams(tokens, N) for tokens in pieces] for pieces in (ours, theirs))
    known = merge(other)
    new = np.array([coverage(bag, known) for bag in one])
    old = np.array([coverage(bag, known - bag) for bag in other])
    return [
        Row(
            f"distinct_{N}",
            ConfidenceInterval(distinct(ours, N)),
            ConfidenceInterval(distinct(theirs, N)),
        ),
        _each(f"in_real_{N}", new, old, seed),
        _each("self_bleu", self_bleu(ours), self_bleu(theirs), seed),
    ]


def _copied(name: str, ours: np.ndarray, theirs: np.ndarray, seed: int) -> list[Row]:
    """The notes of the longest copies, of one in the middle and of the longest of all."""
    most = Row(
        f"{name}_longest",
        ConfidenceInterval(float(ours.max())),
        ConfidenceInterval(float(theirs.max())),
    )
    return [_each(name, ours, theirs, seed, np.median), most]
