"""Repetition of passages, against counts by hand."""

import numpy as np
import pytest

from zoo.data.codecs import Phrase
from zoo.errors import UsageError
from zoo.metrics.repetition import note_jaccard, recurrence, recurrence_metrics

CODEC = Phrase(bars=2, metres=("1/4",))  # four steps to a bar
BOUNDARY, HOLD, REST, LOW = 0, 1, 2, 3
ONE = [LOW, HOLD, LOW + 2, HOLD, LOW + 4, HOLD, HOLD, HOLD]  # three notes in two bars
TWO = [
    LOW,
    HOLD,
    LOW + 2,
    REST,
    LOW + 5,
    HOLD,
    HOLD,
    HOLD,
]  # two of the same, and another
NONE = [REST] + [HOLD] * 7


def piece(*passages):
    return np.concatenate(passages)[None]


def test_similarity_is_the_jaccard_index_of_notes():
    shares = [[1, 2 / 4, 0], [2 / 4, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(note_jaccard(np.array([ONE, TWO, NONE])), shares)


def test_a_passage_is_compared_with_the_most_similar_before_it():
    assert recurrence(piece(ONE, TWO), CODEC) == 0.5
    assert recurrence(piece(TWO, ONE, TWO, ONE), CODEC) == pytest.approx(
        (0.5 + 1 + 1) / 3
    )
    assert recurrence(piece(ONE, NONE, ONE), CODEC) == 1  # silence is no passage
    assert (
        recurrence(piece(ONE, ONE)[:, :12], CODEC, bars=1) == 0.5
    )  # ONE's second bar, then first


def test_a_piece_ends_at_its_boundary():
    assert recurrence(piece(ONE, TWO, [BOUNDARY] * 8, ONE), CODEC) == 0.5
    assert recurrence_metrics(piece(ONE, TWO), piece(ONE, ONE), CODEC) == {
        "recurrence": 0.5,
        "real_recurrence": 1.0,
    }


def test_the_error_of_short_pieces():
    with pytest.raises(UsageError, match="second passage of 2 bars"):
        recurrence(piece(ONE), CODEC)
