"""Tunes come back from their streams: notes, metres, pickups, ties, tempo changes."""

import sys

import numpy as np
import pytest
from hypothesis import given
from scores import FREE_TIME, Tune, barred, played, sequence, tunes

from zoo.data.codecs import Melody
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

MELODY = Melody()


def words(array, codec=MELODY):
    """Returns the names of tokens, with | for HOLD, - for REST and . for BOUNDARY."""
    signs = {"hold": "|", "rest": "-", "boundary": "."}
    return " ".join(signs.get(x, x) for x in map(codec.describe, array))


@given(tunes())
def test_a_tune_comes_back_with_its_metre_and_pickup(tune):
    score = sequence(tune)
    stream = MELODY.encode(score)
    back = MELODY.decode(stream)
    assert played(back) == played(score)
    assert round(back.total_time * 8) == tune.length
    np.testing.assert_array_equal(MELODY.encode(back), stream)
    shortened = tune.later and 16 * tune.later[0] // tune.later[1] < tune.bar
    if tune.length > tune.pickup + 3 * tune.bar and not shortened:
        expected = [(tune.pickup, *tune.metre)]
        if tune.later and tune.later != tune.metre:
            expected.append((tune.pickup + 2 * tune.bar, *tune.later))
        assert [m for m in barred(back) if m[0] >= tune.pickup] == expected
        assert len(barred(back)) - len(expected) == bool(tune.pickup)


@pytest.mark.parametrize(
    ("tune", "expected"),
    [
        (Tune((3, 8), 0, [(60, 2), (62, 4)]), "3/8 C4 | D4 | | | ."),
        (Tune((3, 8), 2, [(60, 2), (None, 2), (59, 4)]), "3/8 C4 | 3/8 - - B3 | | | ."),
        (Tune((2, 4), 0, [(60, 6), (67, 4)]), "2/4 C4 | | | | | G4 | | | ."),  # a tie
        (
            Tune((3, 8), 0, [(60, 8), (62, 4), (64, 9)], later=(2, 4)),
            "3/8 C4 | | | | | | | D4 | | | 2/4 E4 | | | | | | | | .",
        ),
        (
            Tune((3, 8), 0, [(60, 3), (62, 3), (64, 6)], qpms=(60, 90, 200)),
            "3/8 C4 | | D4 | | E4 | | | | | .",
        ),
        (
            Tune((3, 8), 0, [(60, 4), (60, 4), (None, 4)]),
            "3/8 C4 | | | C4 | | | - - - - .",
        ),
    ],
)
def test_streams_read_as_written(tune, expected):
    assert words(MELODY.encode(sequence(tune))) == expected


def test_a_tie_over_a_change_of_metre_is_one_note():
    tune = Tune((3, 8), 0, [(60, 10), (62, 9), (64, 9)], later=(2, 4))
    stream = MELODY.encode(sequence(tune))
    assert words(stream).startswith("3/8 C4 | | | | | | | | | D4 | 2/4 | | |")
    assert played(MELODY.decode(stream))[1] == (62, 10, 19)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], []),
        ([0, 80, 1], []),
        ([1, 1, 2], []),
        ([58, 1, 1], [(72, 0, 3)]),
        ([58, 2, 1, 58], [(72, 0, 1), (72, 3, 4)]),  # HOLD of a rest is a rest
        ([3, 4, 58, 3, 1, 3], [(72, 0, 2)]),  # metres take no time
    ],
)
def test_any_stream_decodes(tokens, expected):
    assert played(MELODY.decode(np.array(tokens, np.int32))) == expected


def test_tempo_and_program_are_arguments_of_decode():
    score = MELODY.decode(np.array([58, 1, 1, 1, 2, 0]), qpm=60, program=73)
    assert (score.notes[0].end_time, score.total_time) == (1, 1.25)
    assert (score.notes[0].program, score.tempos[0].qpm) == (73, 60)


def tracks(*parts):
    """One track per list of (pitch, onset, offset), times in 16ths."""
    score = NoteSequence()
    for i, notes in enumerate(parts):
        for pitch, onset, offset in notes:
            score.notes.add(
                pitch=pitch,
                start_time=onset / 8,
                end_time=offset / 8,
                velocity=80,
                instrument=i,
            )
            score.total_time = max(score.total_time, offset / 8)
    return score


LINE = [(60 + i % 5, 2 * i, 2 * i + 2) for i in range(20)]
BASS = [(pitch - 20, *times) for pitch, *times in LINE]
CHORDS = [(pitch, 8 * i, 8 * i + 8) for i in range(10) for pitch in (72, 76, 79)]
BELLS = [(90, 0, 4), (91, 8, 12)]


@pytest.mark.parametrize(
    "parts", [[LINE, CHORDS], [CHORDS, BASS, LINE], [BELLS, LINE, BASS]]
)
def test_the_melody_is_the_highest_busy_line(parts):
    fit = MELODY.fit(tracks(*parts))
    assert played(MELODY.decode(fit.array)) == sorted(LINE)
    at = parts.index(LINE) + 1
    assert fit.remarks == (f"track: {at} of {len(parts)} taken, 20 notes",)


def test_few_chords_give_their_upper_note():
    extra = [(50, *LINE[4][1:]), (70, *LINE[9][1:])]
    fit = MELODY.fit(tracks(LINE + extra))
    expected = [note for i, note in enumerate(LINE) if i != 9] + extra[1:]
    assert played(MELODY.decode(fit.array)) == sorted(expected)
    assert fit.remarks == ("chords: 2 lower notes dropped",)


def test_chords_are_refused_unless_chords_is_one():
    with pytest.raises(Refused, match="Performance") as refused:
        MELODY.encode(tracks(CHORDS))
    assert refused.value.reason == "polyphonic"
    top = Melody(chords=1.0).encode(tracks(CHORDS))
    assert played(MELODY.decode(top)) == [note for note in CHORDS if note[0] == 79]


def test_an_inner_note_under_a_longer_one_is_no_melody():
    score = tracks([(72, 0, 8), (60, 2, 4), (60, 4, 6), (74, 8, 16)])
    assert played(MELODY.decode(Melody(chords=1.0).encode(score))) == [
        (72, 0, 8),
        (74, 8, 16),
    ]


def test_triplets_are_quantised_with_a_remark():
    thirds = [(72, 40, 41.33), (74, 41.33, 42.67), (76, 42.67, 44)]
    fit = MELODY.fit(tracks(LINE + thirds))
    assert played(MELODY.decode(fit.array))[-3:] == [
        (72, 40, 41),
        (74, 41, 43),
        (76, 43, 44),
    ]
    assert fit.remarks == ("quantised: times moved by up to 0.08 quarters",)


@pytest.mark.parametrize(
    ("parts", "reason", "said"),
    [
        (
            [[(60, t, t + 1) for t in FREE_TIME]],
            "off-grid",
            "Performance",
        ),
        ([[(60, 0, 4)]], "short", "fewer than 2"),
        ([[(30, 0, 4), (40, 4, 8)]], "range", r"\+6 it would fit"),
        ([[(90, 0, 4), (100, 4, 8)]], "range", "-4 it would fit"),
        ([[(30, 0, 4), (100, 4, 8)]], "range", "no transposition"),
        ([CHORDS, CHORDS], "polyphonic", "None of its 2 tracks"),
    ],
)
def test_refusals_advise(parts, reason, said):
    with pytest.raises(Refused, match=said) as refused:
        MELODY.encode(tracks(*parts))
    assert refused.value.reason == reason


def test_discarded_properties_are_remarked():
    score = tracks(LINE)
    score.tempos.add(qpm=90)
    score.notes[0].velocity = 20
    score.notes.add(pitch=40, end_time=1, is_drum=True)
    score.section_groups.add()
    codes = [note.split(":")[0] for note in Melody(off_grid=1).fit(score).remarks]
    assert codes[:4] == ["drums", "tempo", "velocities", "repeats"]


def test_windows_are_full_bars_and_strike_sounding_notes():
    tune = Tune((3, 8), 2, [(60, 2), (62, 6), (64, 8), (65, 4), (None, 30)])
    codec = Melody(bars=1)
    windows = [words(x) for x in codec.windows(sequence(tune))]
    assert windows == [
        "3/8 D4 | | | | | .",
        "3/8 E4 | | | | | .",
        "3/8 E4 | F4 | | | .",
    ]
    assert words(codec.encode(sequence(tune))) == windows[0]
    two = [words(x) for x in Melody(bars=2).windows(sequence(tune))]
    assert two[0] == "3/8 D4 | | | | | E4 | | | | | ."
    assert two[-1] == "3/8 E4 | F4 | | | - - - - - - ."
    with pytest.raises(Refused, match="20 full bars"):
        Melody(bars=20).encode(sequence(tune))


def test_windows_keep_a_change_of_metre_and_skip_cut_bars():
    tune = Tune((3, 8), 0, [(60, 12), (62, 16)], later=(2, 4))
    windows = [words(x) for x in Melody(bars=2).windows(sequence(tune))]
    assert windows[1] == "3/8 C4 | | | | | 2/4 D4 | | | | | | | ."
    cut = np.array(
        [5, *[58] * 16, *[60] * 4, 5, *[62] * 16, 0]
    )  # 4/4, a bar, a beat, a bar
    assert [set(x.tolist()) for x in Melody(bars=1).crops(cut)] == [
        {5, 58, 0},
        {5, 62, 0},
    ]
    assert Melody(bars=2).crops(cut) == []


def test_encoding_calls_no_python_function_per_note():
    """150 notes and 300 cost the same number of calls: the work is done by arrays."""
    short, long = (
        tracks([(60 + i % 12, 2 * i, 2 * i + 2) for i in range(n)]) for n in (150, 300)
    )
    MELODY.encode(short)  # imports what it needs
    assert calls(lambda: MELODY.encode(long)) < calls(lambda: MELODY.encode(short)) + 50


def calls(act) -> int:
    """Returns how many Python functions `act` calls."""
    events: list[str] = []
    sys.setprofile(lambda frame, event, argument: events.append(event))
    try:
        act()
    finally:
        sys.setprofile(None)
    return events.count("call")
