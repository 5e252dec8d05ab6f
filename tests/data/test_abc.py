"""ABC note by note, against closed forms and note_seq's own parser."""

import pytest
from abc_tunes import HEADER, notes, pitches, sequence
from note_seq import abc_parser
from note_seq.sequences_lib import expand_section_groups

from zoo.data.proto import quarters


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
        ("(3CDE F",
         [(0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64), (2, 1, 65)]),
        ("((3C/D/E/) F",
         [(0, 1 / 3, 60), (1 / 3, 1 / 3, 62), (2 / 3, 1 / 3, 64), (1, 1, 65)]),
        ("(3:2:2 C2 D E", [(0, 4 / 3, 60), (4 / 3, 2 / 3, 62), (2, 1, 64)]),
        ("(3::4 CDEF",
         [(0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64), (2, 2 / 3, 65)]),
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
        ("C D % a comment | E\nF \\\nG",
         [(0, 1, 60), (1, 1, 62), (2, 1, 65), (3, 1, 67)]),
        ("[L:1/8]CD[L:1/2]E", [(0, .5, 60), (.5, .5, 62), (1, 2, 64)]),
        ("C\nw: a lyric\nL:1/8\nN: a note\nD", [(0, 1, 60), (1, .5, 62)]),
        ("d:|", [(0, 1, 74)]),
        ("C=\nD =20\n=3DE", [(0, 1, 60), (1, 1, 62), (2, 1, 64)]),  # quoted-printable
    ],
)  # fmt: skip
def test_rhythm_and_pitch(music, expected):
    assert sorted(notes(sequence(music))) == [
        pytest.approx(x, abs=1e-5) for x in sorted(expected)
    ]


@pytest.mark.parametrize(
    ("key", "music", "expected"),
    [
        ("C", "^F F|F", [66, 66, 65]),  # to the bar line
        (
            "C",
            "^F f _B, B",
            [66, 78, 58, 70],
        ),  # in every octave, the default of the standard
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
    assert pitches(got) == [
        p + accidentals[x] for p, x in zip(plain, "CDEFGAB", strict=True)
    ]
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


def test_a_tempo_change_moves_later_notes():
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
        ("C|D4|E3:|:F|G4|", [(0, 1, 4), (1, 4, 4)]),  # split by a repeat
        ("C4|D3|E4|F4|", [(0, 4, 4), (4, 3, 4), (7, 4, 4)]),  # an irregular bar
        ("C4|D4 E4|F4|", [(0, 4, 4)]),  # a missing bar line
        ("C4|[M:3/4]D3|E3|", [(0, 4, 4), (4, 3, 4)]),
        ("C/|D4|E4|", [(0, 1, 8), (0.5, 4, 4)]),
    ],
)
def test_time_signatures_follow_the_bar_lines(music, expected):
    got = sequence(music)
    at = quarters(got)
    found = [
        (float(at(x.time)), x.numerator, x.denominator) for x in got.time_signatures
    ]
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
        ("|:C4-:|C4|", "C4|C4|C4|"),  # a tie out of a repeat is a new onset
        ("[M:3/4]C3||D3|", "[M:3/4]C3|D3|"),
        ("P:A\nC4|\nP:B\nD4|", "C4|D4|"),
    ],
)
def test_repeats_equal_their_expansion(written, played):
    expected = sequence(played)
    got = expand_section_groups(sequence(written))
    assert notes(got) == notes(expected)
