"""Compound rows: expected rows, round trips, remarks and refusals."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scores import FREE_TIME, METRES, Tune, barred, played, sequence, tunes

from zoo.data.codecs import Compound, make
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import UsageError

CODEC = Compound()
SMALL = Compound(("3/4", "2/4", "6/8"), 2, max_bars=2, max_duration=5, velocity_bins=3)
codecs = pytest.mark.parametrize("codec", [CODEC, SMALL], ids=["default", "small"])


def score(*notes, metres=((0, 4, 4),)):
    """Returns a piece.

    Args:
      notes: (pitch, onset, offset, program), times in 16ths, program None for drums.
      metres: (start in 16ths, numerator, denominator).
    """
    piece = NoteSequence()
    for at, numerator, denominator in metres:
        piece.time_signatures.add(
            time=at / 8, numerator=numerator, denominator=denominator
        )
    for i, (pitch, onset, offset, program) in enumerate(notes):
        times = {"start_time": onset / 8, "end_time": offset / 8}
        drum = program is None
        piece.notes.add(
            pitch=pitch,
            velocity=64,
            instrument=i,
            program=program or 0,
            is_drum=drum,
            **times,
        )
        piece.total_time = max(piece.total_time, offset / 8)
    return piece


def arrays(codec):
    """Rows of any legal values, few of them BOUNDARY."""
    columns = [st.integers(1, size - 1) for size in codec.sizes]
    row = st.one_of(*[st.tuples(*columns)] * 9, st.just((0,) * 7))
    return st.lists(row, max_size=12).map(
        lambda rows: np.array(rows, np.int32).reshape(-1, 7)
    )


def by_onset(piece):
    """Returns (onset, program or None, pitch, length), times in 16ths, sorted."""
    by = lambda x: (round(8 * x.start_time), None if x.is_drum else x.program, x.pitch)
    notes = [(*by(x), round(8 * (x.end_time - x.start_time))) for x in piece.notes]
    return sorted(notes, key=lambda x: (x[0], x[1] is None, x[1] or 0, x[2]))


def test_rows_as_written_by_hand():
    """A waltz: piano and drums, a flute in the second bar, then two bars of 4/4."""
    notes = [(36, 0, 1, None), (48, 0, 12, 0), (72, 16, 20, 73), (74, 42, 44, 73)]
    fit = CODEC.fit(score(*notes, metres=[(0, 3, 4), (24, 4, 4)]))
    three, four, loud = 2, 3, 4  # of nineteen metres, and of eight bins
    assert fit.array.dtype == np.int32
    assert fit.array.tolist() == [
        [three, 1, 1, 1, 49, 12, loud],
        [three, 1, 1, 129, 37, 1, loud],
        [three, 2, 5, 74, 73, 4, loud],
        [four, 3, 3, 74, 75, 2, loud],
        [0] * 7,
    ]
    assert (
        CODEC.describe_row(fit.array[2])
        == "3/4, bar +1, step 4, Flute, C5, length 4, velocity 56"
    )
    assert fit.remarks == ("tracks: 4 joined by program into 3",)


def test_the_music_comes_back():
    notes = [(36, 0, 1, None), (48, 0, 12, 0), (72, 16, 20, 73), (74, 38, 40, 73)]
    back = CODEC.decode(CODEC.encode(score(*notes)))
    assert by_onset(back) == [
        (0, 0, 48, 12),
        (0, None, 36, 1),
        (16, 73, 72, 4),
        (38, 73, 74, 2),
    ]
    assert {x.instrument for x in back.notes if x.program == 73} == {1}
    assert [(x.instrument, x.name) for x in back.instrument_infos] == [
        *((0, "Acoustic Grand Piano"), (1, "Flute"), (2, "Drums")),
    ]
    assert {x.velocity for x in back.notes} == {56}
    assert round(8 * back.total_time) == 48


def test_a_pickup_stands_at_the_end_of_its_bar():
    tune = Tune((3, 4), 4, [(60, 4), (62, 12), (64, 12)])
    fit = CODEC.fit(sequence(tune))
    assert fit.array[:3, 1:3].tolist() == [[1, 9], [2, 1], [2, 1]]
    assert "pickup: rests fill the first bar" in fit.remarks
    back = CODEC.decode(fit.array)
    assert barred(back) == [(0, 3, 4)]
    assert played(back) == [
        (p, on + 8, off + 8) for p, on, off in played(sequence(tune))
    ]
    np.testing.assert_array_equal(CODEC.encode(back), fit.array)


def test_a_short_bar_has_a_metre_of_its_own_or_is_filled():
    """4/4, then half a bar, a bar, one beat, and two bars."""
    metres = [(0, 4, 4), (32, 2, 4), (40, 4, 4), (56, 1, 4), (60, 4, 4)]
    notes = [
        (60 + i, at, at + 2, 0) for i, at in enumerate((0, 16, 32, 40, 56, 60, 76))
    ]
    fit = CODEC.fit(score(*notes, metres=metres))
    names = [CODEC.describe_row(row).split(",")[0] for row in fit.array]
    assert names == ["4/4", "4/4", "2/4", "4/4", "4/4", "4/4", "4/4", "boundary"]
    assert (fit.array[1:-1, 1] == 2).all()
    assert (fit.array[:-1, 2] == 1).all()
    assert "filled: 1 short bars filled with rests" in fit.remarks
    back = CODEC.decode(fit.array)
    assert [onset for _, onset, _ in played(back)] == [0, 16, 32, 40, 56, 72, 88]
    np.testing.assert_array_equal(CODEC.encode(back), fit.array)


def test_changes_are_remarked():
    notes = [
        (60, 0, 100, 0),
        (60, 0, 4, 0),
        (64, 0.2, 2, 0),
        (62, 40 * 16, 40 * 16 + 1, 0),
    ]
    piece = score(*notes)
    piece.tempos.add(qpm=90, time=900)
    said = {note.split(":")[0]: note for note in CODEC.fit(piece).remarks}
    assert {"tempo", "tracks", "quantised", "merged", "rests", "cut"} == said.keys()
    assert "1 of 4" in said["merged"]
    assert said["cut"] == "cut: 1 notes longer than 64 steps"
    assert said["rests"] == "rests: 1 of more than 16 bars shortened"
    assert [row[[1, 5]].tolist() for row in CODEC.encode(piece)[:-1]] == [
        [1, 64],
        [1, 2],
        [17, 1],
    ]


def test_order_and_tracks_do_not_matter():
    notes = [(60 + i % 5, i // 3, i // 3 + 2, (0, 40, None)[i % 3]) for i in range(30)]
    once = CODEC.encode(score(*notes))
    np.testing.assert_array_equal(CODEC.encode(score(*notes[::-1])), once)
    np.testing.assert_array_equal(CODEC.encode(score(*notes, *notes)), once)


@codecs
@given(st.data())
def test_decoding_is_total_and_sound(codec, data):
    wild = hnp.arrays(
        np.int32, st.tuples(st.integers(0, 8), st.just(7)), elements=st.integers(0, 139)
    )
    back = codec.decode(data.draw(st.one_of(wild, arrays(codec))))
    ends = {}
    for x in sorted(back.notes, key=lambda x: x.start_time):
        assert 0 <= x.start_time < x.end_time <= back.total_time + 1e-9
        assert {x.pitch, x.program, x.velocity - 1} <= {*range(128)}
        assert ends.get((x.instrument, x.pitch), 0) <= x.start_time + 1e-9
        ends[x.instrument, x.pitch] = x.end_time


@codecs
@given(st.data())
def test_encoding_a_decoded_piece_is_idempotent(codec, data):
    piece = codec.decode(data.draw(arrays(codec).filter(lambda rows: rows[:1].any())))
    normal = codec.encode(piece)
    assert (normal < codec.sizes).all()
    assert (normal > 0).all(axis=1).tolist() == [True] * (len(normal) - 1) + [False]
    np.testing.assert_array_equal(codec.encode(codec.decode(normal)), normal)


@example(
    Tune((2, 4), 0, [(None, 8), (36, 20), (36, 1), (60, 3), (62, 16)], later=(3, 4))
)
@given(tunes())
def test_tunes_come_back_bar_by_bar(tune):
    rows = CODEC.encode(sequence(tune))
    back = CODEC.decode(rows)
    np.testing.assert_array_equal(CODEC.encode(back), rows)
    assert [p for p, *_ in sorted(played(back), key=lambda x: x[1])] == [
        pitch for pitch, _ in tune.notes if pitch is not None
    ]


@pytest.mark.parametrize("metre", METRES)
@pytest.mark.parametrize("later", METRES)
def test_a_note_held_over_a_change_of_metre_ends_where_it_is_struck_again(metre, later):
    """The bars that it lasts for have no onsets, so that their metre may be lost."""
    for length in range(8, 64, 3):
        for rest in ([], [(None, 16 * metre[0] // metre[1])]):
            notes = [*rest, (36, length), (36, 1), (60, 3), (62, 16)]
            rows = CODEC.encode(sequence(Tune(metre, 0, notes, later)))
            np.testing.assert_array_equal(CODEC.encode(CODEC.decode(rows)), rows)


@codecs
@given(st.data())
def test_transposing_moves_all_notes_but_drums(codec, data):
    rows = data.draw(arrays(codec))
    semitones = data.draw(st.sampled_from(codec.reach(rows)))
    before, after = (
        by_onset(codec.decode(x)) for x in (rows, codec.transpose(rows, semitones))
    )
    moved = [
        (at, who, pitch + semitones * (who is not None), n)
        for at, who, pitch, n in before
    ]
    assert after == moved
    reach = codec.reach(rows)
    if any(who is not None for _, who, *_ in before):
        for outside in (reach.start - 1, reach.stop):
            with pytest.raises(Refused, match="range"):
                codec.transpose(rows, outside)


@codecs
def test_every_value_has_a_name_of_its_own_and_is_found_by_it(codec):
    names = [codec.describe(token) for token in range(codec.vocab)]
    assert names[0] == "boundary"
    assert len(set(names)) == codec.vocab == max(codec.sizes)
    for column, size in zip(codec.columns, codec.sizes, strict=True):
        values = [codec.value(column, name.upper()) for name in codec.words(column)]
        assert values == list(range(1, size))


@pytest.mark.parametrize(
    ("column", "name", "value"),
    [
        ("metre", "3/4", 2),
        ("bar", 0, 1),
        ("position", "4", 5),
        *(("instrument", name, 74) for name in ("flute", " Flute", 73, "73")),
        ("instrument", "drums", 129),
        ("pitch", 60, 61),
        ("pitch", "c4", 61),
        ("duration", 4, 4),
        ("velocity", 1, 1),
        ("velocity", 127, 8),
    ],
)
def test_names_and_numbers_of_values(column, name, value):
    assert CODEC.value(column, name) == value


@pytest.mark.parametrize(
    ("column", "name", "said"),
    [
        ("instrument", "flut", "did you mean 'flute'"),
        ("instrument", "piano", "did you mean 'acoustic grand piano' or"),
        ("instrument", 200, "choose from acoustic grand piano, .* 126, 127, 128"),
        ("metre", "3/5", "no metre called '3/5': did you mean '3/"),
        ("metre", "3", "no metre called '3': choose from 2/4, 3/4"),
        ("pich", 60, "no column called 'pich': did you mean 'pitch'"),
    ],
)
def test_unknown_names_are_usage_errors(column, name, said):
    with pytest.raises(UsageError, match=said):
        CODEC.value(column, name)


@pytest.mark.parametrize(
    ("piece", "reason", "says"),
    [
        (score(), "empty", "no notes"),
        (score((60, 2, 1, 0)), "malformed", "impossible times"),
        (score((60, 0, 1, 128)), "malformed", "Program 128"),
        (score((60, 1e9, 1e9 + 1, 0)), "long", "cut it first"),
        (
            score(*((60, t, t + 1, 0) for t in FREE_TIME[:9])),
            "off-grid",
            "5 of 9",
        ),
        (
            score((60, 0, 40, 0), (62, 40, 41, 0), metres=[(0, 11, 8)]),
            "metre",
            "in 11/8; add",
        ),
    ],
)
def test_refusals_state_their_reason(piece, reason, says):
    with pytest.raises(Refused, match=says) as refused:
        CODEC.encode(piece)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_duration": 0}, "from 1 to 10,000"),
        ({"velocity_bins": 33}, "from 1 to 32"),
        ({"metres": ("waltz",)}, "such as '3/4'"),
        ({"max_bar": 3}, "did you mean 'max_bars'"),
    ],
)
def test_impossible_codecs_are_usage_errors(fields, said):
    with pytest.raises(UsageError, match=said):
        make("compound", **fields)


def test_drums_alone_are_music_that_is_not_transposed():
    rows = CODEC.encode(score((38, 0, 1, None), (36, 4, 5, None)))
    assert CODEC.reach(rows) == range(1)
    np.testing.assert_array_equal(CODEC.transpose(rows, 0), rows)
    with pytest.raises(Refused, match="no pitched notes"):
        CODEC.transpose(rows, 1)


def test_bins_of_velocity_are_kept_however_many():
    for bins in range(1, 33):
        codec = dataclasses.replace(CODEC, velocity_bins=bins)
        rows = np.array([[3, 2, 1, 1, 61, 1, 1 + i] for i in range(bins)], np.int32)
        np.testing.assert_array_equal(codec.encode(codec.decode(rows))[:-1], rows)
