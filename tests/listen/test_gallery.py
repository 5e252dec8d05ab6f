"""The files of a gallery, in every format, and the size of its page."""

import re

import numpy as np
import pytest
import soundfile
from pieces import line, metre, piece

from zoo.data.bars import mark_model
from zoo.data.refusal import Refused
from zoo.data.scores.read import read
from zoo.errors import UsageError
from zoo.listen import gallery
from zoo.listen.files import FORMATS
from zoo.listen.gallery import write_gallery
from zoo.listen.loudness import TARGET, loudness
from zoo.listen.page import MAX_BYTES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("gallery")
    tune = metre(line([67, 60, 62, 64, 65]), (0, 1, 4), (0.5, 4, 4))
    mark_model(tune, 1.5)
    loud = line([72, 74, 76], program=40, velocity=30)
    write_gallery([tune, loud], home, title="Two", real=[line([60])], formats=FORMATS)
    return home


def test_every_format_is_written(folder):
    names = {path.name for path in folder.iterdir()}
    plain = {f"0{i}.{kind}" for i in (1, 2) for kind in FORMATS if kind != "svg"}
    scores = {f"0{i}-score.{kind}" for i in (1, 2) for kind in ("svg", "png")}
    assert names == {*plain, *scores, "index.html"}


@pytest.mark.parametrize("kind", ["mid", "musicxml", "abc"])
def test_scores_hold_the_same_notes(folder, kind):
    for name, pitches in (("01", [67, 60, 62, 64, 65]), ("02", [72, 74, 76])):
        (found,) = read(folder / f"{name}.{kind}")
        assert [note.pitch for note in found.sequence.notes] == pitches


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
def test_audio_is_equally_loud(folder, kind):
    levels = []
    for name in ("01", "02"):
        audio, rate = soundfile.read(folder / f"{name}.{kind}")
        levels.append(loudness(audio, rate))
    np.testing.assert_allclose(levels, TARGET, atol=1.0)


def test_the_page_has_a_score_of_every_piece(folder):
    page = (folder / "index.html").read_text()
    assert page.count('class="score"') == 3
    assert page.count("The model begins at 0:01, in bar 1.") == 1
    assert page.count(">model<") >= 2  # in the piano roll and in the score
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_an_unknown_format(tmp_path):
    with pytest.raises(UsageError, match="no format called 'doc'"):
        write_gallery([line([60])], tmp_path, title="A", formats=["doc"])


def test_a_score_that_cannot_be_engraved_is_left_out(tmp_path, monkeypatch, capsys):
    def crash(*_, **__):
        raise Refused("crash", "Engraving the score was ended by SIGSEGV.")

    monkeypatch.setattr(gallery, "engrave", crash)
    drums = piece((0, 0.5, 38), drum=True)
    write_gallery([drums], tmp_path, title="A", formats=["abc", "png"])
    assert {p.name for p in tmp_path.iterdir()} == {"01.png", "index.html"}
    said = capsys.readouterr().err
    assert "01: ABC has no notation of drums" in said
    assert "01: Engraving the score was ended by SIGSEGV." in said


def test_a_long_score_is_cut_so_that_the_page_stays_small(tmp_path, monkeypatch):
    tune = line([60 + i % 12 for i in range(64)], seconds=0.125)
    tune.tempos.add(qpm=480)
    monkeypatch.setattr(gallery, "SCORE_SHARE", 12_000 / MAX_BYTES)
    write_gallery([tune], tmp_path, title="A", formats=["mid"])
    page = (tmp_path / "index.html").read_text()
    shown = re.search(r"The score shows the first (\d+) of 16 bars", page)
    assert shown is not None
    assert 4 <= int(shown[1]) <= 8
    assert len(re.findall(r'<svg aria-hidden="true" viewBox.*?</svg></svg>', page)) == 1
