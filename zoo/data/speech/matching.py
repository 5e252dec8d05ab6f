"""Phonemes of a dictionary matched with those that were spoken."""

from collections.abc import Sequence

import numpy as np

from zoo.data.text.inventory import VOWELS

SKIPPED = 1.0  # cost of a phoneme that the other side lacks
KIND = 0.8  # cost of another vowel, or another consonant
OTHER = 3.0  # cost of a vowel for a consonant: more than leaving both out
NEAR = 0.4  # cost of sounds that are exchanged often
PAIRS = {
    *(frozenset(("AH", other)) for other in ("IH", "EH", "UH", "ER", "AA", "AE")),
    *map(frozenset, (("AA", "AO"), ("IH", "IY"), ("UH", "UW"), ("AE", "EH"))),
    *map(frozenset, (("T", "D"), ("S", "Z"), ("SH", "ZH"), ("IH", "EH"))),
}


def base(phoneme: str) -> str:
    """Returns a phoneme without its stress."""
    return phoneme.rstrip("012")


def match(read: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """Returns for each read phoneme the index of the spoken one that it became, or -1.

    The indices rise. The match is the cheapest alignment, as of an edit distance.
    """
    rows, columns = len(read), len(spoken)
    costs = np.full((rows + 1, columns + 1), np.inf)
    costs[0] = SKIPPED * np.arange(columns + 1)
    costs[:, 0] = SKIPPED * np.arange(rows + 1)
    for i, one in enumerate(read):
        for j, other in enumerate(spoken):
            costs[i + 1, j + 1] = min(
                costs[i, j] + _cost(base(one), base(other)),
                costs[i, j + 1] + SKIPPED,
                costs[i + 1, j] + SKIPPED,
            )
    found = [-1] * rows
    i, j = rows, columns
    while i and j:
        here = costs[i, j]
        if here == costs[i - 1, j - 1] + _cost(base(read[i - 1]), base(spoken[j - 1])):
            i, j = i - 1, j - 1
            found[i] = j
        elif here == costs[i - 1, j] + SKIPPED:
            i -= 1
        else:
            j -= 1
    return found


def _cost(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if frozenset((one, other)) in PAIRS:
        return NEAR
    return KIND if (one in VOWELS) == (other in VOWELS) else OTHER


def stressed(read: Sequence[str], spoken: Sequence[str]) -> tuple[str, ...]:
    """Returns the spoken phonemes of a word with stress.

    It is that of the reading if both have as many vowels. Otherwise it is what is
    written in `spoken`; without anything there, the first vowel is stressed.

    Args:
      read: phonemes with stress.
      spoken: phonemes, whose vowels may lack it.
    """
    vowels = [index for index, one in enumerate(spoken) if base(one) in VOWELS]
    stresses = [one[-1] for one in read if base(one) in VOWELS]
    if len(stresses) != len(vowels):
        own = [spoken[index][-1] for index in vowels]
        stresses = [
            sign if sign in "012" else "10"[number > 0]
            for number, sign in enumerate(own)
        ]
    marked = [base(one) for one in spoken]
    for index, stress in zip(vowels, stresses, strict=True):
        marked[index] += stress
    return tuple(marked)
