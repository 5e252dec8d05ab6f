"""MEI, MusicXML and ABC: other readers find the notes that were written."""

import base64
import io
import itertools
from xml.etree import ElementTree

import mido
import numpy as np
import pytest
import verovio
from pieces import line, metre, piece

from zoo.data.proto import NoteSequence, quarters
from zoo.data.refusal import Refused
from zoo.data.scores.musicxml_values import STANDARD_KINDS, chord
from zoo.data.scores.read import read_bytes
from zoo.listen.score.abc_notation import abc
from zoo.listen.score.mei import mei, sounding
from zoo.listen.score.musicxml import musicxml
from zoo.listen.score.musicxml_marks import write_harmony
from zoo.listen.score.notation import notate

TUNES = {
    "jig": "M:6/8\nL:1/8\nQ:3/8=110\nK:Ador\n"
    "eg/2f/2|eAA eAA|BA^c G3-|G^Bd (3efg e|A3 A|]",
    "reel": "M:4/4\nL:1/8\nQ:1/4=90\nK:Ebm\n"
    "B,2|EFGA BcdB|(3ABc (3d/e/f/g a2 e>d|c4-c2 =B2|A G2 F2 E D2-|D8|"
    "[M:3/4][Q:1/4=60][CEG]2 ^F2 _f''2|z2 z G2-G/ A/|[M:5/8][K:D]A/B/c/d/ efg|]",
    "voices": "M:3/4\nL:1/4\nK:F\nV:1\nc d e|f3|]\nV:2\nF2 A|B,/C/D E|]",
    "modes": "M:2/2\nL:1/4\nK:Gmix\nG A B c|^d =f _b a|]",
    "harmony": 'M:2/4\nL:1/8\nK:G\n"G"GA"D7/F#"Bc|"Em"d2"Bbmaj7"e2|]',
    "fives": "M:4/4\nL:1/4\nK:C\n(5C/2D/2E/2F/2G/2 A B/4c/4d/4e/4|(3c2d2e2|z2 c2|]",
}
SCHEMA = (  # the order of the children of <note>, in MusicXML 4.0
    *("chord", "pitch", "unpitched", "rest", "duration", "tie", "instrument", "voice"),
    *("type", "dot", "accidental", "time-modification", "notehead", "staff", "beam"),
    "notations",
)


def tune(name):
    (found,) = read_bytes(f"X:1\nT:{name}\n{TUNES[name]}\n".encode(), "abc", "a.abc")
    assert found.sequence is not None, found.refused
    return found.sequence


def band():
    """Returns melody, piano chords and drums, with a pickup."""
    sequence = metre(line([67, 72, 74, 76, 77], program=73), (0, 1, 4), (0.5, 3, 4))
    for pitch in (40, 52, 64, 68, 71):
        piece((0.5, 2.0, pitch), instrument=1, into=sequence)
    piece((0.5, 1.0, 76), instrument=1, into=sequence)
    hits = [(0.5, 0.6, 36), (0.75, 0.8, 42), (1.0, 1.1, 38), (1.0, 1.1, 42)]
    return piece(*hits, drum=True, instrument=9, into=sequence)


def choir():
    sequence = metre(NoteSequence(), (0, 4, 4))
    for i, pitches in enumerate([(72, 74), (67, 67), (60, 59), (48, 43)]):
        notes = [(0, 1.5, pitches[0]), (1.5, 2.5, pitches[1])]
        piece(*notes, program=52, instrument=i, into=sequence)
    return sequence


PIECES = {**{name: tune(name) for name in TUNES}, "band": band(), "choir": choir()}


def pitched_part(sequence):
    """Returns a piece without drums, which Verovio plays as pitches."""
    copy = NoteSequence.FromString(sequence.SerializeToString())
    del copy.notes[:]
    copy.notes.extend(note for note in sequence.notes if not note.is_drum)
    return copy


def notes(sequence):
    """Returns (onset, offset, pitch) in seconds of the pitched notes, in order."""
    found = [
        (round(n.start_time, 3), round(n.end_time, 3), n.pitch)
        for n in sequence.notes
        if not n.is_drum
    ]
    return sorted(found)


def signatures(sequence):
    metres, keys, tempos = (
        sequence.time_signatures,
        sequence.key_signatures,
        sequence.tempos,
    )
    return [
        [(round(x.time, 3), x.numerator, x.denominator) for x in metres],
        [(round(x.time, 3), x.key, x.mode) for x in keys],
        [(round(x.time, 3), round(x.qpm, 3)) for x in tempos],
    ]


@pytest.mark.parametrize("name", sorted(PIECES))
def test_verovio_plays_the_notes(name):
    """The MIDI and the time map of Verovio, of the same MEI, are the oracle."""
    sequence, toolkit = pitched_part(PIECES[name]), verovio.toolkit()
    score = notate(sequence)
    assert toolkit.loadData(mei(score))
    midi = mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI())))
    played = []
    for track in midi.tracks:
        times = itertools.accumulate(message.time for message in track)
        for time, message in zip(times, track, strict=True):
            if message.type == "note_on" and message.velocity:
                played.append((time / midi.ticks_per_beat, message.note))
    onsets = quarters(sequence)(np.array([n.start_time for n in sequence.notes]))
    wanted = zip(onsets.tolist(), (n.pitch for n in sequence.notes), strict=True)
    np.testing.assert_allclose(sorted(played), sorted(wanted), atol=0.01)


def test_chords_have_the_ids_that_are_counted():
    score = notate(PIECES["band"])
    root = ElementTree.fromstring(mei(score))
    name = "{http://www.w3.org/XML/1998/namespace}id"
    ids = [element.get(name) for element in root.iter() if element.get(name)]
    assert ids == [f"note-{i + 1}" for i, _ in enumerate(sounding(score))]


def test_beams_are_inside_tuplets():
    root = ElementTree.fromstring(mei(notate(PIECES["reel"])))
    space = "{http://www.music-encoding.org/ns/mei}"
    tuplets = [*root.iter(f"{space}tuplet")]
    assert len(tuplets) == 2
    assert all([child.tag for child in x] == [f"{space}beam"] for x in tuplets)


def test_a_pickup_is_no_bar_of_its_own():
    root = ElementTree.fromstring(mei(notate(PIECES["jig"])))
    measures = [*root.iter("{http://www.music-encoding.org/ns/mei}measure")]
    assert [m.get("n") for m in measures] == ["0", "1", "2", "3", "4"]
    assert [m.get("metcon") for m in measures] == ["false", *[None] * 3, "false"]


@pytest.mark.parametrize("name", sorted(PIECES))
def test_musicxml_comes_back_the_same(name):
    sequence = PIECES[name]
    text = musicxml(notate(sequence)).encode()
    (found,) = read_bytes(text, "musicxml", "a.musicxml")
    assert found.sequence is not None, found.refused
    assert notes(found.sequence) == notes(sequence)
    was, now = signatures(sequence), signatures(found.sequence)
    assert now[0] == was[0]
    if was[1]:
        assert now[1] == was[1]


@pytest.mark.parametrize("kind", STANDARD_KINDS)
def test_a_chord_symbol_is_written_as_its_kind(kind):
    measure = ElementTree.Element("measure")
    write_harmony(measure, f"Eb{STANDARD_KINDS[kind]}/Bb")
    assert measure.findtext("harmony/kind") == kind
    assert chord(measure[0], 0, None) == f"Eb{STANDARD_KINDS[kind]}/Bb"


@pytest.mark.parametrize("name", sorted(PIECES))
def test_musicxml_has_the_order_of_the_schema(name):
    root = ElementTree.fromstring(musicxml(notate(PIECES[name])))
    for element in root.iter("note"):
        places = [SCHEMA.index(child.tag) for child in element]
        assert places == sorted(places)
    for measure in root.iter("measure"):
        divisions = int(root.findtext(".//divisions"))
        position, furthest = 0, 0
        for child in measure:
            length = int(child.findtext("duration", "0"))
            if child.tag == "backup":
                position -= length
            elif child.find("chord") is None:
                position += length
            furthest = max(furthest, position)
            assert position >= 0
        metre_length = 4 * divisions  # no bar of these is longer
        assert furthest <= metre_length


def test_music21_reads_the_musicxml():
    from music21 import converter

    parsed = converter.parseData(musicxml(notate(PIECES["reel"])), format="musicxml")
    sounds = sorted(
        (float(element.getOffsetInHierarchy(parsed)), pitch.midi)
        for element in parsed.stripTies().recurse().notes
        for pitch in element.pitches
    )
    sequence = PIECES["reel"]
    onsets = quarters(sequence)(np.array([n.start_time for n in sequence.notes]))
    wanted = sorted(zip(onsets, (n.pitch for n in sequence.notes), strict=True))
    np.testing.assert_allclose(sounds, wanted, atol=1e-6)


def test_drums_are_unpitched_notes_of_channel_ten():
    root = ElementTree.fromstring(musicxml(notate(band())))
    drums = root.findall("part-list/score-part")[-1]
    keys = [int(x.text) - 1 for x in drums.iter("midi-unpitched")]
    assert keys == [36, 38, 42]
    assert {x.text for x in drums.iter("midi-channel")} == {"10"}
    programs = [int(x.text) - 1 for x in root.iter("midi-program")]
    assert programs[:2] == [73, 0]


@pytest.mark.parametrize("name", sorted({*PIECES} - {"band"}))
def test_abc_comes_back_the_same(name):
    sequence = PIECES[name]
    (found,) = read_bytes(abc(notate(sequence)).encode(), "abc", "a.abc")
    assert found.sequence is not None, found.refused
    assert notes(found.sequence) == notes(sequence)
    was, now = signatures(sequence), signatures(found.sequence)
    assert now[0] == was[0]
    if was[1]:
        assert now[1] == was[1]
        assert now[2] == was[2]
    harmonies = [x.text for x in sequence.text_annotations]
    assert [x.text for x in found.sequence.text_annotations] == harmonies


def test_abc_has_no_drums():
    with pytest.raises(Refused, match="no notation of drums"):
        abc(notate(band()))


def test_texts_are_escaped():
    sequence = line([60])
    sequence.sequence_metadata.title = "</title>\n<b> & % \x07"
    for text in (mei(notate(sequence)), musicxml(notate(sequence))):
        assert "<b>" not in text
        ElementTree.fromstring(text)
    (found,) = read_bytes(abc(notate(sequence)).encode(), "abc", "a.abc")
    assert found.sequence is not None
    assert len(found.sequence.notes) == 1
