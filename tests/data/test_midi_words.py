"""Lyrics of MIDI files that mido writes."""

import io

import mido
import pytest
from sung import words

from zoo.data.scores.read import Piece, read_bytes

QUARTER = 96


def events(*texts: str | None, kind: str = "lyrics", step: int = QUARTER):
    """Returns a track with a text on each quarter that has one."""
    track, last = mido.MidiTrack(), 0
    for i, text in enumerate(texts):
        if text is not None:
            time = i * step - last
            track.append(mido.MetaMessage(kind, text=text, time=time))
            last = i * step
    return track


def notes(*lengths: int | None, pitch: int = 60, channel: int = 0) -> mido.MidiTrack:
    """Returns a track of notes, each on a quarter; None is a rest."""
    track, wait = mido.MidiTrack(), 0
    for i, length in enumerate(lengths):
        if length is None:
            wait += QUARTER
            continue
        common = {"note": pitch + i % 12, "channel": channel}
        track.append(mido.Message("note_on", velocity=80, time=wait, **common))
        track.append(mido.Message("note_off", velocity=0, time=length, **common))
        wait = QUARTER - length
    return track


def read(*tracks: mido.MidiTrack, kind: int = 1, charset: str = "utf-8") -> Piece:
    file = mido.MidiFile(type=kind, ticks_per_beat=QUARTER, charset=charset)
    file.tracks += tracks
    buffer = io.BytesIO()
    file.save(file=buffer)
    (piece,) = read_bytes(buffer.getvalue(), "midi", "x")
    assert piece.sequence is not None, piece.refused
    return piece


def with_words(track: mido.MidiTrack, *texts: str | None) -> mido.MidiTrack:
    return mido.merge_tracks([events(*texts), track])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Hal", "le", "lu", "jah ", "now "], "Hal- -le- -lu- -jah now"),
        (["Hal-", "le-", "lu-", "jah", "now"], "Hal- -le- -lu- -jah now"),
        (["Hal-", "le-", "lu-", "jah ", "now "], "Hal- -le- -lu- -jah now"),
        (["\\Hal", "lo", " you", "/and", " me"], "Hal- -lo you and me"),
        (["one\r", "two\n", "three ", "fo", "ur "], "one two three fo- -ur"),
        (["la ", None, "di ", None, None], "la _ di _ _"),
        (["la ", None, " ", None, "di "], "la _ . . di"),
        ([None, "la ", "_", "-", "di "], ". la _ _ di"),
        (["{@LATIN}la ", "{#Title=x}di ", "\x00da \x00", "a\tb ", "c"],
         "la di da a b c"),
        (["一", "二", "三", "שלום", "é"], "一 二 三 שלום é"),
    ],
)  # fmt: skip
def test_conventions(texts, expected):
    got = read(with_words(notes(*[QUARTER] * 5), *texts))
    assert words(got.sequence) == expected


def test_line_breaks_of_their_own_are_no_syllables():
    track = notes(*[QUARTER] * 3)
    breaks = events(None, "\r", None, step=QUARTER)
    got = read(mido.merge_tracks([breaks, with_words(track, "one", "two", "three ")]))
    assert words(got.sequence) == "one two- -three"


def test_a_rest_ends_a_melisma():
    got = read(with_words(notes(96, 96, None, 96, 96), "la ", None, None, None, "di "))
    assert words(got.sequence) == "la _ . di"


def test_other_bytes_are_latin_1():
    got = read(with_words(notes(96, 96), "schön ", "été "), charset="latin-1")
    assert words(got.sequence) == "schön été"


def test_a_karaoke_file_has_texts_in_a_track_of_their_own():
    words_track = events("@LENGL", "\\Hal", "lo", " you", kind="text")
    head = mido.MidiTrack([mido.MetaMessage("text", text="@KMIDI KARAOKE FILE")])
    melody = notes(None, 90, 90, 90, channel=3)
    piano = notes(*[40] * 9, pitch=40)
    drums = notes(None, 90, 90, 90, channel=9)
    got = read(head, words_track, piano, drums, melody)
    assert words(got.sequence) == ". " * 12 + "Hal- -lo you"


def test_one_track_of_several_channels():
    parts = [notes(*[40] * 8, channel=1), notes(None, 90, 90, channel=2)]
    track = mido.merge_tracks([events(None, "a ", "b "), *parts])
    texts = [x.text for x in read(track, kind=0).sequence.text_annotations]
    lines = [x.split()[1] for x in texts]
    assert len(lines) == 2
    assert len({*lines}) == 1
    notes_of = read(track, kind=0).sequence.notes
    assert sum(x.instrument == int(lines[0]) for x in notes_of) == 2


def test_a_syllable_lies_near_its_note():
    track = mido.merge_tracks([events(None, "a ", "b ", step=QUARTER + 9),
                               notes(*[90] * 4)])  # fmt: skip
    assert words(read(track).sequence) == ". a b _"


@pytest.mark.parametrize(
    ("texts", "expected", "without"),
    [
        (["a ", "b ", "c ", None, "d "], "a b", 2),
        (["\x07", "\x00\x01"], ". .", 0),
        (["", ""], ". .", 0),
        (["@", "-"], "@ _", 0),
    ],
)
def test_bad_words(texts, expected, without):
    got = read(with_words(notes(96, 96), *texts))
    assert words(got.sequence) == expected
    assert got.remarks.get("syllables-without-note", 0) == without


def test_texts_of_other_files_are_no_lyrics():
    track = mido.merge_tracks([events("a ", "b ", kind="text"), notes(96, 96)])
    assert not read(track).sequence.text_annotations


def test_ten_thousand_syllables():
    track = with_words(notes(*[QUARTER] * 10_000), *["la "] * 11_000)
    got = read(track)
    assert words(got.sequence) == " ".join(["la"] * 10_000)
    assert got.remarks["syllables-without-note"] == 1000


def test_notes_do_not_depend_on_words():
    track = notes(96, 40, None, 96)
    sung = read(with_words(track, "a ", None, "b ", "c")).sequence
    assert list(sung.notes) == list(read(track).sequence.notes)
