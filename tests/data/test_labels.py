"""Labels of scores."""

import pytest

from zoo.data.corpora.labels import metre, mode
from zoo.data.proto import NoteSequence


def score(signatures, total):
    sequence = NoteSequence(total_time=total)
    for time, above, below in signatures:
        sequence.time_signatures.add(time=time, numerator=above, denominator=below)
    return sequence


@pytest.mark.parametrize(
    ("signatures", "total", "found"),
    [
        ([], 8, ""),
        ([(0, 6, 8)], 8, "6/8"),
        ([(0, 1, 8), (0.25, 6, 8)], 8, "6/8"),  # a pickup
        ([(0, 4, 4), (2, 3, 4), (4, 4, 4)], 5, "4/4"),
    ],
)
def test_the_metre_is_the_one_of_the_longest_duration(signatures, total, found):
    assert metre(score(signatures, total)) == found


def test_the_mode_is_that_of_the_key_signature():
    sequence = NoteSequence()
    assert mode(sequence) == ""
    sequence.key_signatures.add(mode=NoteSequence.KeySignature.DORIAN)
    assert mode(sequence) == "dorian"
