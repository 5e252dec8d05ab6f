"""The page is a single file of bounded size, and escapes its texts."""

import base64
import html
import re

import pytest
from note_seq import midi_io
from pieces import line, metre, piece

from zoo.data.bars import mark_model
from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.gallery import caption
from zoo.listen.page import MAX_BYTES, Section, Track, write_page
from zoo.soundfont.score import TAIL

MARKUP = "</script><b>\"' & {{intro}} $1 \\1"


def write(path, tracks):
    write_page([Section("Tunes", tracks)], path, title="A", intro="B")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    tune = metre(line([67, 60, 62, 64, 65, 67, 69]), (0, 1, 4), (0.5, 3, 4))
    tracks = [Track(MARKUP, tune, caption=MARKUP), Track("Plain", line([60, 64, 67]))]
    real = Section("Real", [Track("Real", piece((0, 1, 72)))], real=True)
    write_page([Section("Tunes", tracks), real], path, title=MARKUP, intro=MARKUP)
    return path.read_text("utf-8")


def test_names_are_escaped(text):
    assert (
        text.count(html.escape(MARKUP)) == 7
    )  # title twice, intro, name thrice, caption
    assert "<b>" not in text
    assert text.count("</script>") == 1


def test_the_page_loads_nothing(text):
    assert not re.search(
        r"https?:|//\w|@import|url\(", re.sub(r"base64,[\w+/=]+", "", text)
    )
    addresses = re.findall(r'(?:src|href)="([^"]{0,40})', text)
    assert len(addresses) == 6
    assert all(
        re.match("data:audio/(mpeg|ogg|midi);base64,", address) for address in addresses
    )
    assert "default-src 'none'" in text
    assert "unsafe" not in text


def test_midi_reads_back(text):
    files = re.findall(r'href="data:audio/midi;base64,([^"]+)"', text)
    read = [midi_io.midi_to_note_sequence(base64.b64decode(file)) for file in files]
    assert [len(sequence.notes) for sequence in read] == [7, 3, 1]
    assert 'download="Plain.mid"' in text


def test_every_note_is_in_a_roll(text):
    assert text.count("<rect ") == 7 + 3 + 1


def test_without_real_music_there_is_no_second_column(tmp_path):
    write(tmp_path / "a.html", [Track("One", line([60]))])
    assert 'class="real"' not in (tmp_path / "a.html").read_text()


def test_a_track_without_notes(tmp_path):
    with pytest.raises(ZooError, match="no note to play"):
        write(tmp_path / "a.html", [Track("One", NoteSequence())])


def tracks(seconds):
    pitches = [60 + 7 * i % 24 for i in range(round(10 / seconds))]
    return [Track(str(p), line(pitches, seconds=seconds, program=p)) for p in (0, 40)]


def test_eight_samples_and_four_excerpts_are_below_the_limit(tmp_path):
    write(tmp_path / "a.html", tracks(seconds=0.25))
    per_second = (tmp_path / "a.html").stat().st_size / (2 * (10 + TAIL))
    assert per_second * 12 * (30 + TAIL) < MAX_BYTES


def test_a_large_page_gets_a_lower_audio_quality(tmp_path, monkeypatch):
    write(tmp_path / "a.html", tracks(seconds=0.125))
    best = (tmp_path / "a.html").stat().st_size
    monkeypatch.setattr("zoo.listen.page.MAX_BYTES", best - 1)
    write(tmp_path / "a.html", tracks(seconds=0.125))
    assert (tmp_path / "a.html").stat().st_size < 0.8 * best
    assert "seconds are played" not in (tmp_path / "a.html").read_text()


def test_of_a_very_large_page_the_beginnings_are_played(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.listen.page.AUDIO", [(0.0, 1, 8000)])
    path = tmp_path / "a.html"
    write(path, tracks(seconds=0.25))
    whole = path.stat().st_size
    monkeypatch.setattr("zoo.listen.page.MAX_BYTES", whole - 1)
    write(path, tracks(seconds=0.25))
    cut = "To keep the page small, only the first 6 seconds are played."
    assert path.read_text().count(cut) == 2
    assert path.stat().st_size < whole


def test_the_page_says_where_the_model_begins(tmp_path):
    """In the second of two bars of a quarter, after a pickup of an eighth."""
    tune = metre(piece((0, 0.25, 60), (0.25, 0.75, 62), (0.75, 1.25, 64)), (0, 1, 8))
    metre(tune, (0.25, 1, 4))
    assert caption(tune) == ""
    mark_model(tune, 0.75)
    assert caption(tune) == "The model begins at 0:00, in bar 2."
    write(tmp_path / "a.html", [Track("A", tune, caption(tune))])
    text = (tmp_path / "a.html").read_text("utf-8")
    assert '<line class="model" x1="60.00%"' in text
    assert caption(tune) in text
