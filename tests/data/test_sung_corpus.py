"""Sung corpora: excerpts of tunes, and a small corpus that espeak-ng sings."""

import importlib.util

import numpy as np
import pytest
import tunes

from zoo.data.audio.datasets import audio_dataset, build, open_split
from zoo.data.audio.sung import SungCorpus, parse_spec
from zoo.data.lyrics import has_lyrics, lyrics_of
from zoo.data.proto import NoteSequence
from zoo.data.speech.song_excerpts import LEAD, song_excerpts
from zoo.data.terms import licences, public_spec
from zoo.errors import UsageError

RATE, SECONDS = 16_000, 3.0


def test_excerpts_fit_and_have_words():
    tune = tunes.sequence([(60 + i % 5, 0.25) for i in range(40)])
    parts = list(song_excerpts(tune, 4.0, "a"))
    assert sum(len(part.notes) for part in parts) == 40
    for part in parts:
        assert part.notes[0].start_time == LEAD
        assert part.total_time <= 4.0 + 1e-6
        assert part.tempos[0].qpm == pytest.approx(100)  # slower, from 120
        assert all(x is not None for x in lyrics_of(part))
        np.testing.assert_allclose(
            [note.end_time - note.start_time for note in part.notes], 0.3
        )


def test_own_lyrics_are_kept():
    tune = tunes.sequence([(60, 0.5), (62, 0.5), (64, 0.5)])
    tune.text_annotations.add(time=0.5, text="lyric 0 0 single star")
    (part,) = song_excerpts(tune, 4.0, "a")
    assert [x and x.text for x in lyrics_of(part)] == ["star", "star"]
    assert not list(song_excerpts(tunes.sequence([]), 4.0, "a"))


def test_specs():
    assert parse_spec("folder:/a/b/flite/slt") == ("folder:/a/b", "flite/slt")
    with pytest.raises(UsageError, match="sung:tunes/flite/slt"):
        parse_spec("tunes")
    with pytest.raises(UsageError, match="no voice"):
        parse_spec("tunes/flite/nobody")


def test_specs_are_told_without_folders():
    assert public_spec("sung:folder:/a/b/flite/slt") == "sung:folder:b/flite/slt"
    assert public_spec("sung:tunes/flite/slt") == "sung:tunes/flite/slt"
    assert "flite/slt" in licences("sung:tunes/flite/slt")


def test_a_corpus_is_sung(tmp_path):
    pytest.importorskip("pyworld")
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeak-ng is not installed")
    folder = tmp_path / "songs"
    folder.mkdir()
    for seed in range(3):
        tune = tunes.abc(tunes.melody(seed, 12))
        (folder / f"{seed}.abc").write_text(tune)
    spec = f"sung:folder:{folder}/espeak/en-us"
    dataset = audio_dataset(spec, RATE, SECONDS)
    assert isinstance(dataset, SungCorpus)
    report = build(dataset, tmp_path / "data", workers=1)
    assert report.kept.total() == 3
    assert "espeak-ng" in report.licences["espeak/en-us"]
    excerpts = open_split(dataset, "train", tmp_path / "data")
    assert len(excerpts) == report.splits["train"]
    for one in list(excerpts)[:3]:
        assert one.audio.shape == (round(RATE * SECONDS),)
        names = one.features["phonemes"].decode().split()
        ends = np.frombuffer(one.features["ends"], "<i4")
        assert len(names) == len(ends)
        assert ends[-1] == len(one.audio)
        assert (np.diff(ends) >= 0).all()
        notes = NoteSequence.FromString(one.features["notes"])
        assert has_lyrics(notes)
        f0 = np.frombuffer(one.features["f0"], "<f4")
        for note in notes.notes:
            part = f0[round(note.start_time / 0.005) : round(note.end_time / 0.005)]
            if (part > 0).sum() > 10:
                cents = 1200 * np.log2(part[part > 0] / 440) - 100 * (note.pitch - 69)
                assert abs(np.median(cents)) < 50
        silent = [b for a, b in zip(names, ends, strict=True) if a == "-"]
        assert silent
