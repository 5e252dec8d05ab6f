"""ABC tunes and books: parts, voices, refusals, and a published collection."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from abc_tunes import HEADER, notes, pitches, sequence, tune
from note_seq import abc_parser
from note_seq.sequences_lib import expand_section_groups

from zoo.data.scores.read import Limits, read, read_bytes


def test_parts_play_in_the_order_of_the_header():
    header = HEADER.replace("T:A Tune", "P:A(AB)2C")
    got = expand_section_groups(sequence("P:A\nC4|\nP:B\nD4|\nP:C\nE4|", header))
    assert pitches(got) == [60, 60, 62, 60, 62, 64]


def test_total_time_includes_the_longest_note_of_the_last_chord():
    assert sequence("[CE3]").total_time == 1.5


def test_a_tune_without_repeats_has_no_sections():
    got = sequence("C4|D4||E4|]")
    assert not got.section_annotations
    assert not got.section_groups


def test_names_and_chord_symbols_are_kept():
    header = "X:7\nT:First\nT:Second\nC:Trad.\nR:reel\nB:A Book\nM:4/4\nL:1/4\nK:Am\n"
    got = sequence('"Am"A2 "G7/B"B2|"loud"c2 "^Bb"d2', header)
    assert got.sequence_metadata.title == "First; Second"
    assert list(got.sequence_metadata.genre) == ["reel"]
    assert (got.collection_name, got.reference_number) == ("A Book", 7)
    assert [(x.time, x.text) for x in got.text_annotations] == [(0, "Am"), (1, "G7/B")]


def test_voices_become_parts():
    got = sequence("V:1\nC2 D2|E4|\nV:2\nC,4|D,4|\n[V:1]F4|\n[V:2]E,4|")
    assert [x.part for x in got.part_infos] == [0, 1]
    assert [(x.part, x.pitch) for x in got.notes] == [
        *[(0, p) for p in (60, 62, 64, 65)],
        *[(1, p) for p in (48, 50, 52)],
    ]
    assert got.total_time == 6


def test_grace_notes_and_irregular_bars_are_counted():
    assert tune("{c}C4|D3|E4|{d}F4|").remarks == {"grace-notes": 2, "irregular-bars": 1}


@pytest.mark.parametrize(
    ("music", "reason", "where"),
    [
        ("C4|\nD @", "abc-syntax", "Line 7, column 3"),
        ("[CE", "abc-syntax", "Line 6, column 1"),
        ("C/0", "abc-length", "Line 6"),
        (">C", "abc-rhythm", "Line 6"),
        ("C4|[K:Q]D", "abc-key", "Line 6"),
        ("M:4/5\nC", "abc-metre", "Line 6"),
        ("C|0D|", "abc-form", "Line 6"),
        ("+CEG+", "abc-syntax", "Line 6"),
        ("z4|", "no-notes", ""),
    ],
)
def test_syntax_errors_are_refused_with_line_and_column(music, reason, where):
    refused = tune(music).refused
    assert refused is not None
    assert refused.reason == reason
    assert where in refused.detail


def test_an_invalid_tune_refuses_only_itself():
    book = b"L:1/4\n\nX:1\nK:C\nC\n\nX:2\nK:C\n@\n\nX:3\nK:C\nE\n\nX:3\nK:C\nF"
    pieces = read_bytes(book, "abc", "book.abc")
    assert [p.name for p in pieces] == [
        "book.abc#1",
        "book.abc#2",
        "book.abc#3",
        "book.abc#3.2",
    ]
    assert [p.refused and p.refused.reason for p in pieces] == [
        None,
        "abc-syntax",
        None,
        None,
    ]
    assert notes(pieces[3].sequence) == [(0, 1, 65)]  # with the file's header


def test_blank_lines_comments_and_encodings():
    text = "X:1\nT:Für\n% a comment\n%%directive\nL:1/4\nK:C\nC D\n% between\nE\n\n"
    text += "not music\n"
    for encoding in ("utf-8", "latin-1", "utf-8-sig"):
        for newline in ("\n", "\r\n", "\r"):
            (piece,) = read_bytes(
                text.replace("\n", newline).encode(encoding), "abc", "a.abc"
            )
            assert pitches(piece.sequence) == [60, 62, 64]
            assert piece.sequence.sequence_metadata.title == "Für"
            assert piece.remarks == {"stray-lines": 1}


def test_limits_refuse_one_tune():
    limits = Limits(notes=3)
    pieces = read_bytes(b"X:1\nK:C\nCDEF\n\nX:2\nK:C\nCDE\n", "abc", "b", limits)
    assert [p.refused and p.refused.reason for p in pieces] == ["too-many-notes", None]


@pytest.fixture(scope="module")
def book() -> Path:
    """A published book of 200 tunes, installed with music21."""
    (root,) = importlib.util.find_spec("music21").submodule_search_locations
    return Path(root, "corpus", "airdsAirs", "book1.abc")


def test_nearly_all_tunes_of_a_book_are_kept(book):
    pieces = read(book)
    assert len(pieces) == 200
    refused = [piece for piece in pieces if piece.refused]
    assert len(refused) <= 4, refused
    assert all(re.match(r"Line \d+, ", piece.refused.detail) for piece in refused)


def test_agrees_with_note_seq_on_tunes_that_it_reads(book):
    tunes = [x.strip() for x in book.read_text().split("\n\n") if x.startswith("X:")]
    simple = [x for x in tunes if not re.search(r"[\[-]", x.partition("\nK:")[2])]
    compared = 0
    for text in simple[:100]:
        theirs, refused = abc_parser.parse_abc_tunebook(text)
        if refused or not theirs:
            continue
        (theirs,) = theirs.values()
        ours = expand_section_groups(sequence(text, ""))
        theirs = expand_section_groups(theirs)
        assert [(x.pitch, x.velocity) for x in ours.notes] == [
            (x.pitch, x.velocity) for x in theirs.notes
        ]
        for side in ("start_time", "end_time"):
            np.testing.assert_allclose(
                [getattr(x, side) for x in ours.notes],
                [getattr(x, side) for x in theirs.notes],
                atol=1e-6,
            )
        compared += 1
    assert compared > 20


def test_a_published_tune_changes_its_unit_length_after_continued_lines(book):
    pieces = read(book.parents[1] / "oneills1850" / "0626-0635.abc")
    (tune,) = (piece for piece in pieces if piece.name.endswith("#631"))
    assert tune.sequence.total_time == pytest.approx(48)
