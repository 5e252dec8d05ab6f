"""Four voices come back in their columns; Bach's do too."""

import importlib.util
import pathlib

import note_seq
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scores import Tune, barred, played, sequence

from zoo.data.codecs import Chorale
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

CHORALE = Chorale()
LOW = (72, 64, 55, 45)  # a voice keeps within five semitones above


def choir(columns, metre=(4, 4), pickup=0, order=(0, 1, 2, 3)):
    """Returns a piece; a note is (semitones above LOW or None, length in 16ths)."""
    score = NoteSequence()
    for instrument, voice in enumerate(order):
        notes = [(x if x is None else x + LOW[voice], n) for x, n in columns[voice]]
        line = sequence(Tune(metre, pickup, notes))
        for note in line.notes:
            note.instrument = instrument
        score.MergeFrom(line)
        score.total_time = max(score.total_time, line.total_time)
    return score


lines = st.lists(
    st.tuples(st.one_of(st.integers(0, 5), st.none()), st.integers(1, 9)), max_size=12
)


@given(
    st.lists(lines.map(lambda x: [(0, 8), *x]), min_size=4, max_size=4),
    st.sampled_from([(4, 4), (3, 4), (6, 8)]),
    st.sampled_from([0, 4]),
    st.permutations(range(4)),
)
def test_voices_come_back_in_order_of_height(columns, metre, pickup, order):
    score = choir(columns, metre, pickup, order)
    rows = CHORALE.encode(score)
    assert rows.dtype == np.int32
    assert rows.shape[1] == 4
    assert not rows[-1].any()
    back = CHORALE.decode(rows)
    assert played(back) == played(score)
    for voice in range(4):
        line = [x.pitch for x in back.notes if x.instrument == voice]
        assert all(LOW[voice] <= pitch <= LOW[voice] + 5 for pitch in line)
    assert {x.program for x in back.notes} == {52}
    assert barred(back)[-1] == (pickup, *metre)
    np.testing.assert_array_equal(CHORALE.encode(back), rows)


def test_rows_hold_one_16th_of_every_voice():
    columns = [[(0, 2), (2, 2)], [(0, 4)], [(0, 1), (None, 2), (1, 1)], [(0, 3)]]
    rows = CHORALE.encode(choir(columns, (3, 8)))
    assert [" ".join(map(CHORALE.describe, row)) for row in rows] == [
        "3/8 3/8 3/8 3/8",
        "C5 E4 G3 A2",
        "hold hold rest hold",
        "D5 hold rest hold",
        "hold hold G#3 rest",
        "boundary boundary boundary boundary",
    ]


def test_the_soprano_determines_the_kind_of_a_row():
    rows = np.array(
        [[60, 40, 4, 30], [1, 0, 1, 1], [5, 1, 60, 7], [60, 1, 0, 1], [0, 60, 60, 60]]
    )
    pitches = [
        sum(x.instrument == i for x in CHORALE.decode(rows).notes) for i in range(4)
    ]
    assert pitches == [2, 1, 0, 1]


@pytest.mark.parametrize("voices", [1, 3, 5])
def test_other_numbers_of_voices_are_refused(voices):
    score = NoteSequence()
    for i in range(voices):
        score.notes.add(pitch=60 + i, end_time=1, instrument=i)
    with pytest.raises(Refused, match=f"{voices} voices") as refused:
        CHORALE.encode(score)
    assert refused.value.reason == "voices"


@pytest.mark.parametrize("name", ["bwv253", "bwv269", "bwv277", "bwv347"])
def test_bach_fits(name):
    spec = importlib.util.find_spec("music21")
    assert spec
    assert spec.origin
    path = pathlib.Path(spec.origin).parent / "corpus" / "bach" / f"{name}.mxl"
    score = note_seq.musicxml_file_to_sequence_proto(str(path))
    fit = CHORALE.fit(score)
    back = CHORALE.decode(fit.array)
    assert fit.remarks == ()
    assert played(back) == played(score)
    np.testing.assert_array_equal(CHORALE.encode(back), fit.array)
    sounding = (fit.array >= 1) & (fit.array != 2)
    assert sounding.mean() > 0.9
