"""Phonemes by espeak-ng."""

import ctypes.util
import importlib.util
import random
import re

import pytest

from zoo.data.text import espeak
from zoo.data.text.dictionary import entries
from zoo.data.text.inventory import PHONEMES, is_vowel
from zoo.data.text.phonemes import Phonemes
from zoo.data.text.reading import read
from zoo.errors import UsageError, ZooError

CODEC = Phonemes(engine="espeak")


@pytest.mark.parametrize(
    ("ipa", "expected"),
    [
        ("twˈɪŋkəl", "T W IH1 NG K AH0 L"),
        ("lˈɪɾəl", "L IH1 T AH0 L"),
        ("stˈɑːɹ", "S T AA1 R"),
        ("tʃˈɜːtʃ", "CH ER1 CH"),
        ("mˈɛʒɚ", "M EH1 ZH ER0"),
        ("ɐbˌaʊt", "AH0 B AW2 T"),
        ("bˈɔɪ", "B OY1"),
    ],
)
def test_the_phonetic_alphabet_becomes_arpabet(ipa, expected):
    assert " ".join(espeak.arpabet(ipa)) == expected


def test_texts_are_read_by_the_library():
    text = CODEC.decode(CODEC.encode("Twinkle, little {S T AA1 R} in 5 zorbles!"))
    assert text == (
        "{T W IH1 NG K AH0 L}, {L IH1 T AH0 L} {S T AA1 R} {IH0 N} {F AY1 V} "
        "{Z AO1 R B AH0 L Z}!"
    )


def test_words_that_the_library_joins_are_read_one_by_one():
    words = ["one", "of", "the", "U", "S", "A"]
    spoken = espeak.phrase(words)
    assert len(spoken) == len(words)
    assert [" ".join(x) for x in spoken[3:]] == ["Y UW1", "EH1 S", "EY1"]


def test_every_word_has_phonemes_of_the_inventory():
    rng = random.Random(0)
    words = [w for w in rng.sample(sorted(entries()), 400) if re.fullmatch("[a-z]+", w)]
    for word in read(" ".join(words), "espeak").words:
        assert {*word.phonemes} <= {*PHONEMES}
        assert word.phonemes
    assert any(map(is_vowel, word.phonemes))


def test_without_the_library_its_install_line_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(ZooError, match="pip install espeakng-loader"):
        espeak.library.__wrapped__()


def test_engines_have_names():
    with pytest.raises(UsageError, match="no engine of phonemes called 'flute'"):
        Phonemes(engine="flute").encode("a")
