"""Multitrack rolls: tracks, round trips, bars, refusals, a folder of MIDI files."""

import dataclasses
import json

import numpy as np
import pytest
from bands import CHORDS, HITS, LOW, STEP, TUNE, lit, score
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from note_seq import midi_io
from scores import FREE_TIME, barred

from zoo.config import record, restore
from zoo.data.batching.encoded import corpus_pieces
from zoo.data.batching.phrases import extract_phrases
from zoo.data.codecs import Multitrack, Voices, make
from zoo.data.codecs.chorale import VOICES
from zoo.data.codecs.rolls import BAR
from zoo.data.refusal import Refused
from zoo.errors import UsageError

BAND = Multitrack(bars=2)
SMALL = Multitrack(tracks=("drums", "piano"), low=60, high=62, bars=1, metres=("2/4",))
CHOIR = Multitrack(tracks=VOICES, bars=1)


def tracks_of(codec, piece):
    rolls = codec.source.encode(piece)[1:]
    return {
        name: sorted({pitch for pitch, _ in cells})
        for name, cells in lit(codec, rolls).items()
    }


def rolls_of(codec, most, length=None):
    shape = st.integers(0, 40).map(
        lambda t: (t if length is None else length, *codec.shape)
    )
    return hnp.arrays(np.uint8, shape, elements=st.integers(0, most), fill=st.just(0))


def test_parts_go_to_the_tracks_of_their_programs():
    parts = [
        (0, CHORDS),
        (33, LOW),
        (27, CHORDS),
        (19, CHORDS),
        (61, CHORDS),
        (None, HITS),
    ]
    found = tracks_of(BAND, score(parts))
    assert list(found) == ["drums", "bass", "guitar", "piano", "strings"]
    assert found["drums"] == [36, 42]
    assert found["bass"] == [36, 37]


def test_the_melody_is_the_highest_line_that_is_busy_or_the_part_of_that_name():
    high = [(p + 12, on, off) for p, on, off in TUNE]
    rare = [(100, 0, 16)]
    assert tracks_of(
        BAND, score([(0, TUNE), (4, high), (9, rare), (2, CHORDS), (32, LOW)])
    ) == {
        "melody": [84, 85, 86, 87, 88],
        "bass": [36, 37],
        "piano": [60, 64, 67, 72, 73, 74, 75, 76],
        "strings": [100],
    }
    named = score(
        [(0, TUNE, " Melody "), (4, high), (40, LOW, "Bass"), (None, HITS, "melody")]
    )
    assert tracks_of(BAND, named) == {
        "melody": [72, 73, 74, 75, 76],
        "drums": [36, 42],
        "bass": [36, 37],
        "piano": [84, 85, 86, 87, 88],
    }
    alone = tracks_of(BAND, score([(0, CHORDS), (33, LOW)]))
    assert list(alone) == ["bass", "piano"]


def test_rolls_as_drawn():
    """A note is on at every step, a hit only at its own; consecutive hits stay hits."""
    parts = [
        (0, [(60, 0, 3), (61, 0, 8)]),
        (None, [(62, 0, 5), (62, 1, 2), (60, 7, 8)]),
    ]
    fit = SMALL.fit(score(parts, metre=(2, 4)))
    assert fit.array.dtype == np.uint8
    assert fit.array.shape == (8, 2, 3)
    assert lit(SMALL, fit.array) == {
        "drums": [(60, 7), (62, 0), (62, 1)],
        "piano": [(60, 0), (60, 1), (60, 2), *((61, i) for i in range(8))],
    }
    assert fit.remarks == ("cropped: the first of 1 windows of 1 bars",)
    back = SMALL.decode(fit.array)
    assert sorted(
        (x.pitch, x.start_time, x.end_time, x.is_drum) for x in back.notes
    ) == [
        (60, 0, 3 * STEP, False),
        (60, 7 * STEP, 1, True),
        (61, 0, 1, False),
        (62, 0, STEP, True),
        (62, STEP, 2 * STEP, True),
    ]
    assert barred(back) == [(0, 2, 4)]


def test_a_repeated_note_is_joined_with_a_remark():
    fit = SMALL.fit(
        score([(0, [(60, 0, 2), (60, 2, 4), (61, 0, 1), (61, 2, 8)])], metre=(2, 4))
    )
    assert "repeated: 1 notes joined to the one before them" in fit.remarks
    assert [
        (x.pitch, x.start_time, x.end_time) for x in SMALL.decode(fit.array).notes
    ] == [
        *((60, 0, 4 * STEP), (61, 0, STEP), (61, 2 * STEP, 1)),
    ]


def test_changes_are_remarked():
    parts = [
        (0, [(60, 0, 8), (62, 0.2, 5)]),
        (40, [(90, 0, 1), (91, 1, 2)]),
        (None, [(36, 0, 1)]),
    ]
    fit = SMALL.fit(score(parts, metre=(2, 4)))
    assert "tracks: 3 notes left out that belong to no track" in fit.remarks
    assert any(note.startswith("quantised") for note in fit.remarks)


def test_each_track_is_written_with_its_program_and_name():
    rolls = np.zeros((BAND.length, *BAND.shape), np.uint8)
    rolls[0, :, 12] = 7  # any value but 0 is on
    back = BAND.decode(rolls)
    assert [(x.instrument, x.program, x.is_drum) for x in back.notes] == [
        *((0, 73, False), (1, 0, True), (2, 33, False), (3, 25, False), (4, 0, False)),
        (5, 48, False),
    ]
    assert [x.name for x in back.instrument_infos] == list(BAND.tracks)
    assert {x.program for x in CHOIR.decode(np.ones((1, *CHOIR.shape))).notes} == {52}


@pytest.mark.parametrize("codec", [BAND, SMALL, CHOIR], ids=["band", "small", "choir"])
@given(st.data())
def test_decoding_agrees_with_a_walk_along_each_key(codec, data):
    rolls = data.draw(rolls_of(codec, 1))
    expected = []
    for k, p in np.argwhere(rolls.any(axis=0)).tolist():
        at, column, drum = 0, rolls[:, k, p].tolist(), codec.tracks[k] == "drums"
        while at < len(column):
            end = at + 1
            while not drum and end < len(column) and column[end] == column[at]:
                end += 1
            expected += [(k, codec.low + p, at, end)] if column[at] else []
            at = end
    back = codec.decode(rolls)
    times = lambda x: (round(x.start_time / STEP), round(x.end_time / STEP))
    assert sorted((x.instrument, x.pitch, *times(x)) for x in back.notes) == sorted(
        expected
    )
    assert round(back.total_time / STEP) == len(rolls)


@given(rolls_of(BAND, 1, BAND.length).filter(lambda rolls: rolls.any()))
def test_phrases_of_a_band_come_back_exactly(rolls):
    np.testing.assert_array_equal(BAND.encode(BAND.decode(rolls)), rolls)


@given(rolls_of(SMALL, 2), st.lists(st.integers(0, 40), max_size=3))
def test_whole_pieces_come_back_as_they_were_encoded(rolls, starts):
    """With pickups and cut bars, which steps of BAR cause."""
    whole = SMALL.source
    rolls = np.insert(rolls, np.minimum(starts, len(rolls)).astype(int), BAR, axis=0)
    try:
        once = whole.encode(whole.decode(rolls))
    except Refused as refused:
        if refused.reason not in ("empty", "metre"):
            raise
        return
    assert (once[0] == BAR).all()
    np.testing.assert_array_equal(whole.encode(whole.decode(once)), once)


@pytest.mark.parametrize(
    "codec", [BAND, SMALL.source, CHOIR], ids=["band", "whole", "choir"]
)
@given(st.data())
def test_transposing_moves_all_tracks_but_drums(codec, data):
    rolls = data.draw(rolls_of(codec, codec.vocab - 1))
    reach = codec.reach(rolls)
    assert 0 in reach
    semitones = data.draw(st.sampled_from(reach))
    notes = lambda rolls: sorted(
        (x.instrument, x.pitch - by * (not x.is_drum), x.start_time, x.end_time)
        for by, x in (
            (semitones * (rolls is moved), x) for x in codec.decode(rolls).notes
        )
    )
    moved = codec.transpose(rolls, semitones)
    assert moved.dtype == rolls.dtype
    assert notes(moved) == notes(rolls)
    if any(not x.is_drum for x in codec.decode(rolls).notes):
        for outside in (reach.start - 1, reach.stop):
            with pytest.raises(Refused, match="range"):
                codec.transpose(rolls, outside)


def test_drums_alone_are_not_transposed():
    rolls = SMALL.encode(score([(None, [(60, 0, 1)])], 8, (2, 4)))
    assert SMALL.reach(rolls) == range(1)
    np.testing.assert_array_equal(SMALL.transpose(rolls, 0), rolls)
    with pytest.raises(Refused, match="no pitched notes"):
        SMALL.transpose(rolls, 1)


def test_voices_stand_in_order_of_height_as_those_of_16ths_do():
    lines = [
        (52, [(40 + 7 * i + j % 3, 4 * j, 4 * j + 3) for j in range(4)])
        for i in (1, 3, 0, 2)
    ]
    rolls = CHOIR.encode(score(lines))
    pitches = np.where(rolls.any(axis=2), CHOIR.low + rolls.argmax(axis=2), -1)
    codec = Voices()
    np.testing.assert_array_equal(
        pitches[:15], codec.pitches(codec.encode(score(lines)))
    )
    np.testing.assert_array_equal(CHOIR.encode(CHOIR.decode(rolls)), rolls)


def test_phrases_are_views_from_every_bar_on_counted_anew_after_a_pickup():
    bars = [(0, [(60, 4 + 16 * i, 8 + 16 * i) for i in (0, 1, 4)])]
    piece = score([], 84, (1, 4))
    piece.MergeFrom(score(bars))
    piece.time_signatures[1].time = 4 * STEP
    piece.total_time = 84 * STEP
    stream = BAND.source.encode(piece)
    assert np.flatnonzero((stream == BAR).all(axis=(1, 2))).tolist() == [0, 5]
    assert barred(BAND.source.decode(stream)) == [(0, 1, 4), (4, 4, 4)]
    phrases = BAND.crops(stream)
    assert [phrase.any(axis=(1, 2)).nonzero()[0].tolist() for phrase in phrases] == [
        [0, 1, 2, 3, 16, 17, 18, 19],
        [0, 1, 2, 3],
        [16, 17, 18, 19],
    ]
    assert all(np.shares_memory(phrase, stream) for phrase in phrases)
    assert [len(BAND.crops(stream, 2)), len(BAND.phrases(piece))] == [1, 1]
    np.testing.assert_array_equal(BAND.encode(piece), phrases[0])


def test_two_short_bars_are_one():
    piece = score([(0, [(60, 0, 4), (62, 8, 12), (64, 40, 44)])], 48, (2, 4))
    assert (BAND.source.encode(piece) == BAR).all(axis=(1, 2)).sum() == 1
    assert len(BAND.crops(BAND.source.encode(piece))) == 2
    assert barred(BAND.decode(BAND.encode(piece))) == [(0, 4, 4)]


def test_a_short_piece_can_be_filled():
    piece = score([(0, [(60, 0, 4)])])
    with pytest.raises(Refused, match="no 2 full bars of 4/4"):
        BAND.encode(piece)
    fit = BAND.adapted(piece)
    assert fit.array.shape == (32, 6, 84)
    assert fit.remarks[0] == "padded: rests up to 2 bars"


@pytest.mark.parametrize(
    ("codec", "piece", "reason", "says"),
    [
        (BAND, score([]), "empty", "no notes"),
        (
            SMALL,
            score([(40, TUNE)]),
            "empty",
            "None of its 16 notes is for drums or piano",
        ),
        (BAND, score([(0, [(60, 2, 1)])]), "malformed", "impossible"),
        (BAND, score([(0, [(60, 1e9, 1e9 + 1)])]), "long", "cut it first"),
        (BAND, score([(0, [(20, 0, 32)])]), "range", r"transposed by \+4 it would fit"),
        (
            BAND,
            score([(0, [(60, t, t + 1) for t in FREE_TIME])]),
            "off-grid",
            "12 of 23",
        ),
        (
            BAND,
            score([(0, CHORDS)], metre=(3, 4)),
            "metre",
            "in 3/4. The codec reads 4/4 or 2/2 or",
        ),
        (BAND, score([(0, [(60, 0, 20)])]), "short", "no 2 full bars"),
        (
            CHOIR,
            score([(0, TUNE), (0, LOW)]),
            "voices",
            "2 voices, where a chorale has four",
        ),
        (CHOIR, score([(0, CHORDS)] * 4), "polyphonic", "of a line sound together"),
    ],
)
def test_refusals_state_their_reason(codec, piece, reason, says):
    with pytest.raises(Refused, match=says) as refused:
        codec.encode(piece)
    assert refused.value.reason == reason


def test_a_piece_without_a_required_track_is_refused():
    codec = dataclasses.replace(BAND, required=("piano", "bass", "drums"))
    with pytest.raises(
        Refused, match="no bass, but melody, drums, piano; choose"
    ) as refused:
        codec.encode(score([(0, CHORDS), (73, TUNE), (None, HITS)]))
    assert refused.value.reason == "track"
    assert codec.encode(score([(0, CHORDS), (33, LOW), (None, HITS)])).any()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bars": 0}, "from 1 to 1,024"),
        ({"tracks": ()}, "tracks are none: choose from melody, drums"),
        ({"tracks": ("piano", "piano")}, "each once"),
        ({"tracks": ("piano", "alto")}, "or soprano, alto, tenor, bass"),
        (
            {"tracks": ("piano",), "required": ("bass",)},
            "bass is required, but is not a track",
        ),
        ({"metres": ("4/4", "3/4")}, "do not make up bars of 4/4"),
        ({"low": 90, "high": 80}, "not a range"),
    ],
)
def test_impossible_codecs_are_usage_errors(fields, said):
    with pytest.raises(UsageError, match=said):
        make("multitrack", **fields)


@pytest.mark.parametrize(
    "codec", [BAND, CHOIR, BAND.source], ids=["band", "choir", "whole"]
)
def test_a_codec_is_a_value_that_survives_json(codec):
    assert restore(json.loads(json.dumps(record(codec)))) == codec
    assert len({codec.describe(token) for token in range(codec.vocab)}) == codec.vocab


def test_a_folder_of_midi_files_becomes_phrases(tmp_path):
    rng = np.random.default_rng(0)
    written = []
    for i in range(5):
        rolls = (rng.random((48, *BAND.shape)) < 0.01).astype(np.uint8)
        rolls[47, :, 20] = 1  # so that every track sounds, and to the end
        written.append(rolls)
        midi = midi_io.note_sequence_to_pretty_midi(BAND.decode(rolls))
        (tmp_path / "band").mkdir(exist_ok=True)
        midi.write(str(tmp_path / "band" / f"{i}.mid"))
    pieces = corpus_pieces(
        f"folder:{tmp_path}/band", "train", BAND.source, tmp_path / "built"
    )
    assert pieces.refused == {}
    rows = extract_phrases(pieces, BAND)
    assert len(rows) == 2 * len(pieces) > 2
    for piece in pieces:
        assert any(np.array_equal(piece[1:], rolls) for rolls in written)
