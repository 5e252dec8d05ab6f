"""Words laid on notes, against settings written by hand."""

import numpy as np
import pytest

from zoo.data.lyrics import Syllable, lyrics_of, write_lyrics
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.read import read_bytes
from zoo.data.text.lyric_words import laid_syllables
from zoo.data.text.underlay import beginnings, lay, phrases_of


def melody(notes, qpm=60.0):
    """Notes as (pitch, quarters), pitch None for a rest, one after another."""
    piece, at = NoteSequence(), 0.0
    piece.tempos.add(qpm=qpm)
    for pitch, length in notes:
        if pitch is not None:
            piece.notes.add(pitch=pitch, start_time=at, end_time=at + length)
        at += length
    piece.total_time = at
    return piece


def shown(piece):
    """The lyrics with `-` within words and `_` for melismas."""
    found = []
    for syllable in lyrics_of(piece):
        if syllable is None:
            found.append("*")
        elif syllable.extends:
            found.append("_")
        else:
            found.append(syllable.text + ("-" if syllable.joined else ""))
    return " ".join(found)


TWINKLE = melody([(60, 1)] * 6 + [(67, 2)] + [(None, 1)] + [(65, 1)] * 6 + [(60, 2)])
VERSE = "Twinkle, twinkle, little star,\nHow I wonder what you are!"


def test_a_syllable_a_note_and_a_line_a_phrase():
    laid = lay(TWINKLE, VERSE)
    assert shown(laid.sequence) == (
        "Twin- kle twin- kle lit- tle star How I won- der what you are"
    )
    assert laid.remarks == ()
    assert not TWINKLE.text_annotations  # the piece itself is as it was


def test_short_notes_extend_syllables_and_the_text_is_repeated():
    piece = melody(
        [(60, 1), (62, 0.5), (64, 0.5), (60, 2), (None, 1), (62, 1), (60, 2)]
    )
    laid = lay(piece, "sing a song")
    assert shown(laid.sequence) == "sing a _ song sing a"
    assert [x.partition(":")[0] for x in laid.remarks] == ["repeated"]


def test_words_are_divided_only_where_they_must():
    piece = melody([(60, 1)] * 3 + [(None, 1)] + [(62, 1)] * 3)
    assert shown(lay(piece, "go tomorrow now").sequence) == "go _ _ to- mor- row"
    few = melody([(60, 1)] * 2 + [(None, 1)] + [(62, 1)] * 2)
    assert shown(lay(few, "tomorrow now").sequence) == "to- mor- row now"


def test_notes_that_begin_syllables():
    """By hand: eighths off the beat go first, then on it, then quarters."""
    at = np.array([[0, 1], [1, 1.5], [1.5, 2], [2, 3], [3, 3.5], [3.5, 4]])
    assert beginnings(at, 6) == [True] * 6
    assert beginnings(at, 5).count(False) == 1
    assert beginnings(at, 4) == [True, True, False, True, True, False]
    assert beginnings(at, 2) == [True, False, False, True, False, False]
    assert beginnings(at, 1) == [True] + [False] * 5


def test_long_phrases_are_divided_after_long_notes():
    piece = melody([(60, 1)] * 9 + [(60, 3)] + [(62, 1)] * 12)
    assert [len(x) for x in phrases_of(piece, range(22))] == [10, 12]


def test_what_is_laid_is_read():
    laid = laid_syllables(lay(TWINKLE, VERSE).sequence)
    assert [" ".join(x.spoken.phonemes) for x in laid[:3]] == [
        "T W IH1 NG",
        "K AH0 L",
        "T W IH1 NG",
    ]
    assert [x.notes for x in laid] == [(i,) for i in range(14)]


def test_lyrics_of_abc_are_read_with_melismas_and_elisions():
    text = (
        "X:1\nL:1/4\nM:4/4\nK:C\nC D E F|G A B c|\nw: Heaven a-_ bove ev-er-y thing\n"
    )
    (piece,) = read_bytes(text.encode(), "abc", "a.abc")
    laid = laid_syllables(piece.sequence)
    assert [(" ".join(x.spoken.phonemes), len(x.notes)) for x in laid] == [
        ("HH EH1 V AH0 N", 1),
        ("AH0", 2),
        ("B AH1 V", 1),
        ("EH1", 1),
        ("V ER0", 1),
        ("IY0", 1),
        ("TH IH1 NG", 1),
    ]


def test_phonemes_in_braces_are_themselves():
    piece = melody([(60, 1)] * 2)
    write_lyrics(piece, [Syllable("{L AA1}", "begin"), Syllable("{L UW0}", "end")])
    laid = laid_syllables(piece)
    assert [x.spoken.phonemes for x in laid] == [("L", "AA1"), ("L", "UW0")]


def test_music_without_notes_or_words_is_refused():
    with pytest.raises(Refused, match="no notes to lay words on"):
        lay(NoteSequence(), VERSE)
    with pytest.raises(Refused, match="notes but no words"):
        laid_syllables(TWINKLE)
