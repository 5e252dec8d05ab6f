"""ABC fields that change what follows: continuation, voices, clefs and words."""

import pytest
from abc_tunes import HEADER, notes, pitches, sequence, tune

from zoo.data.proto import NoteSequence, quarters


def voices(of: NoteSequence) -> list[list[int]]:
    """Returns the pitches of each part, in order of onset."""
    parts = sorted({note.part for note in of.notes})
    ordered = sorted(of.notes, key=lambda note: note.start_time)
    return [[x.pitch for x in ordered if x.part == part] for part in parts]


def metres(of: NoteSequence) -> list[tuple[float, int, int]]:
    at = quarters(of)
    signatures = of.time_signatures
    return [(float(at(x.time)), x.numerator, x.denominator) for x in signatures]


def test_a_key_after_a_continued_line_applies_to_what_follows():
    got = sequence("F F F F|F F F F|\\\nK:D\nF F F F|]")
    assert pitches(got) == [65] * 8 + [66] * 4
    assert [(x.time, x.key) for x in got.key_signatures] == [(0, 0), (4, 2)]


def test_a_metre_after_a_continued_line_applies_to_what_follows():
    header = "X:1\nM:6/8\nL:1/8\nK:C\n"
    got = sequence("CDE FGA|GFE D3|\\\nM:9/8\nCDE FGA Bcd|]", header)
    assert metres(got) == [(0, 6, 8), (6, 9, 8)]
    assert got.total_time == 5.25


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C D|\\\nL:1/8\nE F", [(0, 1, 60), (1, 1, 62), (2, 0.5, 64), (2.5, 0.5, 65)]),
        ("C D|\\\nQ:1/4=60\nE", [(0, 1, 60), (1, 1, 62), (2, 1, 64)]),
        ("C D|\\\nP:B\n\\\nE", [(0, 1, 60), (1, 1, 62), (2, 1, 64)]),
        ("C D|\\\nw: a word\nE", [(0, 1, 60), (1, 1, 62), (2, 1, 64)]),
        ("C>\\\nN:a note\nD", [(0, 1.5, 60), (1.5, 0.5, 62)]),
        ("C-|\\\nK:C\nC", [(0, 2, 60)]),
        ("(3C D\\\nM:3/4\nE", [(0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64)]),
    ],
)
def test_fields_between_continued_lines(music, expected):
    assert notes(sequence(music)) == [pytest.approx(x, abs=1e-5) for x in expected]


def test_a_tempo_after_a_continued_line_applies_to_what_follows():
    assert [x.time for x in sequence("C D|\\\nQ:1/4=60\nE").tempos] == [0, 1]


@pytest.mark.parametrize(
    ("clef", "octaves"),
    [
        ("treble", 0),
        ("treble-8", -1),
        ("treble+8", 1),
        ("treble-15", -2),
        ("treble+15", 2),
        ("bass-8", -1),
        ("bass3", 0),
        ("alto+8", 1),
        ("tenor-8", -1),
        ("baritone-8", -1),
        ("mezzosoprano+8", 1),
    ],
)
def test_octave_clefs_sound_an_octave_away(clef, octaves):
    expected = [60 + 12 * octaves]
    for word in (clef, f"clef={clef}"):
        assert pitches(sequence("C", HEADER.replace("K:C", f"K:C {word}"))) == expected
        assert pitches(sequence(f"V:1 {word}\nC")) == expected
        assert pitches(sequence(f"[V:1 {word}]C")) == expected
        assert pitches(sequence("V:1\nC", HEADER + f"V:1 {word}\n")) == expected
        before_key = HEADER.replace("K:C", f"V:1 {word}\nK:C")
        assert pitches(sequence("V:1\nC", before_key)) == expected
        assert pitches(sequence("C", before_key)) == expected


@pytest.mark.parametrize("sign", ["G2", "F4", "C3", "none", "perc"])
def test_clefs_by_their_sign(sign):
    for octave, semitones in (("", 0), ("-8", -12)):
        header = HEADER.replace("K:C", f"K:C clef={sign}{octave}")
        assert pitches(sequence("C", header)) == [60 + semitones]


@pytest.mark.parametrize(
    ("words", "semitones"),
    [
        ("octave=-2", -24),
        ("octave=+1", 12),
        ("octave = -1", -12),
        ("transpose=-2", -2),
        ("transpose=3 octave=-1", -9),
        ("clef=treble-8 transpose=2", -10),
        ("clef=treble-8 octave=1", 12),  # as abc2midi, which takes `octave`
        ("octave=0 bass-8", 0),
        ('name="treble-8"', 0),
        ("middle=d", 0),
    ],
)
def test_transposing_voices(words, semitones):
    for header in (f"K:C {words}\n", f"V:1 {words}\nK:C\n"):
        assert pitches(sequence("V:1\nC", f"X:1\n{header}")) == [60 + semitones]
    assert pitches(sequence(f"V:1 {words}\nC")) == [60 + semitones]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("[K:C treble-8]C [K:G]F [K:G clef=treble]F", [48, 54, 66]),
        ("[K:C octave=-1]C [K:clef=bass]C", [48, 48]),
        ("[K:octave=-1]C [K:none]C", [48, 48]),
        ("[K:octave=-1]C [K:clef=treble+8]C", [48, 72]),
        ("[K:transpose=-2]C [K:G]F", [58, 64]),
    ],
)
def test_a_transposition_lasts_until_it_is_changed(music, expected):
    assert pitches(sequence(music)) == expected


def test_each_voice_has_its_own_transposition():
    header = HEADER.replace("K:C", "V:1 clef=treble\nV:2 clef=treble-8\nK:C")
    got = sequence("V:1\nc d e f|g4|]\nV:2\nc B A G|C4|]", header)
    assert voices(got) == [[72, 74, 76, 77, 79], [60, 59, 57, 55, 48]]
    header = HEADER.replace("K:C", "V:S clef=treble\nV:B clef=bass octave=-2\nK:C")
    got = sequence("V:S\nc d e f|g4|]\nV:B\nc B A G|C4|]", header)
    assert voices(got) == [[72, 74, 76, 77, 79], [48, 47, 45, 43, 36]]
    got = sequence("V:1\nC\nV:2 bass\nC", HEADER.replace("K:C", "K:C octave=-1"))
    assert voices(got) == [[48], [60]]
    got = sequence("V:1\nC\nV:2\nC", HEADER.replace("K:C", "K:C treble-8"))
    assert voices(got) == [[48], [48]]


def test_a_voice_may_change_within_a_line():
    music = "V:1\nc d e f|[V:2]C D E F|\nV:1\ng4|]\nV:2\nG4|]"
    got = sequence(music)
    assert voices(got) == [[72, 74, 76, 77, 79], [60, 62, 64, 65, 67]]
    assert got.total_time == 4
    got = sequence("V:1\nc [V:2]C [V:1]d [V:2 clef=treble-8]D|")
    assert voices(got) == [[72, 74], [60, 50]]


@pytest.mark.parametrize(
    ("field", "expected"),
    [("K:D", [65, 66]), ("L:1/8", [65, 65]), ("M:3/4", [65, 65]), ("Q:60", [65, 65])],
)
def test_a_field_in_brackets_applies_from_where_it_stands(field, expected):
    assert pitches(sequence(f"F[{field}]F")) == expected


def test_the_order_of_voices_is_that_of_the_header():
    header = HEADER.replace("K:C", "V:S\nV:B\nK:C")
    assert voices(sequence("V:B\nC|\nV:S\nc|", header)) == [[72], [60]]


@pytest.mark.parametrize(
    ("key", "expected", "remarks"),
    [
        ("D middle=B", [66], {}),
        ("D stafflines=1 name=x", [66], {}),
        ("D -8va", [66], {"key-words": 1}),
        ("D dor funny words", [65], {"key-words": 2}),
        ("D shift=AB", [66], {"key-words": 1}),
        ("G flat", [65], {}),
        ("A-flat", [65], {}),
        ("F sharp minor", [66], {}),
        ("D Major", [66], {}),
    ],
)
def test_words_of_a_key(key, expected, remarks):
    found = tune("F", HEADER.replace("K:C", f"K:{key}"))
    assert found.refused is None
    assert (pitches(found.sequence), dict(found.remarks)) == (expected, remarks)


@pytest.mark.parametrize(
    ("tempo", "qpm", "remarks"),
    [
        ("Andante", 120, {"tempo-words": 1}),
        ("1/4=100 Lively", 100, {"tempo-words": 1}),
        ("Lively 1/4=100", 100, {"tempo-words": 1}),
        ("180 Lively", 180, {"tempo-words": 1}),
        ("1/4=c.100", 100, {}),
        ("1/4=ca 100", 100, {}),
        ("1/4 = 100", 100, {}),
        ("1/4=92.5", 92.5, {}),
        ("1/4=100-120", 100, {"tempo-words": 1}),
        ("1/4 3/8 1/4 3/8=40", 200, {}),
        ('1/2=60 "slow"', 120, {}),
        ("1/4=0", 120, {"tempo-words": 1}),
        ("1/0=60", 120, {"tempo-words": 1}),
        ("1/4=", 120, {"tempo-words": 1}),
    ],
)
def test_words_of_a_tempo(tempo, qpm, remarks):
    header = f"X:1\nM:4/4\nL:1/4\nQ:{tempo}\nK:C\n"
    found = tune("C D", header)
    assert found.refused is None
    assert [x.qpm for x in found.sequence.tempos] == [qpm]
    assert (pitches(found.sequence), dict(found.remarks)) == ([60, 62], remarks)


def test_a_tempo_before_the_unit_length_counts_that_unit():
    assert [x.qpm for x in sequence("C", "X:1\nQ:120\nL:1/4\nK:C\n").tempos] == [120]


def test_history_over_several_lines():
    history = "H:First told in a kitchen\nby somebody who knew it,\nbad egg\n"
    found = tune("C D E F|", f"X:1\n{history}M:4/4\nL:1/4\nK:C\n")
    assert (pitches(found.sequence), found.remarks) == ([60, 62, 64, 65], {})


def test_other_text_in_a_header_is_left_out():
    found = tune("C", "X:1\nL:1/4\nN bars 13 and 21\n3/8=120\nK:C\n")
    assert (pitches(found.sequence), found.remarks) == ([60], {"stray-lines": 2})


def test_a_field_may_be_continued():
    got = sequence("C", HEADER.replace("T:A Tune", "T:A\n+:Tune"))
    assert got.sequence_metadata.title == "A Tune"
