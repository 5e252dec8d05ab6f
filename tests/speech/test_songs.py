"""Pieces with lyrics that are sung by a synthetic voice, and by engines."""

from typing import NamedTuple

import numpy as np
import pytest
import voices

from zoo.data.lyrics import EXTENDS, Syllable, write_lyrics
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.speech.contour import hertz
from zoo.data.speech.songs import sing_piece, song_words


class Utterance(NamedTuple):
    audio: np.ndarray
    rate: int
    phonemes: tuple[str, ...]
    bounds: np.ndarray
    words: tuple[int, ...]


def piece(lyrics, pitches, length=0.5):
    sequence = NoteSequence()
    for place, pitch in enumerate(pitches):
        start = 0.25 + length * place
        sequence.notes.add(pitch=pitch, start_time=start, end_time=start + length)
    sequence.total_time = 0.25 + length * len(pitches)
    write_lyrics(sequence, lyrics)
    return sequence


LYRICS = [
    *(Syllable("L\u00e1r", "begin"), Syllable("ly", "end"), EXTENDS),
    *(Syllable("sir."), Syllable("--")),
]
PIECE = piece(LYRICS, (48, 50, 52, 53, 52))


def speak(text):
    assert text == "L\u00e1rly sir"
    said = voices.spoken("pau:50 L:60 AA1:120 R:50 L:60 IY0:110 S:90 EH1:120 R:60")
    names = tuple("" if x == "pau" else x for x in said.phonemes)
    return Utterance(said.audio, said.rate, names, said.bounds, (1, 6))


def test_words_of_a_piece_with_their_notes():
    found = song_words(piece([Syllable("2"), Syllable("well-known")], (60, 62)))
    assert [(x.text, x.size) for x in found] == [("2", 1), ("well known", 2)]


def test_a_piece_is_sung(monkeypatch):
    pytest.importorskip("pyworld")
    monkeypatch.setattr("zoo.data.speech.songs.read", lambda text: FakeReading(text))
    sung = sing_piece(PIECE, speak)
    assert [x.syllable for x in sung.notes] == [0, 1, 1, 2, 2]
    for note in sung.notes:
        times = np.arange(note.start + 0.08, note.end - 0.15, 0.02)
        found = voices.pitch_of(sung.audio, times, float(hertz(note.pitch)))
        assert abs(1200 * np.median(np.log2(found / hertz(note.pitch)))) < 15


class FakeReading:
    def __init__(self, text):
        self.words = text.split()


def test_syllables_that_the_lyrics_lack_are_joined(monkeypatch):
    pytest.importorskip("pyworld")
    monkeypatch.setattr("zoo.data.speech.songs.read", lambda text: FakeReading(text))
    short = piece([Syllable("L\u00e1rly"), Syllable("sir")], (48, 50))
    sung = sing_piece(short, speak)
    assert [x.syllable for x in sung.notes] == [0, 1]
    assert [x for x in sung.phonemes if x] == [
        *("L", "AA1", "R", "L", "IY0", "S", "EH1", "R")
    ]
    wrong = piece([Syllable("L\u00e1rly"), Syllable("sir"), Syllable("sir")], (48,) * 3)
    with pytest.raises(Refused, match="says 2 words, where the lyrics have 3"):
        sing_piece(wrong, lambda text: speak("L\u00e1rly sir"))


def test_a_piece_without_words_is_refused():
    with pytest.raises(Refused, match="notes but no words"):
        sing_piece(piece([], ()), speak)
