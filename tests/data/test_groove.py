"""The Groove MIDI Dataset, with the styles and splits of its own table."""

import io

import numpy as np
import pytest
import tunes
from note_seq import midi_io

from zoo.data.codecs import Drums
from zoo.data.corpora.build import build, open_split
from zoo.data.corpora.dedup import assign, sketch
from zoo.data.corpora.layouts import GROOVE_TABLE, groove_table
from zoo.data.corpora.public import COLLECTIONS
from zoo.data.corpora.registry import corpus
from zoo.data.scores.read import read_bytes

SPLITS = ("train", "validation", "test", "train", "train", "test")


def beat(seed: int) -> bytes:
    """Returns a MIDI file of two bars of drums."""
    tokens = np.random.default_rng(seed).integers(1, 8, 32).astype(np.int32)
    file = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(Drums(bars=2).decode(tokens)).write(file)
    return file.getvalue()


@pytest.fixture
def unpacked(tmp_path):
    folder = tmp_path / "groove"
    lines = ["drummer,style,midi_filename,split"]
    for i, split in enumerate(SPLITS):
        name = f"drummer{i % 2}/session1/{i}.mid"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(beat(i))
        lines.append(f"drummer{i % 2},{'rock' if i % 2 else 'funk/1'},{name},{split}")
    (folder / GROOVE_TABLE).write_text("\n".join(lines))
    return folder


def test_styles_and_splits_are_those_of_the_table(unpacked):
    (unpacked / "mine").mkdir()
    (unpacked / "mine" / "more.mid").write_bytes(beat(9))
    (source,) = corpus(f"folder:{unpacked}").sources
    assert {(file.key, file.style, file.split) for file in source.files} == {
        ("drummer0/session1/0.mid", "funk", "train"),
        ("drummer1/session1/1.mid", "rock", "validation"),
        ("drummer0/session1/2.mid", "funk", "test"),
        ("drummer1/session1/3.mid", "rock", "train"),
        ("drummer0/session1/4.mid", "funk", "train"),
        ("drummer1/session1/5.mid", "rock", "test"),
        ("mine/more.mid", "mine", ""),
    }


def test_a_build_has_the_splits_of_the_table(unpacked, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    spec = f"groove:{unpacked}"
    report = build(spec, workers=1)
    assert report.splits == {"train": 3, "validation": 1, "test": 2}
    assert report.licences == {"groove": COLLECTIONS["groove"].remote.licence}
    found = open_split(spec, "test")
    assert {record.id for record in found} == {
        "groove/drummer0/session1/2.mid",
        "groove/drummer1/session1/5.mid",
    }
    assert all(Drums(bars=2).source.fit(record.sequence) for record in found)


def test_the_table_of_the_archive_is_read(tmp_path):
    head = "drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,"
    head += "audio_filename,"
    row = (
        "drummer1,drummer1/s,drummer1/s/1,funk/groove1,138,beat,4-4,drummer1/s/1.mid,,"
    )
    (tmp_path / GROOVE_TABLE).write_text(f"{head}duration,split\n{row}27.8,test\n")
    assert groove_table(tmp_path) == {"drummer1/s/1.mid": ("funk", "test")}
    (tmp_path / GROOVE_TABLE).write_text("name,year\nsomething else,1999\n")
    assert groove_table(tmp_path) == {}


def test_a_preassigned_split_is_kept_and_variants_follow_it():
    (piece,) = read_bytes(tunes.abc(tunes.melody(3)).encode(), "abc", "a.abc")
    sketches = [sketch(piece.sequence)] * 3
    assert assign(["a", "b", "c"], sketches, ["", "test", ""]) == ["test"] * 3
    assert assign(["a", "b", "c"], sketches, ["train", "test", ""])[:2] == [
        "train",
        "test",
    ]
