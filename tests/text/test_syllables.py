"""Syllables of texts, against the divisions of printed songs and dictionaries."""

import random
import re

import pytest

from zoo.data.lyrics import has_lyrics, lyrics_of, write_lyrics
from zoo.data.proto import NoteSequence
from zoo.data.text.dictionary import entries
from zoo.data.text.inventory import is_vowel
from zoo.data.text.reading import read
from zoo.data.text.syllables import divided, syllables, syllables_of

DIVIDED = """
twin-kle lit-tle hal-le-lu-jah nev-er riv-er moth-er fa-ther heav-en heav-y bod-y
hap-py chick-en pock-et mon-key tax-i re-lax-ing ex-am lone-ly some-thing peo-ple
won-der mis-ter sis-ter could-n't is-n't flow-er ev-er-y is-land an-swer
sing-ing fall-ing run-ning com-ing danc-ing a-maz-ing want-ed need-ed cou-ple trou-ble
beau-ti-ful an-gel si-lent ho-ly ten-der in-fant wa-ter au-tumn ap-ple win-dow
morn-ing to-mor-row yes-ter-day to-geth-er for-ev-er re-mem-ber be-lieve a-way
mel-o-dy har-mo-ny mu-sic or-che-stra vi-o-lin pi-an-o gui-tar christ-mas mer-ry
gen-tle glo-ry high-est lon-don slum-bers rain-bow but-ter-fly whis-per gar-den
win-ter thou-sand chil-dren hun-dred po-em be-ing i-de-a ra-di-o cre-ate sing-er
na-tion spe-cial o-cean mu-si-cian ques-tion na-ture fin-ger star queue don't
"""


def shown(text: str) -> str:
    return "".join(
        x.lyric.text + ("-" if x.lyric.joined else " ") for x in syllables(text)
    ).strip()


@pytest.mark.parametrize("word", DIVIDED.split())
def test_words_are_divided_as_they_are_printed(word):
    assert shown(word.replace("-", "")) == word


def test_a_line_has_syllables_with_stress():
    line = syllables("Twinkle, twinkle, little star,\nhow I wonder what you are!")
    assert shown("Twinkle, how I won't!") == "Twin-kle how I won't"
    assert [x.stress for x in line] == [1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0]
    assert [x.lyric.syllabic for x in line[:7]] == [*("begin", "end") * 3, "single"]
    assert [x.pause for x in line] == ["", ","] * 2 + ["", "", ",", *[""] * 6, "!"]
    assert line[0].phonemes == ("T", "W", "IH1", "NG")


def test_words_of_three_syllables_have_a_middle():
    assert [x.lyric.syllabic for x in syllables("melody")] == ["begin", "middle", "end"]


def test_every_word_has_as_many_syllables_as_vowels_and_all_its_letters():
    words = random.Random(4).sample(sorted(entries()), 3000)
    for text in words:
        if not re.fullmatch("[a-z]+(?:'[a-z]+)*", text):
            continue
        (word,) = read(text).words
        parts = syllables_of(word)
        assert len(parts) == sum(map(is_vowel, word.phonemes))
        assert tuple(x for part in parts for x in part.phonemes) == word.phonemes
        assert all(part.lyric.text for part in parts)
        if len(text) >= len(parts) and text not in ("w", "w's"):
            assert "".join(part.lyric.text for part in parts).lower() == text


@pytest.mark.parametrize(
    ("phonemes", "expected"),
    [
        ("EH1 K S T R AH0", ["EH1 K", "S T R AH0"]),
        ("S IH1 NG ER0", ["S IH1 NG", "ER0"]),
        ("AE1 T L AH0 S", ["AE1 T", "L AH0 S"]),
        ("M AE1 T R IH0 K S", ["M AE1", "T R IH0 K S"]),
        ("S T AA1 R", ["S T AA1 R"]),
        ("SH", ["SH"]),
    ],
)
def test_a_syllable_begins_with_all_consonants_that_a_word_may_begin_with(
    phonemes, expected
):
    parts = [" ".join(part) for part in divided(tuple(phonemes.split()))]
    assert parts == expected


def test_phonemes_and_letters_by_themselves_are_sung():
    assert shown("{L AA1 L AH0} read{R EH1 D}") == "laa-lah read"
    assert shown("BMW") == "B M dou-ble-u"


def test_the_syllables_of_a_text_are_the_lyrics_of_notes():
    piece = NoteSequence()
    words = [x.lyric for x in syllables("Twinkle, twinkle, little star")]
    for index in range(len(words)):
        piece.notes.add(pitch=60, start_time=index, end_time=index + 1)
    write_lyrics(piece, words)
    assert has_lyrics(piece)
    assert lyrics_of(piece) == words
