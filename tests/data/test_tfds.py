"""TFDS datasets as audio datasets: one in NSynth's schema, one with only labels."""

import importlib.util

import numpy as np
import pytest
import tensorflow_datasets as tfds

from zoo.data.audio import tfds as catalogue
from zoo.data.audio.datasets import audio_dataset, build, open_split
from zoo.data.audio.soundfont_notes import FAMILIES, nsynth_features
from zoo.data.corpora.dedup import SPLITS
from zoo.errors import ZooError

RATE = 16_000
F = tfds.features


def written(folder, features, splits):
    """Builds a TFDS dataset whose audio is an array, which needs no TensorFlow."""

    class Theirs(tfds.core.ShardBasedBuilder, skip_registration=True):
        VERSION, name, pkg_dir_path = tfds.core.Version("2.3.3"), "nsynth", folder

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=F.FeaturesDict(features)
            )

        def _shard_iterators_per_split(self, _):
            return {
                split: [lambda some=some: ((str(i), one) for i, one in enumerate(some))]
                for split, some in splits.items()
            }

    builder = Theirs(data_dir=folder, file_format="array_record")
    builder.download_and_prepare()
    return tfds.builder_from_directory(builder.data_dir)


def tone(hz, seconds=4.0):
    return (
        0.5 * np.sin(2 * np.pi * hz * np.arange(round(RATE * seconds)) / RATE)
    ).astype("f4")


@pytest.fixture
def nsynth(tmp_path):
    audio = F.Tensor(shape=(4 * RATE,), dtype=np.float32)
    features = {"id": F.Text(), "audio": audio, **nsynth_features(1006, FAMILIES[:11])}
    note = lambda i: {
        "id": f"bass_{i}",
        "audio": tone(110 * (i + 1)) if i else np.zeros(4 * RATE, "f4"),
        "pitch": 45 + i,
        "velocity": 100,
        "instrument": {"label": 600 + i, "family": i % 11, "source": 1},
        "qualities": {name: name == "bright" for name in features["qualities"]},
    }
    splits = {"train": range(5), "valid": range(5, 7), "test": range(7, 9)}
    return written(
        tmp_path, features, {k: [note(i) for i in v] for k, v in splits.items()}
    )


def test_notes_of_nsynth_keep_their_annotations(nsynth, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "fetch_builder", lambda *of: nsynth)
    of = audio_dataset("tfds:nsynth", 8000)
    report = build(of, tmp_path / "data")
    assert report.splits == {"train": 4, "validation": 2, "test": 2}
    assert report.reasons.counts == {"silent": 1}
    monkeypatch.delattr(
        catalogue, "fetch_builder"
    )  # a built dataset is read without it
    for split, first in (("train", 1), ("validation", 5), ("test", 7)):
        for i, one in enumerate(
            open_split(audio_dataset("tfds:nsynth", 8000), split, tmp_path / "data")
        ):
            assert (one.id, one.label) == (f"bass_{first + i}", FAMILIES[first + i])
            assert one.features["pitch"] == 46 + first - 1 + i
            assert one.features["instrument"] == {
                "label": 600 + first + i,
                "family": first + i,
            } | {"source": 1}
            assert one.features["qualities"]["bright"]
            assert not one.features["qualities"]["dark"]
            assert one.audio.shape == (32_000,)
            at = np.abs(np.fft.rfft(one.audio)).argmax() / 4
            assert at == 110 * (first + i + 1)


def test_missing_splits_are_assigned_and_long_audio_is_divided(tmp_path, monkeypatch):
    features = {
        "audio": F.Tensor(shape=(None,), dtype=np.int64),
        "genre": F.ClassLabel(names=["blues", "metal"]),
    }
    songs = [
        {"audio": (tone(50 + i, 2.5) * 32767).astype("i8"), "genre": i % 2}
        for i in range(9)
    ]
    theirs = written(tmp_path, features, {"train": songs})
    monkeypatch.setattr(catalogue, "fetch_builder", lambda *of: theirs)
    of = audio_dataset("tfds:gtzan", RATE, 1.0)
    report = build(of, tmp_path / "data")
    assert report.styles == {"blues": 15, "metal": 12}
    found = {split: [*open_split(of, split, tmp_path / "data")] for split in SPLITS}
    assert {k: len(v) for k, v in found.items()} == report.splits
    songs = {k: {one.id.partition("#")[0] for one in v} for k, v in found.items()}
    assert sum(map(len, songs.values())) == 9
    assert len({one.id for some in found.values() for one in some}) == 27
    last = next(one for one in found["train"] if one.id.endswith("#2"))
    assert last.audio[: RATE // 2].any()
    assert not last.audio[RATE // 2 :].any()


def test_the_error_without_tensorflow_names_alternatives(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match=r"tfds-catalog.*\$ZOO_DATA"):
        audio_dataset("tfds:nsynth").builder  # noqa: B018
