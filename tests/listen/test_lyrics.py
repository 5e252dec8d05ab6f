"""Lyrics that are written and read again, and what other readers find."""

import io
from xml.etree import ElementTree

import mido
import music21
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import line, piece
from sung import words

from zoo.data.bars import at_tempo, excerpt
from zoo.data.lyrics import EXTENDS, Syllable, lyrics_of, write_lyrics
from zoo.data.proto import NoteSequence
from zoo.data.scores.read import read_bytes
from zoo.listen.arrange import with_tempo
from zoo.listen.score.abc_notation import abc
from zoo.listen.score.mei import mei
from zoo.listen.score.musicxml import musicxml
from zoo.listen.score.notation import notate
from zoo.listen.synth import midi_bytes

WRITERS = {
    "abc": lambda x: abc(notate(x)).encode(),
    "musicxml": lambda x: musicxml(notate(x)).encode(),
    "midi": midi_bytes,
}


def sung(text: str, step: float = 0.5) -> NoteSequence:
    """Returns a line sung to a text as `words` writes it; "," is a rest."""
    sequence, lyrics = NoteSequence(), list[Syllable | None]()
    for i, word in enumerate(text.split()):
        if word == ",":
            continue
        piece((i * step, (i + 1) * step, 60 + i % 7), into=sequence)
        place = {(False, False): "single", (False, True): "begin",
                 (True, True): "middle", (True, False): "end"}  # fmt: skip
        ends = word.startswith("-"), word.endswith("-")
        syllable = Syllable(word.strip("-").replace("~", " "), place[ends])
        lyrics.append({".": None, "_": EXTENDS}.get(word, syllable))
    write_lyrics(sequence, lyrics)
    return sequence


def again(sequence: NoteSequence, kind: str) -> NoteSequence:
    (found,) = read_bytes(WRITERS[kind](sequence), kind, f"x.{kind}")
    assert found.sequence is not None, found.refused
    assert "syllables-without-note" not in found.remarks
    return found.sequence


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    "text",
    [
        "Hal- -le- _ -lu- -jah _ _ . now",
        ". . la , _ , di . . , do",
        "a- . -b la . , la _ . di",
        "a b c d e f- _ _ _ _ _ -g h _ , . i",
        "of~the day o'er '* x*_|~%\\&-y 1.~one",
        "一 שלום é- -à",
        ". . . .",
    ],
)
def test_round_trips(text, kind):
    expected = words(sung(text))
    found = words(again(sung(text), kind))
    assert found == expected


WORD = st.one_of(
    st.sampled_from([["."], [","], ["la"], ["la", "_"], ["la", ",", "_"]]),
    st.sampled_from([["a-", "-b"], ["a-", "_", "-b-", "-c", "_", "_"], ["x~y"]]),
)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(WORD, min_size=1, max_size=5), st.sampled_from(sorted(WRITERS)))
def test_any_words_are_read_as_they_were_written(found, kind):
    sequence = sung(" ".join(["la", *(x for word in found for x in word)]))
    assert words(again(sequence, kind)) == words(sequence)


@pytest.mark.parametrize("kind", WRITERS)
def test_other_texts_are_read_as_they_were_written(kind):
    signs = "".join(map(chr, range(33, 0x250)))
    expected = [f"a{signs[i : i + 40]}z" for i in range(0, len(signs), 40)]
    sequence = line(range(60, 60 + len(expected)))
    expected[-1] += "\0\x1b\u2028\ufffe\uffff"
    write_lyrics(sequence, [Syllable(x) for x in expected])
    assert words(again(sequence, kind)) == words(sequence)


def test_mido_reads_syllables_at_their_notes():
    file = mido.MidiFile(
        file=io.BytesIO(midi_bytes(sung("Hal- -lo , é _ ."))), charset="utf-8"
    )
    found, tick = [], 0
    for message in file.tracks[1]:
        tick += message.time
        if message.type == "lyrics":
            found.append((tick / file.ticks_per_beat, message.text))
    assert found == [(0, "Hal"), (1, "lo "), (3, "é "), (5, " ")]


def test_music21_reads_what_is_written():
    text = musicxml(notate(sung("Hal- -le- _ -lu , now _ then")))
    score = music21.converter.parse(text, format="musicxml")
    found = [(x.text, x.syllabic) for n in score.flatten().notes for x in n.lyrics]
    syllables = [x for x in found if x[0]]
    assert syllables == [
        *(("Hal", "begin"), ("le", "middle"), ("lu", "end")),
        *(("now", "single"), ("then", "single")),
    ]


def test_verses_of_mei():
    sequence = sung("Hal- -lo _ . now")
    root = ElementTree.fromstring(mei(notate(sequence)))
    found = [
        (syllable.text, syllable.get("wordpos"), syllable.get("con"))
        for syllable in root.iter("{http://www.music-encoding.org/ns/mei}syl")
    ]
    assert found == [
        *(("Hal", "i", "d"), ("lo", "t", "u"), (None, None, None)),
        ("now", None, None),
    ]


def test_voices_of_one_staff_with_the_same_words_show_them_once():
    sequence = NoteSequence()
    for voice, pitches in enumerate([(72, 74), (67, 67), (60, 59), (48, 43)], 1):
        for i, pitch in enumerate(pitches):
            piece((i / 2, (i + 1) / 2, pitch), into=sequence)
            sequence.notes[-1].voice = voice
    texts = ["a", "b", "a", "b", "a", "b", "c", "d"]
    write_lyrics(sequence, [Syllable(text) for text in texts])
    root = ElementTree.fromstring(mei(notate(sequence)))
    found = [
        (verse.get("n"), verse[0].text)
        for verse in root.iter("{http://www.music-encoding.org/ns/mei}verse")
    ]
    assert found == [
        *(("1", "a"), ("1", "b"), ("1", "a"), ("1", "b"), ("2", "c"), ("2", "d")),
    ]
    (again_,) = read_bytes(musicxml(notate(sequence)).encode(), "musicxml", "x")
    assert sorted(words(again_.sequence).split()) == sorted(texts)


def test_lyrics_are_replaced_and_other_annotations_stay():
    sequence = sung("a b")
    sequence.text_annotations.add(text="C", annotation_type=1)
    write_lyrics(sequence, [None, Syllable("c")])
    assert [x.text for x in sequence.text_annotations] == ["C", "lyric 0 0 single c"]


def test_words_end_where_a_syllable_says_so():
    places = ["middle", "single", "end", "begin", "single", "begin", "begin", "end"]
    sequence = line(range(60, 68))
    write_lyrics(sequence, [Syllable("a", place) for place in places])
    assert words(sequence) == "a- -a a a- -a a- -a- -a"


def test_overlapping_notes_are_not_sung():
    sequence = piece((0, 2, 60), (0, 2, 64), (1, 3, 67), (2, 3, 62))
    la, no = Syllable("la"), None
    write_lyrics(sequence, [la, no, no, EXTENDS])
    assert lyrics_of(sequence) == [la, no, no, la._replace(extends=True)]


def test_lyrics_move_with_their_notes():
    sequence = sung("a b- -c _ d")
    assert words(at_tempo(sequence, 83)) == words(sequence)
    assert words(with_tempo(sequence, 47)) == words(sequence)
    assert words(excerpt(sequence, 0.5, 2.0)) == "b- -c _"
