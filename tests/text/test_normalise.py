"""English text to words and pauses, against readings written by hand."""

import contextlib
import pathlib
import random
import re
import string
import time

import pytest

from zoo.data.refusal import Refused
from zoo.data.text import numbers
from zoo.data.text.normalise import normalise

READINGS = pathlib.Path(__file__).with_name("readings.txt").read_text("utf-8")
NAMES = {name: i for i, name in enumerate(numbers.SMALL)}
NAMES |= {name: 10 * i for i, name in enumerate(numbers.TENS) if name}
SCALES = {name: 1000**i for i, name in enumerate(numbers.SCALES) if name}


@pytest.mark.parametrize("line", READINGS.strip().splitlines())
def test_readings(line):
    text, _, expected = line.partition(" -> ")
    assert normalise(text) == expected


def value_of(words: str) -> int:
    """Returns the number that words say."""
    total = group = 0
    for word in words.split():
        if word in SCALES:
            total, group = total + group * SCALES[word], 0
        else:
            group = group * 100 if word == "hundred" else group + NAMES[word]
    return total + group


def test_words_of_numbers_say_the_numbers():
    rng = random.Random(0)
    values = [
        *range(1200),
        *(rng.randrange(10 ** rng.randint(4, 36)) for _ in "ab" * 500),
    ]
    assert [value_of(numbers.cardinal(str(x))) for x in values] == values


@pytest.mark.parametrize(
    ("over", "under", "words"),
    [
        (1, 2, "one half"),
        (3, 2, "three halves"),
        (2, 3, "two thirds"),
        (1, 21, "one twenty first"),
    ],
)
def test_fractions(over, under, words):
    assert numbers.fraction(over, under) == words


def test_roman_numerals_are_those_that_are_written_so():
    numerals = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV"
    assert [numbers.roman(x) for x in numerals.split()] == list(range(1, 16))
    assert [numbers.roman(x) for x in ("", "IIII", "VX", "IXX", "XXXX")] == [None] * 5


def test_any_ascii_text_with_a_letter_becomes_words_and_pauses():
    rng = random.Random(1)
    signs = string.ascii_letters + string.digits + "  .,;:!?'\"-/$%&@#()\n"
    token = re.compile(r"[a-z']+|[A-Z]('s)?|[,.!?]")
    for _ in range(2000):
        text = "".join(rng.choices(signs, k=rng.randint(1, 60)))
        if re.search("[A-Za-z0-9]", text):
            tokens = normalise(text).split(" ")
            assert all(map(token.fullmatch, tokens)), (text, tokens)


def test_any_text_becomes_words_or_is_refused():
    rng = random.Random(5)
    ranges = (range(32, 127), range(160, 0x250), range(0x2000, 0x2200), range(0x20000))
    words = r"[a-z']*[a-z][a-z']*|[A-Z]('s)?|[,.!?]|\S*\{[^}]*\}"
    reading = re.compile(rf"(?:{words})(?: (?:{words}))*")
    for _ in range(1000):
        text = "".join(chr(rng.choice(rng.choice(ranges))) for _ in range(8))
        with contextlib.suppress(Refused):
            assert reading.fullmatch(normalise(text)), text


@pytest.mark.parametrize("unit", ["1", "a.", "1.", "a@", "etc. ", "{A}", "'", "$1"])
def test_long_texts_of_one_kind_are_quick(unit):
    began = time.process_time()
    with contextlib.suppress(Refused):
        normalise(unit * 10_000)
    assert time.process_time() - began < 2


def test_a_text_in_lines_is_read_on_and_a_paragraph_ends_a_sentence():
    assert normalise("one\ntwo\r\n\r\nthree\tfour") == "one two . three four"


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("", "empty", "has no word"),
        ("... --- !", "empty", "has no word"),
        ("bell\x07", "control", "U+0007"),
        ("Привет you", "alphabet", "П (cyrillic capital letter pe)"),
        ("音楽", "alphabet", "音 (cjk unified ideograph-97f3)"),
        ("one {R EH1 D", "braces", "a brace without its other"),
        ("one } two {", "braces", "a brace without its other"),
        ("{{R}}", "braces", "a brace without its other"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(text, reason, words):
    with pytest.raises(Refused) as refused:
        normalise(text)
    assert refused.value.reason == reason
    assert words in refused.value.detail
    assert "\n" not in refused.value.detail


def test_accents_and_signs_of_other_hands_are_folded():
    assert normalise("Crème brûlée, Dvořák & Łódź") == "creme brulee , dvorak and lodz"
    assert normalise("ﬁne Ａ１ “quotes” ‘so’ it’s") == "fine A one quotes so it's"
    assert normalise("wait\u200b\u00ad\ufeff!") == "wait !"
