"""Lyrics of MusicXML, beside music21's reading of the same file."""

import music21
import pytest
from sung import words
from xml_scores import attributes, note, notes, piece, score

TIE = ('<tie type="start"/>', '<tie type="stop"/>')


def lyric(text: str, syllabic: str = "", extend: str | None = None, number="1") -> str:
    """Returns a <lyric>; `extend` is the type of its <extend>, "" without one."""
    inside = f"<syllabic>{syllabic}</syllabic>" if syllabic else ""
    inside += f"<text>{text}</text>" if text is not None else ""
    if extend is not None:
        inside += f'<extend type="{extend}"/>' if extend else "<extend/>"
    return f'<lyric number="{number}">{inside}</lyric>'


def read(*bars: str):
    found = piece([attributes() + bars[0], *bars[1:]])
    assert found.sequence is not None, found.refused
    return found


def sing(*lyrics: str | None) -> str:
    """Returns quarters, each with a <lyric>; None is a rest."""
    return "".join(note("C5", 2, x) if x is not None else note(None, 2) for x in lyrics)


EXTEND = '<lyric><extend type="{}"/></lyric>'


@pytest.mark.parametrize(
    ("lyrics", "expected"),
    [
        ([lyric("Hal", "begin"), lyric("le", "middle"), lyric("jah", "end")],
         "Hal- -le- -jah"),
        ([lyric("now", "single"), lyric("then")], "now then"),
        ([lyric("la", "single", ""), "", "", lyric("di")], "la _ _ di"),
        ([lyric("la", "single", ""), "", None, ""], "la _ ."),
        ([lyric("la", "single", "start"), "", None, EXTEND.format("stop"), ""],
         "la _ _ ."),
        ([lyric("la", "single", "start"), EXTEND.format("continue"), ""], "la _ _"),
        ([lyric("Glo", "begin"), "", lyric("ria", "end"), ""], "Glo- _ -ria _"),
        (["", lyric("a"), "", None, ""], ". a _ ."),
        ([lyric("a", "begin"), None, "", lyric("b", "end")], "a- _ -b"),
        ([lyric("a", "single", ""), lyric(""), ""], "a . ."),
        ([lyric("Hal-", "begin"), lyric("lo", "end")], "Hal- -lo"),
        ([lyric("well-")], "well-"),
        ([lyric("一"), lyric("שָׁלוֹם"), lyric(" da&#9; di ")], "一 שָׁלוֹם da di"),
    ],
)  # fmt: skip
def test_lyrics(lyrics, expected):
    assert words(read(sing(*lyrics)).sequence) == expected


def test_elided_syllables_are_one():
    inside = (
        "<lyric><syllabic>end</syllabic><text>ri</text><elision>\u203f</elision>"
        "<syllabic>begin</syllabic><text>ex</text></lyric>"
    )
    assert words(read(sing(lyric("glo", "begin"), inside)).sequence) == "glo- -ri ex-"


def test_tied_notes_are_one():
    music = note("C5", 2, TIE[0], lyric("la", "single", "start"))
    music += note("C5", 2, TIE[1]) + note("D5", 2, EXTEND.format("stop"))
    assert words(read(music + note("E5", 2)).sequence) == "la _ ."


def test_the_first_note_of_a_chord_is_sung():
    music = note("C5", 2) + note("E5", 2, "<chord/>", lyric("la")) + note("C5", 2)
    assert words(read(music).sequence) == "la . _"


def test_the_lowest_verse_is_kept_and_others_where_it_is_silent():
    two = lyric("no", number="2") + lyric("a", number="1")
    got = read(sing(two, lyric("b", "single", "", "1"), lyric("no", number="2"))
               + sing(None, lyric("ot", "begin", number="2"), "",
                      lyric("her", "end", number="2"), lyric("end", number="2"),
                      lyric("x", number="3") + lyric("c", number="1")))  # fmt: skip
    assert words(got.sequence) == "a b _ ot- _ -her end c"
    assert got.remarks["verses"] == 2


def test_voices_have_lyrics_of_their_own():
    backup = "<backup><duration>4</duration></backup>"
    low = note("C4", 2, lyric("c"), voice="2") + note("D4", 2, voice="2")
    got = read(sing(lyric("a"), lyric("b")) + backup + low)
    texts = sorted(x.text for x in got.sequence.text_annotations)
    assert texts == [
        *("lyric 0 1 single a", "lyric 0 1 single b"),
        "lyric 0 2 single c",
    ]


def test_a_lyric_on_a_rest_is_left_out():
    got = read(note(None, 2, lyric("no")) + note("C5", 2, lyric("a")))
    assert words(got.sequence) == "a"
    assert got.remarks["syllables-without-note"] == 1


def test_music21_reads_the_same_syllables():
    states = ["single", "begin", "middle", "end", "begin", "end"]
    lyrics = [lyric(f"s{i}", state) for i, state in enumerate(states)]
    music = attributes() + sing(*lyrics[:3], None, *lyrics[3:])
    theirs = music21.converter.parse(score([music]).decode(), format="musicxml")
    found = [(x.text, x.syllabic) for n in theirs.flatten().notes for x in n.lyrics]
    expected = [
        "-" * (state in ("middle", "end")) + text + "-" * (state in ("begin", "middle"))
        for text, state in found
    ]
    assert words(piece([music]).sequence).split() == expected


def test_notes_do_not_depend_on_lyrics():
    lyrics = [lyric("a", "begin", "start"), None, "", lyric("", "end"), lyric("b")]
    plain = [x if x is None else "" for x in lyrics]
    sung, silent = read(sing(*lyrics)).sequence, read(sing(*plain)).sequence
    assert notes(sung) == notes(silent)
    assert list(sung.notes) == list(silent.notes)
