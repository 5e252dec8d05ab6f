"""`zoo play`, and the options of tempo, instrument and format."""

import pathlib

import mido
import pytest
from commands import command

TUNES = """X:1
T:One [red]
M:6/8
L:1/8
Q:3/8=80
K:D
A|def gfe|dAF D2|]

X:2
T:Two
M:4/4
L:1/8
K:G
G2 B2 {c}d4|G8|]

X:3
T:Broken
M:4/4
K:H
GGGG|]
"""


@pytest.fixture
def book(tmp_path) -> pathlib.Path:
    path = tmp_path / "book.abc"
    path.write_text(TUNES)
    return path


def test_files_are_rendered_to_a_page(book, tmp_path, monkeypatch, capsys):
    out = tmp_path / "played"
    words = f"play {book} --out {out} --tempo 60 --instrument flute --format mid,wav"
    assert command(words, monkeypatch) == 0
    assert {p.name for p in out.iterdir()} == {
        *("01.mid", "01.wav", "02.mid", "02.wav", "index.html")
    }
    said = capsys.readouterr().out
    assert "2 pieces in" in said
    assert "1 grace notes" in said
    page = (out / "index.html").read_text()
    assert "One [red]" in page
    assert "<h2" in page
    assert "Samples of the model" not in page
    midi = mido.MidiFile(out / "01.mid")
    messages = [message for track in midi.tracks for message in track]
    tempos = [mido.tempo2bpm(m.tempo) for m in messages if m.type == "set_tempo"]
    assert tempos[0] == pytest.approx(60, abs=0.01)
    assert {m.program for m in messages if m.type == "program_change"} == {73}


def test_a_metre_in_place_of_what_is_stated(book, tmp_path, monkeypatch):
    words = f"play {book} --n 1 --metre 3/4 --out {tmp_path / 'out'} --format abc"
    assert command(words, monkeypatch) == 0
    assert "M:3/4" in (tmp_path / "out" / "01.abc").read_text().splitlines()


def test_the_first_pieces_of_a_book(book, tmp_path, monkeypatch, capsys):
    words = f"play {book} --n 1 --out {tmp_path / 'out'} --format abc"
    assert command(words, monkeypatch) == 0
    assert "1 pieces (the first of 2)" in capsys.readouterr().out
    assert (tmp_path / "out" / "01.abc").read_text().splitlines()[1] == "T:One [red]"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("play", "no file was named"),
        ("play none.mid", "no piece to play (none.mid)"),
        ("play BOOK --n 0", "--n is 0: choose a whole number"),
        ("play BOOK --tempo 0", "--tempo is 0: choose a number from 10"),
        ("play BOOK --tempo nan", "--tempo is nan"),
        ("play BOOK --instrument kazoo", "no instrument called 'kazoo'"),
        ("play BOOK --format pdf", "no format called 'pdf': choose from mid, wav"),
        ("sample tunes_lstm --format mid,mp4", "no format called 'mp4'"),
        ("sample tunes_lstm --tempo -3", "--tempo is -3"),
        ("vary nowhere book.abc --instrument 200", "no instrument called '200'"),
    ],
)
def test_an_error_is_one_sentence(book, words, says, monkeypatch, capsys):
    monkeypatch.chdir(book.parent)
    assert command(words.replace("BOOK", str(book)), monkeypatch) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
