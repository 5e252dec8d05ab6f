"""ABC against closed forms, note_seq's own parser where it can follow, and a real book."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from note_seq import abc_parser
from note_seq.sequences_lib import expand_section_groups

from zoo.data.proto import NoteSequence, quarters
from zoo.data.read import Limits, Piece, read, read_bytes

HEADER = "X:1\nT:A Tune\nM:4/4\nL:1/4\nK:C\n"


def tune(music: str, header: str = HEADER) -> Piece:
    (piece,) = read_bytes((header + music).encode(), "abc", "a.abc")
    return piece


def sequence(music: str, header: str = HEADER) -> NoteSequence:
    piece = tune(music, header)
    assert piece.sequence is not None, piece.refused
    return piece.sequence


def notes(of: NoteSequence) -> list[tuple[float, float, int]]:
    """Onset and length in quarters, and pitch."""
    at = quarters(of)
    return [
        (
            round(float(at(x.start_time)), 6),
            round(float(at(x.end_time) - at(x.start_time)), 6),
            x.pitch,
        )
        for x in of.notes
    ]


def pitches(of: NoteSequence) -> list[int]:
    return [note.pitch for note in sorted(of.notes, key=lambda x: x.start_time)]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C D", [(0, 1, 60), (1, 1, 62)]),
        ("C, c c'' C,,", [(0, 1, 48), (1, 1, 72), (2, 1, 96), (3, 1, 36)]),
        ("C2 D/ E//", [(0, 2, 60), (2, .5, 62), (2.5, .25, 64)]),
        ("F3/2 G/4 A", [(0, 1.5, 65), (1.5, .25, 67), (1.75, 1, 69)]),
        ("C>D E<F", [(0, 1.5, 60), (1.5, .5, 62), (2, .5, 64), (2.5, 1.5, 65)]),
        ("C >> D", [(0, 1.75, 60), (1.75, .25, 62)]),
        ("C>z D", [(0, 1.5, 60), (2, 1, 62)]),
        ("C>{de}D", [(0, 1.5, 60), (1.5, .5, 62)]),
        ("z C x2 D", [(1, 1, 60), (4, 1, 62)]),
        ("C4|Z2|D", [(0, 4, 60), (12, 1, 62)]),
        ("C4|Z|D", [(0, 4, 60), (8, 1, 62)]),
        ("(3CDE F", [(0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64), (2, 1, 65)]),
        ("((3C/D/E/) F", [(0, 1 / 3, 60), (1 / 3, 1 / 3, 62), (2 / 3, 1 / 3, 64), (1, 1, 65)]),
        ("(3:2:2 C2 D E", [(0, 4 / 3, 60), (4 / 3, 2 / 3, 62), (2, 1, 64)]),
        ("(3::4 CDEF", [(0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64), (2, 2 / 3, 65)]),
        ("(2CD E", [(0, 1.5, 60), (1.5, 1.5, 62), (3, 1, 64)]),
        ("(3C>DE", [(0, 1, 60), (1, 1 / 3, 62), (4 / 3, 2 / 3, 64)]),
        ("[CEG]2 c", [(0, 2, 60), (0, 2, 64), (0, 2, 67), (2, 1, 72)]),
        ("[C2E2]/ c", [(0, 1, 60), (0, 1, 64), (1, 1, 72)]),
        ("[C3E] c", [(0, 3, 60), (0, 1, 64), (3, 1, 72)]),
        ("C2-C D", [(0, 3, 60), (3, 1, 62)]),
        ("D2 C2-|C4-|C D", [(0, 2, 62), (2, 7, 60), (9, 1, 62)]),
        ("[CE]-[CG]", [(0, 2, 60), (0, 1, 64), (1, 1, 67)]),
        ("[C-E][CE]", [(0, 2, 60), (0, 1, 64), (1, 1, 64)]),
        ("C-D", [(0, 1, 60), (1, 1, 62)]),
        ("C4&E2G2|D", [(0, 4, 60), (0, 2, 64), (2, 2, 67), (4, 1, 62)]),
        ('{gef}"^slow"!trill!.C ~D', [(0, 1, 60), (1, 1, 62)]),
        ("u+fermata+E y (F*`G)", [(0, 1, 64), (1, 1, 65), (2, 1, 67)]),
        ("C D % a comment | E\nF \\\nG", [(0, 1, 60), (1, 1, 62), (2, 1, 65), (3, 1, 67)]),
        ("[L:1/8]CD[L:1/2]E", [(0, .5, 60), (.5, .5, 62), (1, 2, 64)]),
        ("C\nw: a lyric\nL:1/8\nN: a note\nD", [(0, 1, 60), (1, .5, 62)]),
        ("d:|", [(0, 1, 74)]),
        ("C=\nD =20\n=3DE", [(0, 1, 60), (1, 1, 62), (2, 1, 64)]),  # as mail has it
    ],
)  # fmt: skip
def test_rhythm_and_pitch(music, expected):
    assert sorted(notes(sequence(music))) == [pytest.approx(x, abs=1e-5) for x in sorted(expected)]


@pytest.mark.parametrize(
    ("key", "music", "expected"),
    [
        ("C", "^F F|F", [66, 66, 65]),  # to the bar line
        ("C", "^F f _B, B", [66, 78, 58, 70]),  # in every octave: the standard's default
        ("G", "F =F F|F", [66, 65, 65, 66]),
        ("C", "^^F __B", [67, 69]),
        ("C", "^F-|F F", [66, 65]),  # a tie carries the accidental over the bar line
        ("D exp _b ^f", "F C B", [66, 60, 70]),
        ("D =c", "F C", [66, 60]),
        ("Dmix^g", "F C G", [66, 60, 68]),
        ("^c", "F C", [65, 61]),
        ("Hp", "F C G", [66, 61, 67]),
        ("HP", "F C G", [65, 60, 67]),
        ("none", "F", [65]),
        ("G octave=-1", "F", [54]),
        ("D transpose=-2", "F", [64]),
        ("G clef=bass", "F", [66]),
        ("Bb bass", "B", [70]),
        ("F#m", "F G C", [66, 68, 61]),
        ("E minor", "F", [66]),
        ("C", "F[K:G]F\nK:D\nC", [65, 66, 61]),
    ],
)
def test_accidentals(key, music, expected):
    assert pitches(sequence(music, HEADER.replace("K:C", f"K:{key}"))) == expected


@pytest.mark.parametrize("name", sorted(abc_parser.ABCTune.KEY_TO_SIG))
def test_every_key_agrees_with_note_seq(name):
    name = name[0].upper() + name[1:]
    try:
        accidentals, tonic, mode = abc_parser.ABCTune.parse_key(name)
    except KeyError:  # B sharp and the like, which its protos cannot name
        return
    got = sequence("CDEFGAB", HEADER.replace("K:C", f"K:{name}"))
    plain = (60, 62, 64, 65, 67, 69, 71)
    assert pitches(got) == [p + accidentals[x] for p, x in zip(plain, "CDEFGAB", strict=True)]
    assert [(x.key, x.mode) for x in got.key_signatures] == [(tonic, mode)]


@pytest.mark.parametrize(
    ("text", "unit", "qpm"),
    [
        ("1/4=120", "1/8", 120),
        ("3/8=100", "1/8", 150),
        ("120", "1/8", 60),
        ("C=120", "1/8", 60),
        ("C3=40", "1/8", 60),
        ("1/4 3/8=40", "1/8", 100),
        ('"Allegro" 1/4=132', "1/8", 132),
        ('1/2=60 "slow"', "1/8", 120),
        ('"Andante"', "1/8", 120),
    ],
)
def test_tempo(text, unit, qpm):
    got = sequence("C4", f"X:1\nL:{unit}\nQ:{text}\nK:C\n")
    assert [x.qpm for x in got.tempos] == [qpm]
    assert got.notes[0].end_time == pytest.approx(4 * 0.5 * 60 / qpm)


def test_tempo_change_moves_what_follows():
    got = sequence("C4|[Q:1/4=60]D4|")
    assert [(x.start_time, x.end_time) for x in got.notes] == [(0, 2), (2, 6)]
    assert [(x.time, x.qpm) for x in got.tempos] == [(0, 120), (2, 60)]
    assert notes(got) == [(0, 4, 60), (4, 4, 62)]


@pytest.mark.parametrize(
    ("metre", "expected", "length"),
    [
        ("C", [(4, 4)], 0.5),
        ("C|", [(2, 2)], 0.5),
        ("2/4", [(2, 4)], 0.25),
        ("6/8", [(6, 8)], 0.5),
        ("3/4", [(3, 4)], 0.5),
        ("(2+3)/8", [(5, 8)], 0.25),
        ("none", [], 0.5),
    ],
)
def test_metre_and_its_unit_length(metre, expected, length):
    got = sequence("C", f"X:1\nM:{metre}\nK:C\n")
    assert [(x.numerator, x.denominator) for x in got.time_signatures] == expected
    assert notes(got) == [(0, length, 60)]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C4|D4|E4|", [(0, 4, 4)]),
        ("C|D4|E4|", [(0, 1, 4), (1, 4, 4)]),  # a pickup
        ("C|D4|E3:|", [(0, 1, 4), (1, 4, 4)]),  # and its complement
        ("C|D4|E3:|:F|G4|", [(0, 1, 4), (1, 4, 4)]),  # which a repeat may split
        ("C4|D3|E4|F4|", [(0, 4, 4), (4, 3, 4), (7, 4, 4)]),  # an irregular bar
        ("C4|D4 E4|F4|", [(0, 4, 4)]),  # a bar line forgotten
        ("C4|[M:3/4]D3|E3|", [(0, 4, 4), (4, 3, 4)]),
        ("C/|D4|E4|", [(0, 1, 8), (0.5, 4, 4)]),
    ],
)
def test_time_signatures_follow_the_bar_lines(music, expected):
    got = sequence(music)
    at = quarters(got)
    found = [(float(at(x.time)), x.numerator, x.denominator) for x in got.time_signatures]
    assert found == expected


@pytest.mark.parametrize(
    ("written", "played"),
    [
        ("|:C4:|", "C4|C4|"),
        ("C4:|D4|", "C4|C4|D4|"),
        ("|:C4:|:D4:|E4|", "C4|C4|D4|D4|E4|"),
        ("|:C4::D4:|", "C4|C4|D4|D4|"),
        ("C4||D4:|", "C4|D4|D4|"),
        ("|:C4||D4:|", "C4|D4|C4|D4|"),
        ("C4[|]:|D4|", "C4|C4|D4|"),
        ("C4||:D4:|", "C4|D4|D4|"),
        ("C4||1D4:|2E4||", "C4|D4|C4|E4|"),
        ("C4:|:D4:|]E4|", "C4|C4|D4|D4|E4|"),
        ("|:C4:||:D4:|", "C4|C4|D4|D4|"),
        ("|::C4::|D4|", "C4|C4|C4|D4|"),
        ("|:C4|1D4:|2E4|]F4|", "C4|D4|C4|E4|F4|"),
        ("|:C4|[1D4:|[2E4||F4|", "C4|D4|C4|E4|F4|"),
        ("C4|1 D4:|2 E4:|:F4:|", "C4|D4|C4|E4|F4|F4|"),
        ("|:C4|[1,3D4:|[2E4|]", "C4|D4|C4|E4|C4|D4|"),
        ("|:C4|[1-2D4:|3E4|]", "C4|D4|C4|D4|C4|E4|"),
        ("|:C4|1D4:|E4|", "C4|D4|C4|E4|"),
        ("|:C4|1D4|2E4:|:F4:|", "C4|D4|C4|E4|F4|F4|"),
        ("|:C3z:|", "C3z|C3z|"),
        ("|:C4-:|C4|", "C4|C4|C4|"),  # a tie out of a repeat is struck anew
        ("[M:3/4]C3||D3|", "[M:3/4]C3|D3|"),
        ("P:A\nC4|\nP:B\nD4|", "C4|D4|"),
    ],
)
def test_repeats_play_as_written_out(written, played):
    expected = sequence(played)
    got = expand_section_groups(sequence(written))
    assert notes(got) == notes(expected)


def test_parts_play_in_the_order_of_the_header():
    header = HEADER.replace("T:A Tune", "P:A(AB)2C")
    got = expand_section_groups(sequence("P:A\nC4|\nP:B\nD4|\nP:C\nE4|", header))
    assert pitches(got) == [60, 60, 62, 60, 62, 64]


def test_total_time_holds_the_longest_note_of_a_last_chord():
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
        ("C\nQ:fast", "abc-tempo", "Line 7"),
        ("C|0D|", "abc-form", "Line 6"),
        ("+CEG+", "abc-syntax", "Line 6"),
        ("z4|", "no-notes", ""),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(music, reason, where):
    refused = tune(music).refused
    assert refused is not None
    assert refused.reason == reason
    assert where in refused.detail


def test_a_hostile_tune_drops_only_itself():
    book = b"L:1/4\n\nX:1\nK:C\nC\n\nX:2\nK:C\n@\n\nX:3\nK:C\nE\n\nX:3\nK:C\nF"
    pieces = read_bytes(book, "abc", "book.abc")
    assert [p.name for p in pieces] == ["book.abc#1", "book.abc#2", "book.abc#3", "book.abc#3.2"]
    assert [p.refused and p.refused.reason for p in pieces] == [None, "abc-syntax", None, None]
    assert notes(pieces[3].sequence) == [(0, 1, 65)]  # the file's header holds for each


def test_blank_lines_comments_and_encodings():
    text = "X:1\nT:Für\n% a comment\n%%directive\nL:1/4\nK:C\nC D\n% between\nE\n\nnot music\n"
    for encoding in ("utf-8", "latin-1", "utf-8-sig"):
        for newline in ("\n", "\r\n", "\r"):
            (piece,) = read_bytes(text.replace("\n", newline).encode(encoding), "abc", "a.abc")
            assert pitches(piece.sequence) == [60, 62, 64]
            assert piece.sequence.sequence_metadata.title == "Für"
            assert piece.remarks == {"stray-lines": 1}


def test_limits_refuse_one_tune():
    limits = Limits(notes=3)
    pieces = read_bytes(b"X:1\nK:C\nCDEF\n\nX:2\nK:C\nCDE\n", "abc", "b", limits)
    assert [p.refused and p.refused.reason for p in pieces] == ["too-many-notes", None]


@pytest.fixture(scope="module")
def book() -> Path:
    """A real book of 200 tunes, which music21 ships."""
    (root,) = importlib.util.find_spec("music21").submodule_search_locations
    return Path(root, "corpus", "airdsAirs", "book1.abc")


def test_nearly_all_of_a_real_book_is_kept(book):
    pieces = read(book)
    assert len(pieces) == 200
    refused = [piece for piece in pieces if piece.refused]
    assert len(refused) <= 4, refused
    assert all(re.match(r"Line \d+, ", piece.refused.detail) for piece in refused)


def test_agrees_with_note_seq_where_it_can_follow(book):
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
