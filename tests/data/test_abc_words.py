"""Words below the notes of ABC, with the examples of the standard (2.1, section 5)."""

import pytest
from sung import words

from zoo.data.scores.read import Piece, read_bytes


def read(body: str, header: str = "X:1\nM:4/4\nL:1/4\nK:C\n") -> Piece:
    (piece,) = read_bytes((header + body).encode(), "abc", "a.abc")
    assert piece.sequence is not None, piece.refused
    return piece


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("syll-a-ble", "syll- -a- -ble . . ."),
        ("syll-a--ble", "syll- -a- _ -ble . ."),
        ("syll-a -ble", "syll- -a- _ -ble . ."),
        ("time__", "time _ _ . . ."),
        ("of~the~day now", "of the day now . . . ."),
        ("well\\-known is", "well-known is . . . ."),
        ("Hal-_le- lu-_jah", "Hal- _ -le- -lu- _ -jah"),
        ("a * b", "a . b . . ."),
        ("a | b", "a . . . b ."),
        ("a b c d e | f", "a b c d e f"),
        ("| b", ". . . . b ."),
        ("1. first verse", "first verse . . . ."),
        ("1.~first verse", "first verse . . . ."),
        ('sch\\"on &eacute;t\\u00e9 \\u005f', "schön été _ . . ."),
        ("_ a", ". a . . . ."),
        ("", ". . . . . ."),
    ],
)
def test_signs(text, expected):
    assert words(read(f"CDEF|GA|\nw: {text}\n").sequence) == expected


def test_syllables_skip_rests_grace_notes_and_stand_on_chords():
    got = read("z C {d}E z [CEG] c|\nw: a b c_\n")
    assert words(got.sequence) == "a b c . . _"


def test_tied_notes_count_as_notes():
    got = read("C2-C2|C2 D2|\nw: a_ b c\n")
    assert words(got.sequence) == "a b c"


def test_further_fields_are_verses_and_continue_after_music():
    got = read("CD|\nw: a b-\nw: no no\nw: no no\nEF|GA|\nw: c d\n+: e f\n")
    assert words(got.sequence) == "a b- -c d e f"
    assert got.remarks["verses"] == 2


def test_an_empty_field_leaves_its_notes_without_words():
    got = read("CD|\nw: doh re\nGG|\nw:\nEF|\nw: mi fa\n")
    assert words(got.sequence) == "doh re . . mi fa"


def test_voices_have_words_of_their_own():
    got = read("V:1\nC2 D2|\nw: a b\nV:2\nE F G A|\nw: c d_ e\n")
    assert words(got.sequence) == "a b c d _ e"


def test_a_note_over_the_start_of_a_section_goes_on():
    got = read("C2-|:C2 D2:|\nw: la_ di\n")
    assert words(got.sequence) == "la _ di"


@pytest.mark.parametrize(
    ("body", "expected", "remarks"),
    [
        ("w: too early\nCD|\n", ". .", {"syllables-without-note": 2}),
        ("CD|\nw: a b c\n", "a b", {"syllables-without-note": 1}),
        ("CD|\nW: a b\n", ". .", {"words-below-tune": 1}),
        ("CD|\nw: * - * _ - - -\n", ". .", {}),
        ("CD|\nw: \\\n", ". .", {}),
        ("CD|\nw: &#1; \\u0007\n", ". .", {}),
    ],
)
def test_bad_words(body, expected, remarks):
    got = read(body)
    assert words(got.sequence) == expected
    kinds = ("syllables-without-note", "words-below-tune")
    assert {k: v for k, v in got.remarks.items() if k in kinds} == remarks


def test_ten_thousand_syllables():
    got = read("C" * 10_000 + "|\nw:" + " la" * 11_000 + "\n")
    assert words(got.sequence) == " ".join(["la"] * 10_000)
    assert got.remarks["syllables-without-note"] == 1000


def test_notes_do_not_depend_on_words():
    plain = read("(3CDE F- F|C>D [CE]4|\n").sequence
    sung = read("(3CDE F- F|C>D [CE]4|\nw: a b c d_ e- | f\n").sequence
    assert list(sung.notes) == list(plain.notes)
