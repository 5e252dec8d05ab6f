"""Letters of words aligned with their phonemes.

Each letter takes none, one or two phonemes: a graphone (Bisani and Ney 2008). The
likeliest alignment of every word and the probabilities of graphones are found in
turns, by dynamic programming over all words of one length at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.data.text.inventory import PHONEMES, VOWELS

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONGEST = 20  # letters of a word that is learned from
SAMPLE = 20_000  # words by which the probabilities of graphones are found
ROUNDS = 5
RARE = 1e-7  # the probability of a graphone that has not occurred
FIRST = (0.25, 0.7, 0.05)  # at first: that a letter has no, one or two phonemes
BASES = (*VOWELS, *(x for x in PHONEMES if x[-1] not in "012"))  # without stress


class Graphones(NamedTuple):
    """Words as graphones.

    Attributes:
      names: the letter and the phonemes of each graphone.
      words: int32 [n, LONGEST], the graphones of each word, padded with -1.
    """

    names: list[tuple[str, tuple[str, ...]]]
    words: np.ndarray


class Group(NamedTuple):
    """Words of one length: letters [n, l], bases and phonemes [n, p], lengths [n]."""

    letters: np.ndarray
    bases: np.ndarray
    phonemes: np.ndarray
    lengths: np.ndarray


def align(words: Sequence[tuple[str, Sequence[str]]]) -> Graphones:
    """Aligns words with their phonemes; leaves out those that have no alignment.

    Args:
      words: words of the letters a to z, each with its phonemes.
    """
    sample = _groups(words[:: max(len(words) // SAMPLE, 1)])
    tables = _first_tables(sample)
    for _ in range(ROUNDS):
        counts = [np.zeros(table.size) for table in tables]
        for group in sample:
            _count(group, _moves(group, tables), counts)
        total = sum(count.sum() for count in counts)
        tables = [
            np.log(count / total + RARE).astype(np.float32).reshape(table.shape)
            for count, table in zip(counts, tables, strict=True)
        ]
    return _collect(_groups(words), tables)


def _groups(words: Sequence[tuple[str, Sequence[str]]]) -> list[Group]:
    base = {name: BASES.index(name.rstrip("012")) for name in PHONEMES}
    whole = {name: i for i, name in enumerate(PHONEMES)}
    by_size: dict[int, list[tuple[str, Sequence[str]]]] = {}
    for word, spoken in words:
        if len(word) <= LONGEST and len(spoken) <= 2 * len(word):
            by_size.setdefault(len(word), []).append((word, spoken))
    groups = []
    for size, chosen in sorted(by_size.items()):
        width = max(len(p) for _, p in chosen)
        text = "".join(word for word, _ in chosen).encode()
        letters = np.frombuffer(text, np.uint8).reshape(-1, size).astype(np.int64) - 97
        bases = np.zeros((len(chosen), width), np.int64)
        phonemes = np.zeros((len(chosen), width), np.int64)
        for row, (_, names) in enumerate(chosen):
            bases[row, : len(names)] = [base[name] for name in names]
            phonemes[row, : len(names)] = [whole[name] for name in names]
        lengths = np.array([len(names) for _, names in chosen])
        groups.append(Group(letters, bases, phonemes, lengths))
    return groups


def _first_tables(groups: Sequence[Group]) -> list[np.ndarray]:
    """Returns log-probabilities by how often letters and phonemes share a place."""
    near = np.full((len(LETTERS), len(BASES)), 1.0)
    for letters, bases, _, lengths in groups:
        size = letters.shape[1]
        for place in range(bases.shape[1]):
            inside = lengths > place
            at = (place + 0.5) / lengths[inside] * size
            column = letters[inside, np.minimum(at.astype(int), size - 1)]
            np.add.at(near, (column, bases[inside, place]), 1.0)
    joint = near / near.sum()
    free = joint.sum(1, keepdims=True) * joint.sum(0)
    one = np.log(joint / free)  # pointwise mutual information
    none = np.full(len(LETTERS), np.log(FIRST[0]))
    two = (one[:, :, None] + one[:, None, :]) / 2 + np.log(FIRST[2])
    tables = (none, one + np.log(FIRST[1]), two)
    return [table.astype(np.float32) for table in tables]


def _moves(group: Group, tables: Sequence[np.ndarray]) -> np.ndarray:
    """Returns int8 [n, l], the number of phonemes of each letter; -1 without any."""
    letters, bases, _, lengths = group
    none, one, two = tables
    (count, size), width = letters.shape, bases.shape[1]
    score = np.full((count, width + 1), -np.inf, np.float32)
    score[:, 0] = 0
    choices = np.zeros((size, count, width + 1), np.int8)
    for place in range(size):
        letter = letters[:, place, None]
        options = np.full((3, count, width + 1), -np.inf, np.float32)
        options[0] = score + none[letter]
        options[1, :, 1:] = score[:, :-1] + one[letter, bases]
        options[2, :, 2:] = score[:, :-2] + two[letter, bases[:, :-1], bases[:, 1:]]
        choices[place] = options.argmax(0)
        score = options.max(0)
    rows = np.arange(count)
    moves = np.zeros((count, size), np.int8)
    left = lengths.copy()
    for place in range(size - 1, -1, -1):
        moves[:, place] = choices[place, rows, left]
        left = np.maximum(left - moves[:, place], 0)
    moves[~np.isfinite(score[rows, lengths])] = -1
    return moves


def _count(group: Group, moves: np.ndarray, counts: Sequence[np.ndarray]) -> None:
    """Adds the graphones of a group to the counts of letters with 0, 1 and 2."""
    letters, bases, _, _ = group
    after = np.cumsum(moves, 1)
    for number, count in enumerate(counts):
        rows, places = np.nonzero(moves == number)
        flat = letters[rows, places]
        for back in range(number, 0, -1):
            flat = flat * len(BASES) + bases[rows, after[rows, places] - back]
        count += np.bincount(flat, minlength=count.size)


def _collect(groups: Sequence[Group], tables: Sequence[np.ndarray]) -> Graphones:
    """Returns the graphones, with stress, of all words that could be aligned."""
    size = len(PHONEMES) + 1
    rows = []
    for group in groups:
        moves = _moves(group, tables)
        kept = moves[:, 0] >= 0
        letters, phonemes, moves = (
            group.letters[kept],
            group.phonemes[kept],
            moves[kept],
        )
        padded = np.concatenate([phonemes + 1, np.zeros((len(moves), 2), int)], 1)
        begin = np.cumsum(moves, 1) - moves
        row = np.arange(len(moves))[:, None]
        first = np.where(moves > 0, padded[row, begin], 0)
        second = np.where(moves > 1, padded[row, begin + 1], 0)
        code = (letters * size + first) * size + second
        padding = ((0, 0), (0, LONGEST - code.shape[1]))
        rows.append(np.pad(code, padding, constant_values=-1))
    codes = np.concatenate(rows)
    inventory = np.unique(codes[codes >= 0])
    words = np.where(codes < 0, -1, np.searchsorted(inventory, codes))
    names = []
    for code in inventory.tolist():
        letter, first, second = code // size**2, code // size % size, code % size
        held = tuple(PHONEMES[x - 1] for x in (first, second) if x)
        names.append((LETTERS[letter], held))
    return Graphones(names, words.astype(np.int32))
