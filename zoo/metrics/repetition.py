"""Repetition of passages within a piece, a metric of its form.

Passages of equal length are compared as sets of notes, a note being a step and a pitch,
by their Jaccard index (Jaccard 1901). Axes: n pieces, t step, u passage, p pitch, w
note.
"""

from collections.abc import Mapping

import numpy as np

from zoo.data.codecs.phrase import PITCH, Phrase
from zoo.errors import UsageError
from zoo.metrics.self_similarity import piece_end


def note_jaccard(passages: np.ndarray) -> np.ndarray:
    """Returns the Jaccard indices [u, u] of the notes of `passages` [u, t].

    The index of two silent passages is 0. Notes that began before a passage are
    ignored.
    """
    pitches = np.arange(PITCH, max(passages.max(), PITCH) + 1)
    onsets = passages[..., None] == pitches  # [u, t, p]
    sets = onsets.reshape(len(passages), -1).astype(np.float32)  # [u, w]
    intersection = sets @ sets.T
    union = sets.sum(1)[:, None] + sets.sum(1) - intersection
    return intersection / np.maximum(union, 1)


def recurrence(pieces: np.ndarray, codec: Phrase, bars: int = 2) -> float:
    """Returns the mean similarity of a passage to the most similar one before it.

    It is 1 if every passage repeats an earlier one. The first passage of a piece and
    silent passages are ignored. A piece ends at its first BOUNDARY.

    Args:
      pieces: tokens [n, t] of `codec`, of any number of bars.
      codec: the codec of the pieces, of which the steps of a bar are used.
      bars: bars of a passage.

    Raises:
      UsageError: no piece has a second passage with notes.
    """
    similarities: list[float] = []
    for piece in np.asarray(pieces):
        steps = bars * codec.bar
        passages = piece[: piece_end(piece) // steps * steps].reshape(-1, steps)
        if len(passages) > 1:
            best = np.tril(note_jaccard(passages), -1).max(axis=1)
            has_notes = (passages[1:] >= PITCH).any(axis=1)
            similarities += best[1:][has_notes].tolist()
    if not similarities:
        raise UsageError(
            f"no piece has a second passage of {bars} bars with notes: give longer "
            "pieces."
        )
    return float(np.mean(similarities))


def recurrence_metrics(
    pieces: np.ndarray, real: np.ndarray, codec: Phrase
) -> Mapping[str, float]:
    """Returns the `recurrence` of generated and of `real` pieces; best if equal."""
    return {
        "recurrence": recurrence(pieces, codec),
        "real_recurrence": recurrence(real, codec),
    }
