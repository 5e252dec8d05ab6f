"""Piano rolls: encoding, decoding against a walk along each key, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scores import FREE_TIME

from zoo.data.codecs import Pianoroll
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

SMALL = Pianoroll(low=60, high=63)


def score(*notes):
    """Returns a piece of notes (pitch, onset, offset) in 16ths."""
    sequence = NoteSequence()
    for pitch, onset, offset in notes:
        sequence.notes.add(
            pitch=pitch, start_time=onset / 8, end_time=offset / 8, velocity=80
        )
        sequence.total_time = max(sequence.total_time, offset / 8)
    return sequence


def picture(roll):
    return ["".join(".-o"[x] for x in key) for key in roll.T[::-1]]


def test_a_roll_as_drawn():
    fit = SMALL.fit(score((60, 0, 6), (62, 1, 3), (62, 3, 5), (63, 4, 6)))
    assert fit.array.dtype == np.uint8
    assert picture(fit.array) == ["....o-", ".o-o-.", "......", "o-----"]
    assert fit.remarks == ()


def test_without_onsets_repeated_notes_are_joined_with_a_remark():
    fit = Pianoroll(low=60, high=63, onsets=False).fit(
        score((62, 1, 3), (62, 3, 5), (60, 0, 6))
    )
    assert picture(fit.array) == ["......", ".----.", "......", "------"]
    assert fit.remarks == ("repeated: 1 notes joined to the one before them",)


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(0, 2)
    )
)
def test_decoding_agrees_with_a_walk_along_each_key(roll):
    expected = []
    for key, column in enumerate(roll.T):
        for at, value in enumerate(column):
            begins = value == 2 or (value == 1 and (at == 0 or column[at - 1] == 0))
            if begins:
                rest = column[at + 1 :].tolist()
                held = next((i for i, x in enumerate(rest) if x != 1), len(rest))
                expected.append((60 + key, at, at + 1 + held))
    back = SMALL.decode(roll)
    got = [
        (x.pitch, round(8 * x.start_time), round(8 * x.end_time)) for x in back.notes
    ]
    assert sorted(got) == sorted(expected)
    assert round(8 * back.total_time) == len(roll)


def test_overlapping_notes_of_one_key_are_cut_where_it_is_struck_again():
    fit = SMALL.fit(score((60, 0, 6), (60, 2, 4)))
    assert picture(fit.array)[-1] == "o-o-.."
    assert fit.remarks == ("trimmed: 1 notes cut short where the next begins",)


def test_trailing_silence_is_kept():
    sequence = score((60, 0, 2))
    sequence.total_time = 1.0
    assert picture(SMALL.encode(sequence))[-1] == "o-......"


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        ([(59, 0, 2)], "range"),
        ([(60, 0, 2), (64, 0, 2)], "range"),
        ([(60, t, t + 1) for t in FREE_TIME], "off-grid"),
    ],
)
def test_refusals(notes, reason):
    with pytest.raises(Refused) as refused:
        SMALL.encode(score(*notes))
    assert refused.value.reason == reason
