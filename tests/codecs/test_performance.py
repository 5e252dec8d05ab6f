"""Events as in Oore et al. 2018; note_seq's own implementation is the oracle."""

import note_seq
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from note_seq import PerformanceEvent, performance_lib, sequences_lib
from scores import textures

from zoo.data.codecs import Performance
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused

PERFORMANCE = Performance()


def theirs(score, bins, shift):
    """Returns note_seq's events as tokens of this codec."""
    quantised = sequences_lib.quantize_note_sequence_absolute(
        score, steps_per_second=100
    )
    events = performance_lib.Performance(
        quantised, num_velocity_bins=bins, max_shift_steps=shift
    )
    first = {
        PerformanceEvent.NOTE_ON: 1,
        PerformanceEvent.NOTE_OFF: 129,
        PerformanceEvent.TIME_SHIFT: 256,
        PerformanceEvent.VELOCITY: 256 + shift,
    }
    return [first[x.event_type] + x.event_value for x in events] + [0]


@given(textures(), st.sampled_from([(32, 100), (16, 50), (127, 7)]))
def test_streams_are_note_seqs(score, sizes):
    bins, shift = sizes
    codec = Performance(velocity_bins=bins, max_shift=shift)
    assert codec.encode(score).tolist() == theirs(score, bins, shift)


@given(textures())
def test_times_and_pitches_come_back_and_velocities_to_their_bin(score):
    back = PERFORMANCE.decode(PERFORMANCE.encode(score))

    def columns(x):
        return x.pitch, round(100 * x.start_time), round(100 * x.end_time)

    before = sorted((*columns(x), x.velocity) for x in score.notes)
    after = sorted((*columns(x), x.velocity) for x in back.notes)
    assert [x[:3] for x in before] == [x[:3] for x in after]
    assert all(0 <= a[3] - b[3] < 4 for a, b in zip(before, after, strict=True))


def test_a_stream_in_words():
    score = NoteSequence()
    score.notes.add(pitch=60, start_time=0.5, end_time=2.25, velocity=80)
    assert list(map(PERFORMANCE.describe, PERFORMANCE.encode(score))) == [
        *("shift 0.5 s", "velocity 77", "on 60", "shift 1 s", "shift 0.75 s", "off 60"),
        "boundary",
    ]
    assert PERFORMANCE.vocab == 1 + 128 + 128 + 100 + 32


def test_seconds_are_kept_whatever_the_tempo():
    score = NoteSequence()
    score.tempos.add(qpm=47)
    score.tempos.add(time=1, qpm=200)
    score.notes.add(pitch=60, start_time=0.5, end_time=2, velocity=80)
    note = PERFORMANCE.decode(PERFORMANCE.encode(score)).notes[0]
    assert (note.start_time, note.end_time) == (0.5, 2)


def test_the_pedal_lengthens_notes():
    score = NoteSequence(total_time=4)
    score.notes.add(pitch=60, start_time=0, end_time=0.5, velocity=80)
    score.control_changes.add(time=0.1, control_number=64, control_value=127)
    score.control_changes.add(time=3, control_number=64, control_value=0)
    fit = PERFORMANCE.fit(score)
    assert PERFORMANCE.decode(fit.array).notes[0].end_time == 3
    assert any(note.startswith("pedal:") for note in fit.remarks)
    assert score.notes[0].end_time == 0.5  # the argument is not changed
    quantised = note_seq.quantize_note_sequence(score, steps_per_quarter=4)
    np.testing.assert_array_equal(PERFORMANCE.encode(quantised), fit.array)


def test_drums_are_left_out_or_refused():
    score = NoteSequence()
    score.notes.add(pitch=60, end_time=1, velocity=80)
    score.notes.add(pitch=38, end_time=1, velocity=80, is_drum=True)
    assert PERFORMANCE.fit(score).remarks == ("drums: 1 notes left out",)
    with pytest.raises(Refused) as refused:
        Performance(drums=True).encode(score)
    assert refused.value.reason == "drums"


def test_notes_of_one_pitch_that_overlap_are_cut_and_merged():
    score = NoteSequence()
    for onset, offset in [(0, 2), (1, 3), (1, 1.5)]:
        score.notes.add(pitch=60, start_time=onset, end_time=offset, velocity=80)
    fit = PERFORMANCE.fit(score)
    notes = PERFORMANCE.decode(fit.array).notes
    assert [(x.start_time, x.end_time) for x in notes] == [(0, 1), (1, 3)]
    assert {note.split(":")[0] for note in fit.remarks} == {"merged", "trimmed"}
