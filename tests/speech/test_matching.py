"""Phonemes of a dictionary matched with those that were spoken."""

import functools

import numpy as np
import pytest

from zoo.data.speech.matching import KIND, NEAR, OTHER, PAIRS, SKIPPED, match, stressed
from zoo.data.speech.tokens import token_ends
from zoo.data.speech.utterance import Utterance
from zoo.data.text.inventory import VOWELS
from zoo.data.text.phonemes import Phonemes
from zoo.data.text.reading import Word

SOUNDS = ("AH", "IH", "AA", "T", "D", "S", "N")


def price(one, other):
    if one == other:
        return 0.0
    if frozenset((one, other)) in PAIRS:
        return NEAR
    return KIND if (one in VOWELS) == (other in VOWELS) else OTHER


def cheapest(read, spoken):
    """Returns the cost of the best alignment, by trying all of them."""

    @functools.cache
    def cost(i, j):
        if i == len(read) or j == len(spoken):
            return SKIPPED * (len(read) - i + len(spoken) - j)
        both = price(read[i], spoken[j]) + cost(i + 1, j + 1)
        return min(both, SKIPPED + cost(i + 1, j), SKIPPED + cost(i, j + 1))

    return cost(0, 0)


def test_the_match_is_the_cheapest_alignment():
    rng = np.random.default_rng(0)
    for _ in range(100):
        read, spoken = (
            tuple(rng.choice(SOUNDS, rng.integers(1, 7)).tolist()) for _ in range(2)
        )
        found = match(read, spoken)
        pairs = [(i, j) for i, j in enumerate(found) if j >= 0]
        assert [j for _, j in pairs] == sorted({j for _, j in pairs})
        left_out = len(read) + len(spoken) - 2 * len(pairs)
        cost = SKIPPED * left_out + sum(price(read[i], spoken[j]) for i, j in pairs)
        assert cost == pytest.approx(cheapest(read, spoken))


@pytest.mark.parametrize(
    ("read", "spoken", "expected"),
    [
        ("HH IY1 R", "HH IH R", "HH IH1 R"),  # as many vowels: the stress of ours
        ("AH0 N AH1 DH ER0", "AH N AH DH ER", "AH0 N AH1 DH ER0"),
        ("AW1 R", "AW1 ER0", "AW1 ER0"),  # another number: that of the engine
        ("AW1 R", "AW ER", "AW1 ER0"),  # without any: the first
        ("S", "S", "S"),
    ],
)
def test_stress_is_that_of_our_reading(read, spoken, expected):
    assert " ".join(stressed(read.split(), spoken.split())) == expected


def utterance(phonemes, seconds, words):
    bounds = np.cumsum([0, *seconds])
    return Utterance(
        audio=np.zeros(bounds[-1], np.float32),
        rate=100,
        phonemes=tuple("" if x == "_" else x for x in phonemes.split()),
        bounds=bounds,
        words=words,
    )


def test_tokens_end_where_their_phonemes_do():
    words = (Word("hot", ("HH", "AA1", "T")), Word("tea", ("T", "IY1"), "!"))
    spoken = utterance("_ HH AA1 T T IY1 _", [5, 4, 9, 3, 2, 8, 6], (1, 4))
    ends = token_ends(words, spoken)
    assert len(ends) == len(Phonemes().row(words))
    #                     HH AA1  T  |   T IY1  !  end
    assert ends.tolist() == [9, 18, 21, 21, 23, 31, 37, 37]


def test_phonemes_left_out_last_no_time_and_others_join_those_before():
    words = (Word("and", ("AE1", "N", "D"), ","), Word("hour", ("AW1", "R")))
    spoken = utterance("AE1 N _ AW1 ER0 R", [4, 5, 7, 9, 2, 3], (0, 3))
    #                                           AE1 N  D  ,  AW1  R end
    assert token_ends(words, spoken).tolist() == [4, 9, 9, 16, 27, 30, 30]
    silent = utterance("AE1 N AW1 R _", [4, 5, 9, 2, 3], (0, 2))
    assert token_ends(words, silent).tolist() == [4, 9, 9, 9, 18, 20, 23]
