"""MusicXML as programs write it, against the text of the standard."""

import pytest
import specimens

from zoo.data.proto import NoteSequence, quarters
from zoo.data.scores.read import Piece, read_bytes

COMMON = "<time><beats>4</beats><beat-type>4</beat-type></time>"
C_MAJOR = "<key><fifths>0</fifths><mode>major</mode></key>"


def attributes(inside: str = "", key: str = C_MAJOR, time: str = COMMON) -> str:
    return f"<attributes><divisions>2</divisions>{key}{time}{inside}</attributes>"


def note(pitch: str | None, duration: float, *marks: str, voice: str = "1") -> str:
    """Returns a note such as `note("Bb4", 2)`, in eighths; `marks` are elements."""
    sound = "<rest/>"
    if pitch:
        alter = {"": 0, "b": -1, "#": 1}[pitch[1:-1]]
        sound = f"<pitch><step>{pitch[0]}</step><alter>{alter}</alter>"
        sound += f"<octave>{pitch[-1]}</octave></pitch>"
    first = "".join(mark for mark in marks if mark in ("<cue/>", "<chord/>"))
    last = "".join(mark for mark in marks if mark not in ("<cue/>", "<chord/>"))
    length = f"<duration>{duration}</duration>"
    return f"<note>{first}{sound}{length}<voice>{voice}</voice>{last}</note>"


def line(*pitches: str, duration: float = 2) -> str:
    return "".join(note(pitch, duration) for pitch in pitches)


def score(*parts: list[str], about: tuple[str, ...] = ()) -> bytes:
    """Returns a score of parts, each a list of measures."""
    listed = [*about, *[""] * (len(parts) - len(about))]
    heads = "".join(
        f'<score-part id="P{i}"><part-name>part {i}</part-name>{x}</score-part>'
        for i, x in enumerate(listed)
    )
    bodies = "".join(
        f'<part id="P{i}">{specimens.measures(*measures)}</part>'
        for i, measures in enumerate(parts)
    )
    text = f"<score-partwise><part-list>{heads}</part-list>{bodies}</score-partwise>"
    return text.encode()


def piece(*parts: list[str], about: tuple[str, ...] = ()) -> Piece:
    (found,) = read_bytes(score(*parts, about=about), "musicxml", "x")
    return found


def sequence(*parts: list[str], about: tuple[str, ...] = ()) -> NoteSequence:
    found = piece(*parts, about=about)
    assert found.sequence is not None, found.refused
    return found.sequence


def notes(of: NoteSequence) -> list[tuple[float, float, int]]:
    """Returns onset and duration in quarters, and pitch."""
    at = quarters(of)
    times = [(float(at(x.start_time)), float(at(x.end_time))) for x in of.notes]
    return [
        (round(start, 4), round(end - start, 4), x.pitch)
        for (start, end), x in zip(times, of.notes, strict=True)
    ]


def pitches(of: NoteSequence) -> list[int]:
    return [note.pitch for note in of.notes]


def transpose(chromatic: int, inside: str = "", number: str = "") -> str:
    return f"<transpose{number}><chromatic>{chromatic}</chromatic>{inside}</transpose>"


def octaves(by: int) -> str:
    return f"<octave-change>{by}</octave-change>"


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (transpose(0, octaves(-1)), 48),
        (transpose(0, octaves(2)), 84),
        (transpose(-2), 58),
        (transpose(-2, octaves(-1)), 46),  # a bass clarinet
        (transpose(-9, octaves(-1)), 39),  # a baritone saxophone
        ("", 60),
    ],
)
def test_notes_sound_where_a_transposing_part_sounds(element, expected):
    assert pitches(sequence([attributes(element) + note("C4", 8)])) == [expected]


def test_the_staves_of_a_part_may_transpose_differently():
    apart = transpose(0, octaves(-1), ' number="2"')
    music = note("C4", 4, "<staff>1</staff>") + note("C4", 4, "<staff>2</staff>")
    assert pitches(sequence([attributes(apart) + music])) == [60, 48]


def test_a_transposition_may_end():
    first = attributes(transpose(-2)) + note("D4", 8)
    later = f"<attributes>{transpose(0)}</attributes>" + note("D4", 8)
    assert pitches(sequence([first, later])) == [60, 62]


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


def test_cue_notes_are_silent():
    cues = "".join(note(x, 2, "<cue/>") for x in ("C6", "D6", "E6", "F6"))
    found = piece(
        [attributes() + line("C4", "D4", "E4", "F4"), cues, line("G4")],
        [attributes() + line("C4", "D4", "E4", "F4"), line("C4", "D4", "E4", "F4")],
    )
    first = [x for x in notes(found.sequence)[:5] if x[2] > 66]
    assert first == [(8, 1, 67)]
    assert found.remarks["cue-notes"] == 4


def tie(*kinds: str) -> str:
    return "".join(f'<tie type="{kind}"/>' for kind in kinds)


def back(duration: int) -> str:
    return f"<backup><duration>{duration}</duration></backup>"


def test_unisons_are_tied_by_voice():
    first = note("G4", 8, tie("start")) + back(8)
    first += note("G4", 8, tie("start"), voice="2")
    second = note("G4", 4, tie("stop")) + note("A4", 4) + back(8)
    second += note("G4", 8, tie("stop"), voice="2")
    got = sequence([attributes() + first, second])
    assert sorted(notes(got)) == [(0, 6, 67), (0, 8, 67), (6, 2, 69)]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        (note("G4", 4, tie("start")) + note("G4", 4, tie("stop")), [(0, 4, 67)]),
        (note("G4", 4, tie("start")) + note("G4", 4), [(0, 2, 67), (2, 2, 67)]),
        (note("G4", 4) + note("G4", 4, tie("stop")), [(0, 2, 67), (2, 2, 67)]),
        (
            note("G4", 2, tie("start"))
            + note("G4", 2, tie("stop", "start"))
            + note("G4", 4, tie("stop")),
            [(0, 4, 67)],
        ),
        (  # into another voice
            note("G4", 4, tie("start")) + note("G4", 4, tie("stop"), voice="2"),
            [(0, 4, 67)],
        ),
        (  # of one spelling and another
            note("F#4", 4, tie("start")) + note("Gb4", 4, tie("stop")),
            [(0, 4, 66)],
        ),
        (
            note("G4", 4, tie("start")) + note(None, 2) + note("G4", 2, tie("stop")),
            [(0, 2, 67), (3, 1, 67)],
        ),
    ],
)
def test_ties(music, expected):
    assert notes(sequence([attributes() + music])) == expected


def instrument(program: str, name: str = "I1", channel: int = 1) -> str:
    channel_text = f"<midi-channel>{channel}</midi-channel>"
    return f'<midi-instrument id="{name}">{channel_text}{program}</midi-instrument>'


def test_programs_count_from_one():
    flute = instrument("<midi-program>74</midi-program>")
    music = [attributes() + note("C4", 8)]
    assert sequence(music, about=(flute,)).notes[0].program == 73
    for invalid in ("", "<midi-program>0</midi-program>", "<midi-program/>"):
        assert sequence(music, about=(instrument(invalid),)).notes[0].program == 0


def test_a_part_may_have_several_instruments():
    two = instrument("<midi-program>74</midi-program>", "flute")
    two += instrument("<midi-program>41</midi-program>", "violin")
    change = '<sound><midi-instrument id="flute">{}</midi-instrument></sound>'
    change = change.format("<midi-program>1</midi-program>")
    music = note("C4", 2) + note("D4", 2, '<instrument id="violin"/>')
    music += change + note("E4", 2) + note("F4", 2, '<instrument id="other"/>')
    got = sequence([attributes() + music], about=(two,))
    assert [x.program for x in got.notes] == [73, 40, 0, 0]
    assert {x.instrument for x in got.notes} == {0}


def unpitched(*marks: str) -> str:
    display = "<display-step>E</display-step><display-octave>4</display-octave>"
    inside = f"<unpitched>{display}</unpitched><duration>4</duration>{''.join(marks)}"
    return f"<note>{inside}</note>"


def test_unpitched_notes_are_left_out_if_their_drum_is_unknown():
    found = piece(
        [attributes() + line("C4", "D4", "E4", "F4")],
        [attributes() + unpitched() + unpitched()],
    )
    assert pitches(found.sequence) == [60, 62, 64, 65]
    assert found.remarks == {"unpitched-notes": 2}


def test_unpitched_notes_are_drums_if_their_instrument_says_which():
    kit = instrument("<midi-unpitched>37</midi-unpitched>", "kick", 10)
    kit += instrument("<midi-unpitched>39</midi-unpitched>", "snare", 10)
    music = unpitched() + unpitched('<instrument id="snare"/>')
    got = sequence([attributes() + music], about=(kit,))
    assert [(x.pitch, x.is_drum) for x in got.notes] == [(36, True), (38, True)]


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


def test_durations_may_be_fractions():
    music = note("C4", 0.5) + note("D4", 1.5) + note("E4", 2) + note("F4", 4)
    expected = [(0, 0.25, 60), (0.25, 0.75, 62), (1, 1, 64), (2, 2, 65)]
    assert notes(sequence([attributes() + music])) == expected


def test_a_bar_begins_at_the_same_time_in_all_parts():
    short = [attributes() + note("C4", 8), note("D4", 2), note("E4", 8)]
    whole = [attributes() + note("C3", 8), note("D3", 8), note("E3", 8)]
    got = sequence(short, whole)
    assert [x[0] for x in notes(got)] == [0, 4, 8, 0, 4, 8]
    second = note("D4", 8) + back(8) + note("F4", 2, voice="2")
    got = sequence([attributes() + note("C4", 8), second, note("E4", 8)])
    assert notes(got)[-1] == (8, 4, 64)


def test_the_notes_of_a_chord_begin_together():
    music = note("C4", 4) + note("E4", 8, "<chord/>") + note("G4", 4)
    got = notes(sequence([attributes() + music]))
    assert got == [(0, 2, 60), (0, 2, 64), (2, 2, 67)]


def test_voices_may_have_any_name():
    got = sequence(
        [attributes() + note("C4", 4, voice="3") + note("D4", 4, voice="upper")]
    )
    assert [x.voice for x in got.notes] == [3, 1000]


def test_dynamics_are_velocities():
    music = note("C4", 4) + '<sound dynamics="100"/>' + note("D4", 4)
    got = sequence([attributes() + music])
    assert [x.velocity for x in got.notes] == [64, 90]


def test_notes_without_a_duration_are_left_out():
    music = "<note><pitch><step>C</step><octave>4</octave></pitch></note>"
    found = piece([attributes() + music + note("D4", 8)])
    assert pitches(found.sequence) == [62]
    assert found.remarks == {"notes-without-length": 1}
