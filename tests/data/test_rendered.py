"""Rendered corpora: splits of the scores, and notes aligned with the audio."""

import numpy as np
import pytest
import tunes

from zoo.data.audio.datasets import audio_dataset, build, open_split
from zoo.data.audio.rendered import RenderedCorpus, notes_between
from zoo.data.corpora.build import build as build_scores
from zoo.data.proto import NoteSequence
from zoo.errors import UsageError, ZooError

RATE, SECONDS = 8000, 2.0


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    of = f"folder:{tunes.folder(tmp_path_factory.mktemp('scores') / 'songs', 9)}"
    rendered = audio_dataset(f"rendered:{of}", RATE, SECONDS)
    return of, rendered, build(rendered, root), root


def test_splits_are_those_of_the_scores(built):
    of, rendered, report, root = built
    scores = build_scores(of, root)
    assert report.kept == scores.kept
    for split, count in scores.splits.items():
        excerpts = open_split(rendered, split, root)
        assert len(excerpts) == report.splits[split]
        pieces = {one.id.partition("#")[0] for one in excerpts}
        assert len(pieces) == count
        assert {one.label for one in excerpts} <= {"reels", "jigs"}
        assert all(one.audio.shape == (RATE * SECONDS,) for one in excerpts)


def test_audio_has_the_pitches_of_the_notes(built):
    """The strongest partial of a single note is a harmonic of its pitch."""
    _, rendered, _, root = built
    matches = 0
    for one in list(open_split(rendered, "train", root))[:12]:
        notes = NoteSequence.FromString(one.features["notes"]).notes
        assert all(0 <= note.start_time < note.end_time <= SECONDS for note in notes)
        for note in notes:
            if note.end_time - note.start_time < 0.2:
                continue
            begin, end = (
                round(t * RATE) for t in (note.start_time + 0.05, note.end_time)
            )
            part = one.audio[begin:end] * np.hanning(end - begin)
            hz = np.abs(np.fft.rfft(part, 1 << 16)).argmax() * RATE / (1 << 16)
            partial = hz / (440 * 2 ** ((note.pitch - 69) / 12))
            matches += abs(partial - round(partial)) < 0.03 * partial and partial > 0.9
            matches -= not (
                abs(partial - round(partial)) < 0.03 * partial and partial > 0.9
            )
    assert matches > 30


def test_a_note_across_excerpts_is_in_both():
    whole = tunes.sequence([(60, 1.5), (62, 1.0)])
    first, second = notes_between(whole, 0.0, 2.0), notes_between(whole, 2.0, 4.0)
    spans = lambda part: [(n.pitch, n.start_time, n.end_time) for n in part.notes]
    assert spans(first) == [(60, 0.0, 1.5), (62, 1.5, 2.0)]
    assert spans(second) == [(62, 0.0, 0.5)]
    assert not notes_between(whole, 2.5, 4.0).notes


def test_errors_of_invalid_requests(tmp_path):
    with pytest.raises(UsageError, match="`seconds` is 0"):
        RenderedCorpus("tunes", seconds=0)
    with pytest.raises(UsageError, match="no corpus"):
        audio_dataset("rendered:nothing").home(tmp_path)
    silent = tmp_path / "silent"
    silent.mkdir()
    (silent / "one.mid").write_bytes(b"MThd and no more")
    with pytest.raises(ZooError, match="could be kept"):
        build(audio_dataset(f"rendered:folder:{silent}"), tmp_path / "data")
