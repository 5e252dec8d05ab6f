"""Notes of MusicXML as programs write it, against the text of the standard."""

import pytest
from xml_scores import (
    attributes,
    line,
    note,
    notes,
    piece,
    pitches,
    score,
    sequence,
    transpose,
)

from zoo.data.scores.read import read_bytes


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


@pytest.mark.parametrize(
    ("first", "second", "bar"),
    [
        (note("D4", 8), note(None, 16), 4),  # a rest that is too long
        (note("D4", 6), note(None, 8), 4),  # notes that are too short
        (note("D4", 6), note(None, 16), 3),
        (note(None, 16), note(None, 16), 8),
        (note("D4", 10), note(None, 8), 5),
    ],
)
def test_rests_of_a_wrong_duration_do_not_lengthen_a_bar(first, second, bar):
    got = sequence(
        [attributes() + note("C4", 8), first, note("E4", 8)],
        [attributes() + note("C3", 8), second, note("E3", 8)],
    )
    assert {x[0] for x in notes(got) if x[2] in (52, 64)} == {4 + bar}


def test_a_rest_does_not_lengthen_a_pickup():
    got = sequence(
        [attributes() + note("C4", 2), note("E4", 8)],
        [attributes() + note(None, 8), note("E3", 8)],
    )
    assert notes(got)[-1] == (4, 4, 52)  # nothing says that it is a pickup
    first = [attributes() + note("C4", 2), note("E4", 8)]
    text = score(first, [attributes() + note(None, 8), note("E3", 8)])
    text = text.replace(b'<measure number="0">', b'<measure number="0" implicit="yes">')
    (found,) = read_bytes(text, "musicxml", "x")
    assert notes(found.sequence)[-1] == (1, 4, 52)


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
    for short in (music, note("C4", 0), note("C4", 0.0001)):
        found = piece([attributes() + short + note("D4", 8)])
        assert pitches(found.sequence) == [62]
        assert found.remarks == {"notes-without-length": 1}
