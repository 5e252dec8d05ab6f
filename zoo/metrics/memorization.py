"""The longest excerpt that a piece has in common with the training music.

Two successive notes form a link: their pitches, their durations and the time between
their onsets, in 16ths. An excerpt is a copy if its links are equal, so that position in
the bar, context and tempo do not matter. Training music and pieces are concatenated to
one string of links, whose suffixes are sorted (Manber & Myers 1993, by doubling): the
longest common prefix of a suffix is with one of its neighbours. 300,000 notes take
seconds.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.proto import NoteSequence
from zoo.metrics.distributions import sixteenths
from zoo.metrics.note_table import note_table

MAX_SIXTEENTHS = (1 << 15) - 1  # longer times are treated as equal


class Copy(NamedTuple):
    """An excerpt of a piece that is equal to an excerpt of the training music.

    Notes are numbered by onset and then by pitch, without drums, unless there are no
    other notes. A copy has at least two notes; if there is none, `notes` is 0 and the
    other fields are -1.

    Attributes:
      notes: number of notes.
      at: index of the first note in the piece.
      piece: index of the training piece.
      start: index of the first note in the training piece.
    """

    notes: int = 0
    at: int = -1
    piece: int = -1
    start: int = -1


def longest_copies(
    pieces: Sequence[NoteSequence],
    training: Sequence[NoteSequence],
    transposed: bool = False,
) -> list[Copy]:
    """Returns a longest excerpt of each piece that occurs in `training`.

    Args:
      pieces: pieces that may contain copies.
      training: pieces that may be copied from.
      transposed: whether transposed excerpts count. Drums are never transposed.
    """
    if not training:
        return [Copy()] * len(pieces)
    strings = [encode_links(sequence, transposed) for sequence in (*training, *pieces)]
    # Unique separators prevent matches across pieces.
    text = np.concatenate(
        [np.append(string, -1 - i) for i, string in enumerate(strings)]
    )
    starts = np.cumsum([0, *(len(string) + 1 for string in strings)])
    ranks, boundary = _suffix_ranks(text), starts[len(training)]
    positions = np.arange(boundary, len(text))
    training_ranks = np.sort(ranks[:boundary])
    slots = np.searchsorted(training_ranks, ranks[positions])
    # the training suffixes before and after each suffix, [2, symbols of pieces]
    neighbours = np.argsort(ranks)[training_ranks.take([slots - 1, slots], mode="clip")]
    prefixes = _common_prefix(text, np.stack([positions, positions]), neighbours)
    copies = []
    for first, stop in itertools.pairwise(starts[len(training) :] - boundary):
        side, best = np.unravel_index(
            prefixes[:, first:stop].argmax(), (2, stop - first)
        )
        length = prefixes[side, first + best]
        position = neighbours[side, first + best]
        piece = int(np.searchsorted(starts, position, side="right")) - 1
        start = int(position - starts[piece])
        copy = Copy(int(length) + 1, int(best), piece, start)
        copies.append(copy if length else Copy())
    return copies


def encode_links(sequence: NoteSequence, transposed: bool = False) -> np.ndarray:
    """Encodes each link as a non-negative number, int64 [n - 1]."""
    table = note_table(sequence).pitched_or_drums
    durations = np.minimum(sixteenths(table.offset - table.onset), MAX_SIXTEENTHS)
    gaps = np.minimum(sixteenths(np.diff(table.onset)), MAX_SIXTEENTHS)
    if transposed and not table.drum.any():
        first, second = np.zeros(len(gaps), np.int64), np.diff(table.pitch) + 128
    else:
        first = table.pitch[:-1] + 128 * table.drum[1:]
        second = table.pitch[1:]
    links = first << 8 | second
    for times in (gaps, durations[:-1], durations[1:]):
        links = links << 15 | times
    return links


def _suffix_ranks(text: np.ndarray) -> np.ndarray:
    """Returns the rank of each suffix of `text` [n] among all suffixes, int [n]."""
    rank, width = np.unique(text, return_inverse=True)[1], 1
    # `rank` orders suffixes by their first `width` symbols, until all ranks differ.
    while rank.max() + 1 < len(rank):
        after = np.append(rank[width:] + 1, np.zeros(width, np.int64))
        rank = np.unique(rank * (len(rank) + 1) + after, return_inverse=True)[1]
        width *= 2
    return rank


def _common_prefix(text: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the lengths of the common prefixes of two arrays of suffixes."""
    one, other, length = one.ravel(), other.ravel(), np.zeros(one.shape, np.int64)
    count, active = length.reshape(-1), np.arange(length.size)
    while len(active):
        step = count[active]
        active = active[text[one[active] + step] == text[other[active] + step]]
        count[active] += 1
    return length
