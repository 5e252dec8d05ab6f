"""Lines of a text that is to be sung."""

import pytest

from zoo.data.refusal import Refused
from zoo.data.text.lines import LONGEST, MOST, sung_lines


def shown(text: str) -> list[str]:
    return [
        "".join(x.lyric.text + ("-" if x.lyric.joined else " ") for x in line).strip()
        for line in sung_lines(text).lines
    ]


def test_lines_are_those_of_the_text():
    text = "Twinkle, twinkle, little star,\n\n  ***\nHow I wonder what you are!\n"
    assert shown(text) == [
        "Twin-kle twin-kle lit-tle star",
        "How I won-der what you are",
    ]


def test_long_lines_are_divided_at_a_pause_near_the_middle():
    text = "Row, row, row your boat gently down the stream, merrily, merrily, merrily"
    assert shown(text) == [
        "Row row row your boat gent-ly down the stream",
        "mer-ri-ly mer-ri-ly mer-ri-ly",
    ]


def test_no_line_is_too_long_and_no_word_is_lost():
    words = "over the hills and far away " * 20
    lines = sung_lines(words).lines
    assert max(map(len, lines)) <= LONGEST
    assert " ".join(shown(words)).replace("-", "").split() == words.split()


def test_words_that_are_guessed_are_remarked_once():
    _, remarks = sung_lines("the zorblax sings\nthe zorblax sings")
    assert len(remarks) == 1
    assert remarks[0].startswith("guessed: 'zorblax'")


def test_ten_thousand_words_are_refused():
    with pytest.raises(Refused, match=f"more than {MOST} lines"):
        sung_lines("la " * 10_000)


def test_a_text_without_letters_is_refused():
    with pytest.raises(Refused):
        sung_lines(" \n ...\n")
