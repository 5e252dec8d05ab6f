"""Drums: tokens, bars, remarks, refusals, and a folder of MIDI files."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from note_seq import midi_io
from scores import FREE_TIME, barred

from zoo.data.batching.encoded import corpus_pieces
from zoo.data.batching.phrases import extract_phrases
from zoo.data.codecs import Drums
from zoo.data.codecs.drums import BAR, KIT, SILENT
from zoo.data.codecs.grammar import BOUNDARY
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

DRUMS = Drums()
GRAMMAR = DRUMS.grammar()
STEP = 0.125  # seconds, at 120 quarters per minute

steps = st.one_of(st.just(SILENT), st.integers(SILENT, BAR - 1))
phrases = hnp.arrays(np.int32, DRUMS.length, elements=steps, fill=st.just(SILENT))


def score(hits, length, metre=(4, 4)):
    """Returns a piece of `length` steps with hits (fractional step, pitch)."""
    piece = NoteSequence(total_time=length * STEP)
    piece.time_signatures.add(numerator=metre[0], denominator=metre[1])
    for at, pitch in hits:
        times = {"start_time": at * STEP, "end_time": at * STEP + 0.01}
        piece.notes.add(pitch=pitch, velocity=80, is_drum=True, **times)
    return piece


def spelt(tokens):
    return " ".join(DRUMS.source.describe(token).replace(" ", "-") for token in tokens)


def bars(*numbers):
    """Returns steps of bars, each of which repeats one token."""
    return [number for number in numbers for _ in range(DRUMS.bar)]


def test_a_phrase_has_a_token_for_each_step():
    rock = [(0, 36), (0, 42), (4, 38), (4, 42), (8, 35), (12, 40), (14, 46), (31, 49)]
    tokens = DRUMS.encode(score(rock, 32))
    assert len(tokens) == DRUMS.length == 32
    assert tokens[[0, 4, 8]].tolist() == [1 + 1 + 4, 1 + 2 + 4, 1 + 1]
    assert (
        spelt(tokens[:9])
        == "kick+closed-hat rest rest rest snare+closed-hat rest rest rest kick"
    )
    played = DRUMS.decode(tokens)
    assert [(x.start_time / STEP, x.pitch) for x in played.notes][:6] == [
        *((0, 36), (0, 42), (4, 38), (4, 42)),
        *((8, 36), (12, 38)),
    ]
    assert all(x.is_drum for x in played.notes)
    assert {x.velocity for x in played.notes} == {90}


@given(phrases)
def test_phrases_with_hits_come_back_and_are_legal(tokens):
    if (tokens == SILENT).all():
        assert GRAMMAR.first_illegal(tokens) == DRUMS.length - 1
        with pytest.raises(Refused, match="no drums"):
            DRUMS.encode(DRUMS.decode(tokens))
        return
    assert GRAMMAR.first_illegal(np.append(tokens, BOUNDARY)) is None
    np.testing.assert_array_equal(DRUMS.encode(DRUMS.decode(tokens)), tokens)


@given(phrases.filter(lambda tokens: (tokens != SILENT).any()), st.integers(0, 31))
def test_streams_of_another_length_are_illegal(tokens, at):
    assert GRAMMAR.first_illegal(np.append(tokens[:at], BOUNDARY)) == at  # too short
    longer = np.append(tokens, [2, BOUNDARY])
    assert GRAMMAR.first_illegal(longer) == DRUMS.length
    assert not GRAMMAR.stops[GRAMMAR.follow[0, 2]]
    assert GRAMMAR.min_length(tokens[:at]) == DRUMS.length


@given(st.lists(st.sampled_from([BAR, SILENT, SILENT, 2, 7, 512]), max_size=90))
def test_whole_parts_come_back_as_they_were_encoded(tokens):
    """With pickups and cut bars, which BAR tokens cause."""
    whole = DRUMS.source
    try:
        once = whole.encode(whole.decode(np.array([BAR, *tokens])))
    except Refused as refused:
        if refused.reason not in ("empty", "metre"):
            raise
        return
    np.testing.assert_array_equal(whole.encode(whole.decode(once)), once)


def test_every_pitch_of_general_midi_is_a_drum():
    for pitch in (22, 26, *range(27, 88)):
        (hit,) = DRUMS.decode(DRUMS.encode(score([(0, pitch)], 32))).notes
        assert pitch in next(
            pitches for pitches in KIT.values() if pitches[0] == hit.pitch
        )
    listed = [pitch for pitches in KIT.values() for pitch in pitches]
    assert len(listed) == len(set(listed))
    assert len(KIT) == 9


def test_pads_of_the_groove_recordings_are_read_as_in_their_paper():
    pads = {36: 0, 38: 1, 40: 1, 37: 1, 42: 2, 22: 2, 44: 2, 46: 3, 26: 3, 43: 4, 58: 4}
    pads |= {
        47: 5,
        45: 5,
        50: 6,
        48: 6,
        49: 7,
        55: 7,
        57: 7,
        52: 7,
        51: 8,
        59: 8,
        53: 8,
    }
    for pitch, drum in pads.items():
        assert DRUMS.encode(score([(5, pitch)], 32))[5] == SILENT + 2**drum


def test_hits_are_moved_to_the_nearest_step():
    rng = np.random.default_rng(0)
    tokens = rng.choice([SILENT, 2, 6, 7], DRUMS.length).astype(np.int32)
    tokens[[0, -1]] = 2
    piece = DRUMS.decode(tokens)
    for note in piece.notes:
        note.start_time = max(0, note.start_time + STEP * rng.uniform(-0.4, 0.4))
        note.end_time = note.start_time + 0.01
    fit = DRUMS.fit(piece)
    np.testing.assert_array_equal(fit.array, tokens)
    assert any(
        note.startswith("quantised: hits moved by up to 0.1") for note in fit.remarks
    )


def test_changes_are_remarked():
    piece = score([(0, 36), (0.2, 35), (1, 12), (4, 38)], 31)
    piece.notes.add(pitch=60, velocity=80, end_time=3)
    fit = DRUMS.fit(piece)
    assert spelt(fit.array[:5]) == "kick rest rest rest snare"
    said = {note.split(":")[0]: note for note in fit.remarks}
    assert "1 hits" in said["unknown"]
    assert "1 notes" in said["pitched"]
    assert "1 of 3" in said["merged"]
    assert "end of the last bar" in said["padded"]


def test_pitched_notes_are_no_drums():
    alone = score([(0, 36), (4, 38)], 32)
    mixed = score([(0, 36), (4, 38)], 32)
    mixed.notes.add(pitch=36, velocity=80, start_time=STEP, end_time=3)
    np.testing.assert_array_equal(DRUMS.encode(mixed), DRUMS.encode(alone))


@pytest.mark.parametrize(
    ("piece", "reason", "says"),
    [
        (score([], 32), "empty", "no drums"),
        (score([(0, 12), (1, 99)], 32), "empty", "None of its 2 hits"),
        (score([(0, 36), (4, 38)], 23), "short", "no 2 full bars of 4/4 in a row"),
        (
            score([(0, 36), (12, 38)], 48, (3, 4)),
            "metre",
            "is in 3/4. The codec reads 4/4 or 2",
        ),
        (
            score([(0, 36), (1, 36), (2, 36)], 48, (7, 32)),
            "metre",
            "steps, 4 to a quarter. The codec",
        ),
        (score([(t, 36) for t in FREE_TIME], 48), "off-grid", "13 of 24 hits"),
        (score([(1e9, 36)], 32), "long", "cut it first"),
    ],
)
def test_refusals_state_their_reason(piece, reason, says):
    with pytest.raises(Refused, match=says) as refused:
        DRUMS.encode(piece)
    assert refused.value.reason == reason


def test_a_tolerant_codec_takes_triplets_and_a_short_piece_can_be_filled():
    triplets = score([(i * 4 / 3, 36) for i in range(24)], 32)
    assert (
        dataclasses.replace(DRUMS, off_grid=1.0).encode(triplets) != SILENT
    ).sum() == 24
    short = score([(0, 36), (4, 38)], 6)
    with pytest.raises(Refused, match="no 2 full bars"):
        DRUMS.encode(short)
    fit = DRUMS.adapted(short)
    assert spelt(fit.array[:5]) == "kick rest rest rest snare"
    assert len(fit.array) == 32
    assert fit.remarks[0] == "padded: rests up to 2 bars"


def test_crops_begin_on_bars_and_are_never_silent():
    stream = np.array([BAR, *bars(2, 3, 4, 1, 1, 5), BOUNDARY, *bars(6, 7)])
    assert [[x[0], x[-1]] for x in DRUMS.crops(stream)] == [
        [2, 3],
        [3, 4],
        [4, 1],
        [1, 5],
    ]
    assert all(x.dtype == np.int32 and len(x) == 32 for x in DRUMS.crops(stream))


def test_bars_are_counted_anew_after_a_pickup_and_a_cut_bar():
    stream = [BAR, 9, 9, 9, 9, BAR, *bars(2, 3), 8, 8, BAR, *bars(4, 5), BOUNDARY]
    piece = DRUMS.source.decode(np.array(stream))
    assert barred(piece) == [(0, 1, 4), (4, 4, 4), (36, 1, 8), (38, 4, 4)]
    again = DRUMS.source.encode(piece)
    np.testing.assert_array_equal(again, stream)
    assert [[x[0], x[-1]] for x in DRUMS.crops(again)] == [[2, 3], [4, 5]]


def test_a_change_of_name_alone_begins_nothing_anew():
    piece = score([(0, 36), (16, 38), (32, 36)], 48)
    piece.time_signatures.add(time=16 * STEP, numerator=2, denominator=2)
    stream = DRUMS.source.encode(piece)
    assert (stream == BAR).sum() == 1
    assert len(DRUMS.crops(stream)) == 2


def test_two_short_bars_are_one_and_an_odd_one_is_cut():
    piece = score(
        [(8 * half, 36 if half % 2 else 38) for half in range(13)], 104, (4, 4)
    )
    for at, numerator in ((32, 2), (72, 4)):
        piece.time_signatures.add(time=at * STEP, numerator=numerator, denominator=4)
    stream = DRUMS.source.encode(piece)
    assert np.flatnonzero(stream == BAR).tolist() == [0, 73]
    assert [x[0] for x in DRUMS.crops(stream)] == [3, 3, 3, 2]


def test_a_folder_of_midi_files_becomes_phrases(tmp_path):
    rng = np.random.default_rng(1)
    for i in range(5):
        folder = tmp_path / "kits" / ("funk", "rock")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        tokens = np.append(rng.choice([SILENT, 2, 6, 7], 63), 3)
        midi = midi_io.note_sequence_to_pretty_midi(DRUMS.decode(tokens))
        midi.write(str(folder / f"{i}.mid"))
    pieces = corpus_pieces(
        f"folder:{tmp_path}/kits", "train", DRUMS.source, tmp_path / "built"
    )
    rows = extract_phrases(
        pieces, DRUMS, styles=("funk", "rock"), labels=pieces.labels("style")
    )
    assert len(rows) == 3 * len(pieces) > 3
    assert rows.columns["style"].tolist() == [
        ("funk", "rock").index(style)
        for style in pieces.labels("style")
        for _ in range(3)
    ]
    assert all(
        GRAMMAR.first_illegal(row) is None and len(row) == DRUMS.length
        for row in rows[:]
    )
    assert pieces.refused == {}
