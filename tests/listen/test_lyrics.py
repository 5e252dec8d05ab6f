"""Lyrics that are written and read again, and what other readers find."""

import pytest
from pieces import piece
from sung import words

from zoo.data.lyrics import HELD, Syllable, write_lyrics
from zoo.data.proto import NoteSequence
from zoo.data.scores.read import read_bytes
from zoo.listen.score.abc_notation import abc
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
        lyrics.append({".": None, "_": HELD}.get(word, syllable))
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
