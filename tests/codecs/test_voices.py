"""Four voices as pitches: expected rows, Bach's chorales, and raw arrays."""

import importlib.util
import pathlib

import note_seq
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scores import FREE_TIME, played

from zoo.data.codecs import Voices
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

VOICES = Voices()


def score(*notes, length=0):
    """Returns a piece of notes (voice, pitch, onset, offset) in 16ths."""
    sequence = NoteSequence(total_time=length / 8)
    for voice, pitch, onset, offset in notes:
        sequence.notes.add(
            instrument=voice,
            pitch=pitch,
            start_time=onset / 8,
            end_time=offset / 8,
            velocity=80,
        )
        sequence.total_time = max(sequence.total_time, offset / 8)
    return sequence


def test_rows_are_the_sounding_pitches():
    fit = VOICES.fit(
        score((0, 72, 0, 2), (0, 74, 2, 3), (3, 40, 0, 4), (2, 55, 1, 3), (1, 60, 0, 1))
    )
    assert fit.array.dtype == np.int32
    assert [" ".join(map(VOICES.describe, row)) for row in fit.array] == [
        "C5 C4 rest E2",
        "C5 rest G3 E2",
        "D5 rest G3 E2",
        "rest rest rest E2",
    ]
    assert fit.remarks == ()


def test_a_repeated_note_is_joined_with_a_remark():
    choir = [(i, 72 - 5 * i, 0, 4) for i in range(1, 4)]
    fit = VOICES.fit(score((0, 72, 0, 2), (0, 72, 2, 4), *choir))
    assert fit.remarks == ("repeated: 1 notes joined to the one before them",)
    assert played(VOICES.decode(fit.array))[-1] == (72, 0, 4)


def test_voices_stand_in_order_of_height_and_trailing_silence_is_kept():
    rows = VOICES.encode(
        score((5, 40, 0, 4), (0, 50, 0, 4), (2, 70, 0, 4), (1, 60, 0, 4), length=6)
    )
    assert VOICES.pitches(rows).tolist() == [[70, 60, 50, 40]] * 4 + [[-1] * 4] * 2


@given(
    hnp.arrays(
        np.int32, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 49)
    )
)
def test_decoding_agrees_with_a_walk_along_each_voice(rows):
    expected = []
    for column in rows.T:
        at = 0
        while at < len(column):
            end = at
            while end < len(column) and column[end] == column[at]:
                end += 1
            if column[at]:
                expected.append((35 + int(column[at]), at, end))
            at = end
    back = VOICES.decode(rows)
    assert played(back) == sorted(expected)
    assert round(8 * back.total_time) == len(rows)


@given(
    hnp.arrays(
        np.int64, st.tuples(st.integers(0, 9), st.just(4)), elements=st.integers(35, 84)
    )
)
def test_raw_arrays_come_back(pitches):
    pitches = np.where(pitches == 35, -1, pitches)
    tokens = VOICES.tokens(pitches)
    assert tokens.dtype == np.int32
    np.testing.assert_array_equal(VOICES.pitches(tokens), pitches)
    assert ((tokens == 0) == (pitches == -1)).all()


def test_raw_arrays_out_of_range_are_refused():
    with pytest.raises(Refused, match="transposed by -1 it would fit"):
        VOICES.tokens(np.array([[85, 60, 50, 40]]))


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        ([(0, 70, 0, 4), (1, 60, 0, 4)], "voices"),
        ([(i, 70 - 9 * i, 0, 4) for i in range(4)] + [(0, 90, 4, 8)], "range"),
        ([(i, 70 - 9 * i + j, 0, 4) for i in range(4) for j in (0, 3)], "polyphonic"),
        (
            [(i, 70 - 9 * i, t, t + 1) for i in range(4) for t in FREE_TIME],
            "off-grid",
        ),
    ],
)
def test_refusals(notes, reason):
    with pytest.raises(Refused) as refused:
        VOICES.encode(score(*notes))
    assert refused.value.reason == reason


@pytest.mark.parametrize("name", ["bwv253", "bwv269", "bwv277", "bwv347"])
def test_bach_comes_back_but_for_repeated_notes(name):
    spec = importlib.util.find_spec("music21")
    assert spec
    assert spec.origin
    path = pathlib.Path(spec.origin).parent / "corpus" / "bach" / f"{name}.mxl"
    rows = VOICES.encode(note_seq.musicxml_file_to_sequence_proto(str(path)))
    assert (np.diff(VOICES.pitches(rows).mean(axis=0)) < 0).all()
    np.testing.assert_array_equal(VOICES.encode(VOICES.decode(rows)), rows)
