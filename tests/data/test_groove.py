"""The Groove MIDI Dataset, with the styles and splits of its own table."""

import contextlib
import importlib.util
import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tunes
from note_seq import midi_io

from zoo.data.codecs import Drums
from zoo.data.corpora import groove
from zoo.data.corpora.build import build, open_split
from zoo.data.corpora.dedup import assign, sketch
from zoo.data.corpora.registry import corpus
from zoo.data.scores.read import read_bytes
from zoo.errors import ZooError

SPLITS = ("train", "validation", "test", "train", "train", "test")


def beat(seed: int) -> bytes:
    """Returns a MIDI file of two bars of drums."""
    tokens = np.random.default_rng(seed).integers(1, 8, 32).astype(np.int32)
    file = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(Drums(bars=2).decode(tokens)).write(file)
    return file.getvalue()


def examples():
    """Yields examples in the schema of TFDS (groove/full-midionly, 2.0.1)."""
    names = ["afrobeat", "funk", "rock"]
    text = tfds.features.Text()
    style = {"primary": tfds.features.ClassLabel(names=names), "secondary": text}
    features = tfds.features.FeaturesDict({"id": text, "style": style, "midi": text})
    for i, split in enumerate(SPLITS):
        labels = {"primary": 1 + i % 2, "secondary": b"groove"}
        name = f"drummer{i % 2}/session1/{i}".encode()
        yield split, {"id": name, "style": labels, "midi": beat(i)}, features


@pytest.fixture
def unpacked(tmp_path):
    groove.write_archive(examples(), tmp_path / "groove")
    return tmp_path / "groove"


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
    """A dataset that is already downloaded needs neither TensorFlow nor a network."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    report = build("groove", workers=1)
    assert report.splits == {"train": 3, "validation": 1, "test": 2}
    assert report.licences == {"groove": groove.LICENCE}
    found = open_split("groove", "test")
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
    (tmp_path / groove.INFO).write_text(f"{head}duration,split\n{row}27.8,test\n")
    assert groove.read_info(tmp_path) == {"drummer1/s/1.mid": ("funk", "test")}
    (tmp_path / groove.INFO).write_text("name,year\nsomething else,1999\n")
    assert groove.read_info(tmp_path) == {}


def test_an_interrupted_download_leaves_no_folder(tmp_path):
    def interrupted():
        yield from list(examples())[:2]
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        groove.write_archive(interrupted(), tmp_path / "groove")
    assert not (tmp_path / "groove").exists()
    groove.write_archive(examples(), tmp_path / "groove")
    assert len(groove.read_info(tmp_path / "groove")) == len(SPLITS)


def test_the_error_without_tensorflow_names_alternatives(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "tensorflow" else find(name),
    )
    with pytest.raises(
        ZooError, match=r"pip install 'music-zoo\[tfds-catalog\]', or unpack"
    ):
        groove.dataset_folder(tmp_path)


def test_a_preassigned_split_is_kept_and_variants_follow_it():
    (piece,) = read_bytes(tunes.abc(tunes.melody(3)).encode(), "abc", "a.abc")
    sketches = [sketch(piece.sequence)] * 3
    assert assign(["a", "b", "c"], sketches, ["", "test", ""]) == ["test"] * 3
    assert assign(["a", "b", "c"], sketches, ["train", "test", ""])[:2] == [
        "train",
        "test",
    ]
