"""Singing made from a synthetic utterance, against the notes that it is sung to."""

import importlib.util

import numpy as np
import pytest
from voices import RATE, pitch_of, spoken

from zoo.data.refusal import Refused
from zoo.data.speech import singing
from zoo.data.speech.contour import compass_of, contour, hertz, octaves
from zoo.data.speech.placing import (
    SILENT,
    SungNote,
    Syllable,
    place,
    syllables_in,
)
from zoo.data.speech.singing import sing
from zoo.errors import ZooError

needs_world = pytest.mark.skipif(
    importlib.util.find_spec("pyworld") is None, reason="the vocoder is not installed"
)
UTTERANCE = spoken(
    "pau:100 S:100 T:60 AA1:140 R:50 L:60 IY1:120 N:70 UW0:130 T:50 pau:100"
)
NOTES = [
    SungNote(48, 0.3, 0.8, 0),
    SungNote(52, 0.8, 1.3, 1),
    SungNote(55, 1.3, 1.8, 1),  # a melisma
    SungNote(50, 2.3, 3.3, 2),  # after a rest
]
SOUNDS = ["S", "T", "AA1", "R", "L", "IY1", "N", "UW0", "T"]


@pytest.fixture(scope="module")
def sung():
    pytest.importorskip("pyworld")
    return sing(UTTERANCE, NOTES)


def test_notes_have_their_pitches(sung):
    for note in NOTES:
        times = np.arange(note.start + 0.06, note.end - 0.12, 0.02)
        found = pitch_of(sung.audio, times, float(hertz(note.pitch)))
        cents = 1200 * np.log2(found / hertz(note.pitch))
        assert abs(np.median(cents)) < 15
        assert np.abs(cents).max() < 50


def test_the_curve_of_pitch_is_that_of_the_audio(sung):
    frames = np.arange(70, 640, 10)
    voiced = frames[sung.f0[frames] > 0]
    for frame in voiced[::3]:
        found = pitch_of(sung.audio, np.array([0.005 * frame]), sung.f0[frame])
        assert abs(1200 * np.log2(found[0] / sung.f0[frame])) < 60  # in glides, too


def test_vowels_begin_on_the_beat_and_consonants_keep_their_length(sung):
    assert [x for x in sung.phonemes if x] == SOUNDS
    starts = dict(zip(sung.phonemes, sung.bounds[:-1] / RATE, strict=True))
    for vowel, beat in (("AA1", 0.3), ("IY1", 0.8), ("UW0", 2.3)):
        assert starts[vowel] == pytest.approx(beat, abs=1e-3)
    lengths = np.diff(sung.bounds) / RATE
    said = [x / 1000 for x in (100, 60, 50, 60, 70, 50)]
    consonants = [
        length
        for name, length in zip(sung.phonemes, lengths, strict=True)
        if name and not name[-1].isdigit()
    ]
    np.testing.assert_allclose(consonants, said, atol=1e-3)


def test_onsets_are_heard_on_the_beat():
    """After noise, the power below 1 kHz begins with the vowel."""
    pytest.importorskip("pyworld")
    audio = sing(UTTERANCE, NOTES).audio
    low = np.convolve(audio, np.hanning(64) / 32, mode="same")
    power = np.convolve(low**2, np.ones(80) / 80, mode="same")
    for beat in (0.3,):
        near = slice(round((beat - 0.1) * RATE), round((beat + 0.1) * RATE))
        risen = np.flatnonzero(power[near] > 0.15 * power[near].max())[0] / RATE
        assert risen - 0.1 == pytest.approx(0, abs=0.01)


def test_the_length_is_that_of_the_notes_and_rests_are_silent(sung):
    assert len(sung.audio) == round(3.3 * RATE) == sung.bounds[-1]
    assert sung.audio.dtype == np.float32
    for name, start, stop in zip(
        sung.phonemes, sung.bounds[:-1], sung.bounds[1:], strict=True
    ):
        if not name:
            assert not sung.audio[start:stop].any()
    rest = sung.audio[round(1.8 * RATE) : round(2.2 * RATE)]
    assert not rest.any()
    assert sung.bounds[0] == 0
    assert (np.diff(sung.bounds) > 0).all()


def test_unvoiced_phonemes_have_no_pitch(sung):
    spans = zip(sung.phonemes, sung.bounds[:-1], sung.bounds[1:], strict=True)
    for name, start, stop in spans:
        frames = sung.f0[start // 80 + 2 : stop // 80 - 2]
        if name in ("", "S", "T"):
            assert not frames.any(), name
        else:
            assert (frames > 0).all(), name


def test_notes_are_equally_loud_and_nothing_clips(sung):
    levels = []
    for note in NOTES:
        begin, end = round((note.start + 0.05) * RATE), round((note.end - 0.1) * RATE)
        levels.append(10 * np.log10(np.mean(sung.audio[begin:end] ** 2)))
    assert np.ptp(levels) < 3
    assert np.mean(levels) == pytest.approx(singing.LEVEL, abs=2)
    assert np.abs(sung.audio).max() < 1


@needs_world
def test_a_seed_repeats_and_another_does_not(sung):
    again, other = sing(UTTERANCE, NOTES), sing(UTTERANCE, NOTES, seed=1)
    np.testing.assert_array_equal(again.audio, sung.audio)
    np.testing.assert_array_equal(other.bounds, sung.bounds)
    assert np.abs(other.audio - sung.audio).max() > 1e-3


@needs_world
def test_a_melody_out_of_range_moves_by_octaves():
    high = [note._replace(pitch=note.pitch + 24) for note in NOTES]
    moved = sing(UTTERANCE, high)
    assert [note.pitch for note in moved.notes] == [note.pitch for note in NOTES]
    assert moved.remarks[0].startswith("transposed: by -2 octaves")


def test_a_range_is_around_the_pitch_of_speech():
    assert compass_of(np.array([0.0, 220.0, 220.0])) == (52, 74)
    assert octaves([60, 72], (55, 77)) == (0, [])
    shift, remarks = octaves([40, 80], (50, 70))
    assert shift == 0
    assert remarks == ["range: notes outside 50 to 70, the singer's range"]


LENGTHS = np.array([0.1, 0.1, 0.15, 0.1, 0.1])
BY_TWO = [Syllable(0, 1, 2), Syllable(2, 3, 5)]


def test_consonants_of_a_short_note_are_shortened():
    notes = [SungNote(60, 0.5, 0.7, 0), SungNote(60, 0.7, 0.8, 1)]
    layout = place(LENGTHS, BY_TWO, notes)
    assert layout.remarks[0].startswith("shortened: the consonants of 2 notes")
    lengths = {x.phoneme: x.end - x.start for x in layout.placed}
    assert lengths[0] == pytest.approx(0.1)
    assert lengths[1] == pytest.approx(0.08)  # the least vowel, 40 % of the note
    assert lengths[2] == pytest.approx(0.12)
    assert lengths[4] == pytest.approx(0.06)
    ends = [x.end for x in layout.placed]
    np.testing.assert_allclose(ends[:-1], [x.start for x in layout.placed[1:]])
    assert ends[-1] == pytest.approx(0.8)


def test_nothing_is_sung_before_the_beginning():
    notes = [SungNote(60, 0.0, 0.5, 0), SungNote(60, 1.0, 1.5, 1)]
    layout = place(LENGTHS, BY_TWO, notes)
    assert layout.remarks == ("late: the first vowel begins 100 ms late",)
    assert layout.placed[0] == (0, 0.0, pytest.approx(0.1))
    assert [x.phoneme for x in layout.placed] == [0, 1, SILENT, 2, 3, 4]


def test_a_rest_in_a_melisma_is_silent():
    notes = [SungNote(60, 0.2, 0.5, 0), SungNote(62, 1.0, 1.5, 0)]
    layout = place(LENGTHS[:2], BY_TWO[:1], notes)
    assert [x.phoneme for x in layout.placed] == [SILENT, 0, 1, SILENT, 1]


def test_vibrato_sets_in_late_on_long_notes_and_notes_are_joined_by_glides():
    times = np.arange(0, 4, 0.005)
    long = contour([SungNote(60, 0.0, 4.0, 0)], times)
    early, late = long[times < 0.3], long[times > 1]
    assert np.ptp(early) < 0.3 < np.ptp(late) < 0.9
    assert np.median(long) == pytest.approx(60, abs=0.02)
    two = contour([SungNote(60, 0.0, 0.5, 0), SungNote(64, 0.5, 1.0, 1)], times)
    assert np.abs(np.diff(two)).max() < 0.5
    assert two[times < 0.4].max() < 60.3
    assert two[(times > 0.55) & (times < 1)].min() > 63.7


def test_syllables_of_phonemes():
    names = ["pau", "T", "W", "IH1", "NG", "K", "AH0", "L", "pau", "Z", "AY1"]
    assert syllables_in(names) == [(1, 3, 5), (5, 6, 8), (9, 10, 11)]
    within = [range(1, 6), range(6, 8), range(9, 11)]
    assert syllables_in(names, within) == [(1, 3, 6), (6, 6, 8), (9, 10, 11)]
    assert syllables_in(["V", "DH", "AH0", "D"], [range(1), range(1, 4)]) == [(0, 2, 4)]


@pytest.mark.parametrize(
    ("notes", "reason", "said"),
    [
        ([], "notes", "words but no notes"),
        (NOTES[:1], "notes", "3 syllables and notes for 1"),
        ([*NOTES, SungNote(50, 4, 5, 3)], "words", "3 syllables and notes for 4"),
        (NOTES[1:], "notes", "not 0, 1, 2"),
        ([*NOTES[:3], SungNote(50, 1.5, 2, 2)], "notes", "not a line in time"),
    ],
)
def test_words_and_notes_that_do_not_fit(notes, reason, said):
    with pytest.raises(Refused, match=said) as refused:
        sing(UTTERANCE, notes)
    assert refused.value.reason == reason


def test_notes_need_words():
    silence = spoken("pau:100 S:100")
    with pytest.raises(Refused, match="notes but no words"):
        sing(silence, NOTES)


def test_a_missing_vocoder_is_one_sentence(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match="pip install 'music-zoo"):
        sing(UTTERANCE, NOTES)
