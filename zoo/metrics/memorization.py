"""The longest excerpt that a piece has in common with the music a model was trained on.

Two notes in a row are a link: their pitches, their durations, and the time between their onsets,
in 16ths. An excerpt is copied where its links are, so that where it begins in a bar, what comes
before and how fast it goes make no difference. Training music and pieces are laid out as one
string of links, and its suffixes sorted (Manber & Myers 1993, by doubling): what a suffix shares
most with stands next to it. 300,000 notes are a matter of seconds.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.proto import NoteSequence
from zoo.metrics.distributions import sixteenths
from zoo.metrics.note_table import note_table

MAX_SIXTEENTHS = (1 << 15) - 1  # 16ths that are told apart


class Copy(NamedTuple):
    """`notes` in a row from number `at` of a piece, as from number `start` of training `piece`.

    Notes are numbered by onset and, within one, from low to high; drums do not count, unless there
    is nothing else. An excerpt has at least two: without any, `notes` is 0 and the others are -1.
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
    """The longest excerpt of each piece that stands in `training`, one of several as long.

    Args:
      pieces: what may be copied.
      training: what it may be copied from.
      transposed: whether the same in another key counts. Drums are never transposed.
    """
    if not training:
        return [Copy()] * len(pieces)
    strings = [encode_links(sequence, transposed) for sequence in (*training, *pieces)]
    # after each a symbol of its own, so that nothing is shared across
    text = np.concatenate(
        [np.append(string, -1 - i) for i, string in enumerate(strings)]
    )
    starts = np.cumsum([0, *(len(string) + 1 for string in strings)])
    rank, cut = _ranks(text), starts[len(training)]
    at, known = np.arange(cut, len(text)), np.sort(rank[:cut])
    slot = np.searchsorted(known, rank[at])
    near = np.argsort(rank)[
        known.take([slot - 1, slot], mode="clip")
    ]  # [2, symbols of pieces]
    shared = _common(text, np.stack([at, at]), near)
    found = []
    for first, stop in itertools.pairwise(starts[len(training) :] - cut):
        side, best = np.unravel_index(shared[:, first:stop].argmax(), (2, stop - first))
        length, place = shared[side, first + best], near[side, first + best]
        piece = int(np.searchsorted(starts, place, side="right")) - 1
        copy = Copy(int(length) + 1, int(best), piece, int(place - starts[piece]))
        found.append(copy if length else Copy())
    return found


def encode_links(sequence: NoteSequence, transposed: bool = False) -> np.ndarray:
    """From each note to the next, all there is to it in one number, int64 [n - 1], 0 or more."""
    score = note_table(sequence).heard
    lasting = np.minimum(sixteenths(score.offset - score.onset), MAX_SIXTEENTHS)
    gap = np.minimum(sixteenths(np.diff(score.onset)), MAX_SIXTEENTHS)
    pitch, kind = score.pitch, 128 * score.drum[1:]
    if transposed and not score.drum.any():
        two = np.zeros(len(gap), np.int64), np.diff(pitch) + 128
    else:
        two = pitch[:-1] + kind, pitch[1:]
    number = two[0] << 8 | two[1]
    for time in (gap, lasting[:-1], lasting[1:]):
        number = number << 15 | time
    return number


def _ranks(text: np.ndarray) -> np.ndarray:
    """The places of the suffixes of `text` [n] in their order, int [n]; all are different."""
    rank, width = np.unique(text, return_inverse=True)[1], 1
    while rank.max() + 1 < len(
        rank
    ):  # by their first `width` symbols some are still alike
        after = np.append(rank[width:] + 1, np.zeros(width, np.int64))
        rank = np.unique(rank * (len(rank) + 1) + after, return_inverse=True)[1]
        width *= 2
    return rank


def _common(text: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How many symbols from `one` and from `other` on are the same; all of one shape."""
    one, other, length = one.ravel(), other.ravel(), np.zeros(one.shape, np.int64)
    count, going = length.reshape(-1), np.arange(length.size)
    while len(going):
        step = count[going]
        going = going[text[one[going] + step] == text[other[going] + step]]
        count[going] += 1
    return length
