"""Engraving: pictures, the times of chords, and a process that may end."""

import io
import pathlib
import re
import sys
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from pieces import line, metre, piece

from zoo.data.bars import mark_model
from zoo.data.proto import NoteSequence
from zoo.data.refusal import Refused
from zoo.errors import ZooError
from zoo.listen.score import engraver
from zoo.listen.score.engraver import engrave, run_guarded
from zoo.listen.score.inline import inline


def duet():
    sequence = metre(line([67, 72, 74, 76, 77]), (0, 1, 4), (0.5, 3, 4))
    sequence.sequence_metadata.title = "A <duet> & more"
    mark_model(sequence, 1.0)
    return piece((0.5, 2.5, 48), instrument=1, into=sequence)


@pytest.fixture(scope="module")
def engraving():
    return engrave(duet())


def test_the_png_shows_two_staves(engraving):
    image = matplotlib.image.imread(io.BytesIO(engraving.png))[..., :3]
    long_rows = (image.mean(-1) < 0.9).mean(1) > 0.2
    assert int((np.diff(long_rows.astype(int)) == 1).sum()) == 10
    assert image.shape[1] > 1000


def test_chords_are_in_the_svg_with_their_times(engraving):
    ids = [time.id for time in engraving.times]
    assert len(ids) == len(duet().notes) + 1  # one is tied over a bar line
    assert all(f'id="{x}"' in engraving.svg for x in ids)
    assert (engraving.bars, engraving.total) == (3, 3)
    first, second, *_ = engraving.times
    assert (first.start, first.end) == (0.0, 0.5)
    assert (second.start, second.end) == (0.5, 1.0)


def test_times_follow_the_tempo():
    sequence = line([60, 62, 64, 65])
    sequence.tempos.add(qpm=120)
    sequence.tempos.add(time=1.0, qpm=60)
    sequence.notes[2].end_time, sequence.notes[3].start_time = 2.0, 2.0
    sequence.notes[3].end_time = 3.0
    times = [(x.start, x.end) for x in engrave(sequence, png=False).times]
    assert times == [(0, 0.5), (0.5, 1), (1, 2), (2, 3)]


def test_texts_are_escaped_and_the_model_is_marked(engraving):
    texts = "".join(ElementTree.fromstring(engraving.svg).itertext())
    assert "A <duet> & more" in texts
    assert "model" in texts
    assert "<duet>" not in engraving.svg
    untitled = engrave(duet(), title=False, png=False)
    assert "duet" not in untitled.svg
    assert untitled.png == b""


def test_inline_scores_have_ids_of_their_own_and_no_style(engraving):
    text = inline(engraving, "track-7-")
    assert len(text) < 0.8 * len(engraving.svg)
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert all(x.startswith("track-7-") for x in ids)
    used = set(re.findall(r' href="#([^"]*)"', text))
    assert used <= set(ids)
    assert {f"track-7-{time.id}" for time in engraving.times} <= set(ids)
    assert "style" not in text
    assert "placeholder" not in text
    ElementTree.fromstring(text)


def test_a_long_piece_is_cut_to_a_picture_that_can_be_opened():
    tune = line([60 + i % 12 for i in range(64)])
    whole, part = (engrave(tune, bars) for bars in (100, 8))
    assert (whole.bars, whole.total) == (16, 16)
    assert (part.bars, part.total) == (8, 16)
    heights = [
        matplotlib.image.imread(io.BytesIO(x.png)).shape[0] for x in (part, whole)
    ]
    assert heights == sorted(set(heights))


def test_irregular_music_can_be_engraved():
    sequence = piece(
        (0.013, 0.02, 0), (0.5, 0.5, 127), (0.7, 9.1, 64), (0.71, 0.9, 65), (1, 3, 61)
    )
    metre(sequence, (0, 7, 16), (1.0, 5, 4), (1.3, 3, 8))
    piece((2, 3, 40), drum=True, instrument=9, into=sequence)
    assert engrave(sequence).png


def test_a_piece_without_notes_is_refused():
    with pytest.raises(ZooError, match="no notes to plot"):
        engrave(NoteSequence())


@pytest.mark.parametrize(
    ("program", "reason", "says"),
    [
        ("import time; time.sleep(60)", "timeout", "over 1 seconds"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crash", "SIGSEGV"),
        ("raise SystemExit(3)", "crash", "exit code 3"),
        ('print(\'{"error": "no clef"}\')', "engraving", "no clef"),
    ],
)
def test_a_process_that_ends_refuses_the_score(
    program, reason, says, tmp_path, monkeypatch
):
    path = tmp_path / "program.py"
    path.write_text(program)
    monkeypatch.setattr(engraver, "PROGRAM", path)
    with pytest.raises(Refused, match=says) as refused:
        run_guarded({"mei": "", "width": 100, "png": False}, limit=1.0)
    assert refused.value.reason == reason


def test_no_process_can_be_started(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(ZooError, match="No process can be started"):
        engrave(duet())


def test_what_verovio_cannot_read_is_refused():
    with pytest.raises(Refused, match="cannot"):
        run_guarded({"mei": "no XML", "width": 100, "png": False})
    assert pathlib.Path(engraver.PROGRAM).is_file()
