"""Sung lines: rows written by hand, and songs that come back as they were encoded."""

import numpy as np
import pytest

from zoo.data.codecs.sung import Sung
from zoo.data.lyrics import Syllable, lyrics_of, write_lyrics
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.data.scores.read import read_bytes
from zoo.data.text.inventory import PHONEMES

SONG = """X:1
M:4/4
L:1/4
K:C
C C G G|A/B/ A G2|z F (3EEE|D4|
w: Twin-kle, twin-kle lit-_tle star. How I won-der what
"""


def song() -> NoteSequence:
    (piece,) = read_bytes(SONG.encode(), "abc", "a.abc")
    assert piece.sequence is not None
    return piece.sequence


def named(rows):
    """Rows as words: phoneme, pitch, steps, `~` if slurred, `-` or `/` at edges."""
    found = []
    for phoneme, pitch, duration, slur, edge in rows.tolist():
        name = "." if phoneme == 1 else PHONEMES[phoneme - 2]
        head = ("", "", "-", "/")[edge]
        found.append(f"{head}{name}{'~' * (slur == 2)}:{pitch - 1}:{duration}")
    return " ".join(found)


def test_rows_by_hand():
    rows = Sung().encode(song())
    assert rows.dtype == np.int32
    assert not rows[-1].any()
    assert named(rows[:-1]) == (
        "/T:60:12 W:60:12 IH1:60:12 NG:60:12 -K:60:12 AH0:60:12 L:60:12 "
        "/T:67:12 W:67:12 IH1:67:12 NG:67:12 -K:67:12 AH0:67:12 L:67:12 "
        "/L:69:6 IH1:69:6 IH1~:71:6 -T:69:12 AH0:69:12 L:69:12 "
        "/S:67:24 T:67:24 AA1:67:24 R:67:24 .:0:12 "
        "/HH:65:12 AW1:65:12 /AY1:64:8 /W:64:8 AH1:64:8 N:64:8 -D:64:8 ER0:64:8 "
        "/W:62:48 AH1:62:48 T:62:48"
    )


def test_what_is_decoded_is_encoded():
    codec = Sung()
    rows = codec.encode(song())
    again = codec.decode(rows, qpm=90)
    np.testing.assert_array_equal(codec.encode(again), rows)
    syllables = lyrics_of(again)
    assert syllables[0] == Syllable("{T W IH1 NG}", "begin")
    assert syllables[5].extends
    key = lambda x: (x.pitch, round(x.start_time * 1.5, 6))
    assert [key(x) for x in again.notes] == [
        (x.pitch, round(x.start_time * 2, 6)) for x in song().notes
    ]


def test_consonants_and_melismas_without_a_vowel_are_kept():
    codec = Sung()
    rows = np.array(
        [[40 + 2, 61, 5, 1, 3], [3, 62, 7, 2, 1], [1, 1, 9, 1, 1], [3, 63, 2, 1, 2]]
    )
    normal = codec.encode(codec.decode(rows))
    np.testing.assert_array_equal(codec.encode(codec.decode(normal)), normal)


def test_long_notes_are_cut_and_long_rests_divided():
    piece = NoteSequence()
    for pitch, start, end in ((60, 0, 10), (62, 20, 21)):  # 2 quarters a second
        piece.notes.add(pitch=pitch, start_time=start, end_time=end, velocity=90)
    write_lyrics(piece, [Syllable("ah"), Syllable("oh")])
    array, remarks = Sung(max_duration=100).fit(piece)
    assert named(array[:-1]) == (
        "/AA1:60:100 .:0:100 .:0:100 .:0:100 .:0:80 /OW1:62:24"
    )
    assert "cut: 1 long notes" in remarks


def test_notes_without_words_are_left_out_or_refused():
    piece = song()
    piece.notes.add(pitch=50, start_time=0, end_time=1, instrument=3, velocity=90)
    assert "unsung: 1 notes without words left out" in Sung().fit(piece).remarks
    del piece.text_annotations[:]
    with pytest.raises(Refused, match="notes but no words") as refused:
        Sung().encode(piece)
    assert refused.value.reason == "words"
