"""Engines of speech: utterances that agree with their text."""

import ctypes.util
import importlib.util

import numpy as np
import pytest

from zoo.data.refusal import Refused
from zoo.data.speech.engines import ENGINES, speak, voice_of
from zoo.data.speech.matching import match
from zoo.data.speech.tokens import token_ends
from zoo.data.text.phonemes import Phonemes
from zoo.data.text.reading import read
from zoo.errors import UsageError

TEXT = "The ships are at sea, and the night is dark."
INSTALLED = {
    "espeak": importlib.util.find_spec("espeakng_loader"),
    "flite": ctypes.util.find_library("flite_cmu_us_slt"),
}
VOICES = ["espeak/en-us", "flite/slt", "flite/kal16"]


def spoken(voice, text=TEXT):
    if not INSTALLED[voice.partition("/")[0]]:
        pytest.skip(f"the engine of {voice} is not installed")
    return speak(text, voice)


@pytest.mark.parametrize("voice", VOICES)
def test_bounds_cover_the_audio(voice):
    one = spoken(voice)
    assert one.audio.dtype == np.float32
    assert 0.05 < np.abs(one.audio).max() <= 1
    assert one.bounds.dtype == np.int64
    assert one.bounds[0] == 0
    assert one.bounds[-1] == len(one.audio)
    assert (np.diff(one.bounds) >= 0).all()
    assert len(one.bounds) == len(one.phonemes) + 1
    assert len(one.words) == 10
    assert all(one.phonemes[first] for first in one.words)


@pytest.mark.parametrize("voice", VOICES)
def test_hisses_are_where_the_times_say(voice):
    """S and SH cross zero more often than the vowels do."""
    one = spoken(voice)
    rates = {True: [], False: []}
    for name, begin, end in zip(
        one.phonemes, one.bounds[:-1], one.bounds[1:], strict=True
    ):
        if end - begin > 0.03 * one.rate and (name in ("S", "SH") or name[-1:] == "1"):
            sound = one.audio[begin:end]
            rate = np.mean(np.diff(np.signbit(sound).astype(int)) != 0)
            rates[name in ("S", "SH")].append(rate)
    assert min(rates[True]) > np.median(rates[False])


@pytest.mark.parametrize("voice", VOICES)
def test_every_token_ends_once(voice):
    one, (words, _) = spoken(voice), read(TEXT)
    ends = token_ends(words, one)
    assert len(ends) == len(Phonemes().encode(TEXT))
    assert (np.diff(ends) >= 0).all()
    assert ends[0] > 0
    assert ends[-1] == len(one.audio)


def test_slow_speech_lasts_longer():
    fast = spoken("espeak/en-us")
    slow = speak(TEXT, "espeak/en-us", slowness=1.5)
    assert len(slow.audio) > 1.2 * len(fast.audio)


def test_match_of_phonemes():
    assert match(["AE1", "N", "D"], ["AE1", "N"]) == [0, 1, -1]
    assert match(["K", "AE1", "T"], ["K", "AE1", "T"]) == [0, 1, 2]
    assert match(["T", "AH0"], ["T", "Y", "UW0"]) == [0, 2]


def test_every_voice_has_a_licence():
    for engine in ENGINES.values():
        assert set(engine.licences) == set(engine.voices)


@pytest.mark.parametrize("voice", ["flite/nobody", "nothing/slt", "flite"])
def test_unknown_voices_are_refused(voice):
    with pytest.raises(UsageError, match="choose"):
        voice_of(voice)


def test_phonemes_in_braces_are_refused():
    with pytest.raises(Refused, match="spell the word"):
        speak("say {HH AH0 L OW1} now", "espeak/en-us")
