"""Phonemes of texts, against the dictionary and readings written by hand."""

import importlib.util
import random
import re
import string
import time

import numpy as np
import pytest

from zoo.data.refusal import Refused
from zoo.data.text import dictionary, letter_to_sound
from zoo.data.text.dictionary import entries
from zoo.data.text.inventory import CONSONANTS, PHONEMES, VOWELS, is_vowel
from zoo.data.text.phonemes import BOUNDARY, FIRST, Phonemes
from zoo.data.text.reading import read
from zoo.data.text.words import pronounce, with_d, with_s
from zoo.errors import ZooError

CODEC = Phonemes()
VERSE = "Twinkle, twinkle, little star, how I wonder what you are!"


def test_the_inventory_is_that_of_the_dictionary():
    said = {x for found in entries().values() for text in found for x in text.split()}
    assert said == {*PHONEMES}
    assert (len(VOWELS), len(CONSONANTS), len(PHONEMES)) == (15, 24, 69)


def test_words_of_the_dictionary_are_read_as_it_says():
    words = random.Random(0).sample(sorted(entries()), 2000)
    plain = [word for word in words if re.fullmatch("[a-z]+(?:'[a-z]+)*", word)]
    assert len(plain) > 1900
    for word in plain:
        (found,), remarks = read(word)
        assert (found.text, remarks) == (word, ())
        assert " ".join(found.phonemes) == entries()[word][0]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("A", "EY1"),
        ("W", "D AH1 B AH0 L Y UW0"),
        ("D's", "D IY1 Z"),
        ("selfies", "S EH1 L F IY2 Z"),
        ("tweeting", "T W IY1 T IH0 NG"),
        ("googled", "G UW1 G AH0 L D"),
        ("runnin'", "R AH1 N IH0 N"),
        ("rock'n'roll", "R AA1 K AH0 N R OW1 L"),
        ("'tis", "T IH1 Z"),
        ("brb", "B IY1 AA1 R B IY1"),
        ("dogs'", "D AO1 G Z"),
        ("fire", "F AY1 R"),
    ],
)
def test_words_that_are_derived_from_entries(word, expected):
    found = pronounce(word)
    assert (" ".join(found.phonemes), found.guessed) == (expected, False)


@pytest.mark.parametrize(
    ("stem", "plural", "past"),
    [
        ("K AE1 T", "S", "IH0 D"),
        ("D AO1 G", "Z", "D"),
        ("CH ER1 CH", "IH0 Z", "T"),
        ("K IH1 S", "IH0 Z", "T"),
        ("R EY1 Z", "IH0 Z", "D"),
        ("S T AA1 R", "Z", "D"),
        ("L AE1 F", "S", "T"),
        ("N IY1 D", "Z", "IH0 D"),
    ],
)
def test_endings_are_pronounced_by_what_is_before_them(stem, plural, past):
    phonemes = tuple(stem.split())
    assert with_s(phonemes) == (*phonemes, *plural.split())
    assert with_d(phonemes) == (*phonemes, *past.split())


def test_unknown_words_are_guessed_with_a_remark():
    fit = CODEC.fit("The zorbling frimped.")
    assert [x.partition(":")[0] for x in fit.remarks] == ["guessed", "guessed"]
    assert "'zorbling' is in no dictionary" in fit.remarks[0]
    assert CODEC.decode(fit.array).startswith("{DH AH0} {Z AO1 R B")


def test_the_sound_of_letters_is_learned():
    """Of words that were not learned from, most are pronounced as the dictionary
    says."""
    words = sorted(word for word in entries() if re.fullmatch("[a-z]+", word))
    random.Random(0).shuffle(words)
    held, others = words[:400], words[400:40000]
    model = letter_to_sound.learn([(x, entries()[x][0].split()) for x in others])
    right = [" ".join(model.guess(word)) in entries()[word] for word in held]
    assert np.mean(right) > 0.5  # of all other words, 0.686 are


def test_a_model_is_kept(tmp_path, monkeypatch):
    words = [(w, entries()[w][0].split()) for w in ("star", "tar", "art", "rat", "sat")]
    model = letter_to_sound.learn(words)
    path = tmp_path / "deep" / "model.npz"
    letter_to_sound._save(model, path)
    again = letter_to_sound._load(path)
    assert again.guess("tsar") == model.guess("tsar")


def test_phonemes_in_braces_are_kept():
    words, _ = read("I read{R EH1 D} it, {t uw1}")
    assert [word.text for word in words] == ["I", "read", "it", ""]
    assert words[1].phonemes == ("R", "EH1", "D")
    assert words[2].pause == ","
    assert words[3].phonemes == ("T", "UW1")


def test_the_is_said_by_what_follows():
    said = [" ".join(x.phonemes) for x in read("the end of the day, the. Each")[0]]
    assert (said[0], said[3], said[5]) == ("DH IY0", "DH AH0", "DH AH0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{R EH1 QQ}", "'QQ' in braces is no phoneme: choose from AA, AE"),
        ("{R EH D}", "The vowel EH in braces has no stress: write EH0"),
        ("a {} b", "The braces hold no phoneme"),
    ],
)
def test_what_is_no_phoneme_is_refused(text, words):
    with pytest.raises(Refused, match=re.escape(words)) as refused:
        CODEC.encode(text)
    assert refused.value.reason == "phoneme"


def test_encoded_texts_are_decoded_to_texts_of_the_same_tokens():
    texts = [
        VERSE,
        "the{DH AH0} end of the hour",
        "Dr. Who? No... 25% of it!",
        "{R EH1 D} a {K}",
        "don't stop",
    ]
    for text in texts:
        array = CODEC.encode(text)
        assert array.dtype == np.int32
        assert array[-1] == BOUNDARY
        assert np.array_equal(CODEC.encode(CODEC.decode(array)), array)
    decoded = CODEC.decode(CODEC.encode("Stay, little star"))
    assert decoded == "{S T EY1}, {L IH1 T AH0 L} {S T AA1 R}"


def test_any_tokens_are_decoded():
    rng = np.random.default_rng(0)
    for _ in range(200):
        array = rng.integers(CODEC.vocab, size=30)
        text = CODEC.decode(array)
        if not text:
            continue
        again = CODEC.encode(text)
        assert CODEC.decode(again) == text
        ended = array[: np.argmin(array)] if (array == BOUNDARY).any() else array
        assert np.array_equal(again[again >= FIRST], ended[ended >= FIRST])


def test_every_token_has_a_name_of_its_own():
    assert len({CODEC.describe(token) for token in range(CODEC.vocab)}) == CODEC.vocab


def test_any_letters_have_phonemes():
    rng = random.Random(2)
    for _ in range(60):
        letters = rng.choices(string.ascii_letters + " '", k=rng.randint(1, 12))
        text = f"{''.join(letters)} x"
        for word in read(text)[0]:
            assert any(map(is_vowel, word.phonemes)), word


def test_ten_thousand_words_are_quick():
    common = [w for w in entries() if re.fullmatch("[a-z]{2,}", w)]
    words = random.Random(3).choices(common, k=9000)
    text = " ".join(f"{x}," if i % 7 == 0 else x for i, x in enumerate(words))
    text += " In 1984 Dr. Smith paid $5.20." * 140
    began = time.process_time()
    array = CODEC.encode(text)
    assert time.process_time() - began < 1.5
    assert len(array) > 50_000


def test_without_the_dictionary_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match=re.escape("pip install 'music-zoo[speech]'")):
        dictionary.entries.__wrapped__()
