"""Keys, metres, tempos and chord symbols of MusicXML."""

import pytest
from xml_scores import (
    attributes,
    line,
    note,
    piece,
    pitches,
    sequence,
    transpose,
)


@pytest.mark.parametrize(
    ("fifths", "mode", "chromatic", "tonic"),
    [
        (2, "major", -2, 0),
        (3, "minor", -9, 9),
        (0, "major", 3, 3),
        (1, "dorian", -2, 7),
    ],
)
def test_the_key_of_a_transposing_part_is_that_which_sounds(
    fifths, mode, chromatic, tonic
):
    key = f"<key><fifths>{fifths}</fifths><mode>{mode}</mode></key>"
    music = attributes(transpose(chromatic), key) + note("D5", 8)
    assert [x.key for x in sequence([music]).key_signatures] == [tonic]


def test_the_key_is_that_of_the_first_part_with_pitches():
    drum = "<note><unpitched/><duration>8</duration></note>"
    other = "<key><fifths>3</fifths><mode>major</mode></key>"
    got = sequence([attributes() + drum], [attributes(key=other) + note("C4", 8)])
    assert [x.key for x in got.key_signatures] == [9]


def sound(tempo: object) -> str:
    return f'<sound tempo="{tempo}"/>'


def direction(inside: str) -> str:
    words = "<direction-type><words>x</words></direction-type>"
    return f"<direction>{words}{inside}</direction>"


def metronome(unit: str, rate: str, dots: int = 0, after: str = "") -> str:
    dotted = "<beat-unit-dot/>" * dots
    mark = f"<beat-unit>{unit}</beat-unit>{dotted}<per-minute>{rate}</per-minute>"
    mark = f"<direction-type><metronome>{mark}</metronome></direction-type>"
    return f"<direction>{mark}{after}</direction>"


@pytest.mark.parametrize(
    ("mark", "qpm"),
    [
        (sound(60), 60),
        (direction(sound(60)), 60),
        (direction(sound("92.5")), 92.5),
        (metronome("quarter", "60"), 60),
        (metronome("half", "60"), 120),
        (metronome("eighth", "120"), 60),
        (metronome("quarter", "60", 1), 90),
        (metronome("quarter", "60", 2), 105),
        (metronome("eighth", "c. 120", 1), 90),
        (metronome("quarter", "60-66"), 60),
        (metronome("quarter", "60", after=sound(72)), 72),
        (metronome("quarter", "60") + sound(72), 72),
        (sound(72) + metronome("quarter", "60"), 72),
    ],
)
def test_a_tempo_has_one_of_three_forms(mark, qpm):
    got = sequence([attributes() + mark + note("C4", 8), sound(240) + note("D4", 8)])
    start = 240 / qpm
    assert [(x.time, x.qpm) for x in got.tempos] == [(0, qpm), (start, 240)]
    assert got.total_time == pytest.approx(start + 1)


def test_a_tempo_may_be_in_any_part_and_within_a_bar():
    second = attributes() + note("C3", 4) + sound(60) + note("D3", 4)
    got = sequence([attributes() + note("C4", 8)], [second])
    assert [(x.time, x.qpm) for x in got.tempos] == [(0, 120), (1, 60)]
    assert got.total_time == 3
    first, other = attributes() + sound(90), attributes() + sound(60)
    got = sequence([first + note("C4", 8)], [other + note("C3", 8)])
    assert [x.qpm for x in got.tempos] == [90]


@pytest.mark.parametrize(
    "mark",
    [
        *map(sound, (0, -5, "fast", "nan", "1e9", 999999)),
        *(metronome("quarter", "slow"), metronome("crotchet", "60")),
    ],
)
def test_a_tempo_that_is_not_understood_is_left_out(mark):
    found = piece([attributes() + mark + note("C4", 8)])
    assert found.remarks == {"tempos": 1}
    assert [x.qpm for x in found.sequence.tempos] == [120]


def harmony(kind: str, root: str = "C", inside: str = "") -> str:
    note = f"<root><root-step>{root}</root-step></root>"
    return f"<harmony>{note}<kind>{kind}</kind>{inside}</harmony>"


BASS = "<bass><bass-step>E</bass-step><bass-alter>-1</bass-alter></bass>"
DEGREE = (
    "<degree><degree-value>{}</degree-value><degree-alter>{}</degree-alter>"
    "<degree-type>{}</degree-type></degree>"
)


@pytest.mark.parametrize(
    ("element", "text"),
    [
        (harmony("major"), "C"),
        (harmony("minor-seventh"), "Cm7"),
        (harmony("half-diminished", "B"), "Bm7b5"),
        (harmony("none"), "N.C."),
        (harmony("major", inside=BASS), "C/Eb"),
        (harmony("dominant", inside=DEGREE.format(9, -1, "add")), "C7(b9)"),
        (harmony("major", inside=DEGREE.format(9, 0, "add")), "C(add9)"),
        (harmony("major", inside=DEGREE.format(3, 0, "subtract")), "C(no3)"),
    ],
)
def test_chord_symbols(element, text):
    found = piece([attributes() + element + note("C4", 8)])
    assert [x.text for x in found.sequence.text_annotations] == [text]
    assert found.remarks == {}


def test_chord_symbols_of_a_transposing_part_sound():
    diatonic = "<diatonic>-1</diatonic>"
    for steps, expected in ((diatonic, ["C", "F#m"]), ("", ["C", "F#m"])):
        music = harmony("major", "D") + harmony("minor", "G").replace(
            "</root-step>", "</root-step><root-alter>1</root-alter>"
        )
        start = attributes(transpose(-2, steps))
        got = sequence([start + music + note("C4", 8)])
        assert sorted(x.text for x in got.text_annotations) == expected


@pytest.mark.parametrize(
    "element",
    [
        *map(harmony, ("other", "Neapolitan", "Tristan", "whatever")),
        "<harmony><kind>major</kind></harmony>",
        "<harmony><function>IV</function><kind>major</kind></harmony>",
        harmony("major", "H"),
        harmony("major", inside=DEGREE.format("x", 0, "add")),
    ],
)
def test_a_chord_symbol_that_is_not_understood_is_left_out(element):
    found = piece([attributes() + element + line("C4", "D4", "E4", "F4")])
    assert pitches(found.sequence) == [60, 62, 64, 65]
    assert found.remarks == {"chord-symbols": 1}
    assert not found.sequence.text_annotations


def time(*pairs: tuple[str, str]) -> str:
    inside = "".join(
        f"<beats>{beats}</beats><beat-type>{below}</beat-type>"
        for beats, below in pairs
    )
    return f"<time>{inside}</time>"


@pytest.mark.parametrize(
    ("element", "metre"),
    [
        (time(("3+2", "8")), (5, 8)),
        (time(("3 + 2 + 3", "8")), (8, 8)),
        (time(("3", "8"), ("2", "8")), (5, 8)),
        (time(("3", "8"), ("1", "4")), (5, 8)),
        (time(("2", "4"), ("3", "8")), (7, 8)),
    ],
)
def test_additive_metres(element, metre):
    eighths = metre[0]
    bars = [line(*["C4"] * eighths, duration=1), line(*["D4"] * eighths, duration=1)]
    found = piece([attributes(time=element) + bars[0], bars[1]])
    got = found.sequence.time_signatures
    assert [(x.numerator, x.denominator) for x in got] == [metre]
    assert found.remarks == {}


@pytest.mark.parametrize(
    "element",
    [
        "<time><senza-misura/></time>",
        "<time><senza-misura>X</senza-misura></time>",
        time(("x", "4")),
        time(("0", "4")),
        time(("4", "5")),
        "<time/>",
    ],
)
def test_a_metre_that_is_not_understood_is_left_out(element):
    found = piece([attributes(time=element) + line("C4", "D4", "E4", "F4")])
    assert pitches(found.sequence) == [60, 62, 64, 65]
    assert found.remarks == {"metres": 1}
    assert not found.sequence.time_signatures


def test_a_key_that_is_not_understood_is_left_out():
    odd = "<key><key-step>B</key-step><key-alter>-1</key-alter></key>"
    found = piece([attributes(key=odd) + note("C4", 8)])
    assert (found.remarks, list(found.sequence.key_signatures)) == ({"keys": 1}, [])
