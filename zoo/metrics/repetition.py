"""How much of a piece has been heard before in it.

The sequence of a tune's parts is its form, and form is what a model of long pieces is for. Passages
of equal length are compared by their notes, a note being a step and a pitch, as sets: two are as
alike as the share of all their notes that they have in common (Jaccard 1901). Axes: n pieces, t
step, u passage, p pitch, w note.
"""

from collections.abc import Mapping

import numpy as np

from zoo.data.codecs.phrase import PITCH, Phrase
from zoo.errors import UsageError
from zoo.metrics.self_similarity import piece_end


def note_jaccard(passages: np.ndarray) -> np.ndarray:
    """The share [u, u] of notes that two `passages` [u, t] have in common; 0 where both are silent.

    A note that is held from the passage before does not count.
    """
    struck = passages[..., None] == np.arange(
        PITCH, max(passages.max(), PITCH) + 1
    )  # [u, t, p]
    sets = struck.reshape(len(passages), -1).astype(np.float32)  # [u, w]
    both = sets @ sets.T
    either = sets.sum(1)[:, None] + sets.sum(1) - both
    return both / np.maximum(either, 1)


def recurrence(pieces: np.ndarray, codec: Phrase, bars: int = 2) -> float:
    """How alike a passage is to the likest of those before it in the piece: 1 if all comes back.

    It is the mean over all passages but the first of each piece; those that have no note are left
    out. A piece ends at its first BOUNDARY.

    Args:
      pieces: tokens [n, t] of `codec`, of any number of bars.
      codec: says how many steps a bar has.
      bars: in a passage.

    Raises:
      UsageError: no piece has a second passage with notes.
    """
    found: list[float] = []
    for piece in np.asarray(pieces):
        steps = bars * codec.bar
        passages = piece[: piece_end(piece) // steps * steps].reshape(-1, steps)
        if len(passages) > 1:
            heard = np.tril(note_jaccard(passages), -1).max(axis=1)
            found += heard[1:][(passages[1:] >= PITCH).any(axis=1)].tolist()
    if not found:
        raise UsageError(
            f"no piece has a second passage of {bars} bars with notes: give longer pieces."
        )
    return float(np.mean(found))


def recurrence_metrics(
    pieces: np.ndarray, real: np.ndarray, codec: Phrase
) -> Mapping[str, float]:
    """The `recurrence` of pieces, and of `real` ones beside it: the same at best."""
    return {
        "recurrence": recurrence(pieces, codec),
        "real_recurrence": recurrence(real, codec),
    }
