"""Benchmark files: piano rolls in .mat, chorales in .json, and their errors."""

import json

import numpy as np
import pytest
import scipy.io

from zoo.data.batching.encoded import corpus_pieces, file_codec
from zoo.data.codecs import make
from zoo.data.corpora.benchmark_files import read_splits
from zoo.errors import UsageError, ZooError

SPLITS = ("traindata", "validdata", "testdata")


def mat(path, pieces, keys=SPLITS):
    cell = np.empty((1, len(pieces)), object)
    for i, piece in enumerate(pieces):
        cell[0, i] = piece
    scipy.io.savemat(path, dict.fromkeys(keys, cell))
    return path


def chorales(path, pieces, keys=("train", "valid", "test")):
    path.write_text(json.dumps(dict.fromkeys(keys, pieces)))
    return path


def test_rolls_are_read_unchanged(tmp_path):
    rng = np.random.default_rng(0)
    pieces = [(rng.random((t, 88)) < 0.05).astype(np.float64) for t in (3, 9, 1)]
    splits = read_splits(mat(tmp_path / "a.mat", pieces))
    assert set(splits) == {"train", "validation", "test"}
    for found in splits.values():
        assert found.lengths.tolist() == [3, 9, 1]
        assert found.shape == (88,)
        assert all(np.array_equal(a, b) for a, b in zip(found, pieces, strict=True))


def test_chorales_are_read_as_tokens_of_their_codec(tmp_path):
    piece = [[72, 67, 64, 48], [72, -1, 64, 47]]
    found = read_splits(chorales(tmp_path / "a.json", [piece]))["validation"]
    assert make("voices").pitches(found[0]).tolist() == piece


def test_missing_keys_are_named(tmp_path):
    with pytest.raises(
        UsageError, match=r"keys songs, .*testdata, traindata, validdata is missing"
    ):
        read_splits(mat(tmp_path / "a.mat", [np.zeros((2, 88))], keys=["songs"]))
    with pytest.raises(UsageError, match=r"keys test, train, .*valid is missing"):
        read_splits(chorales(tmp_path / "a.json", [[[60] * 4]], keys=("train", "test")))


@pytest.mark.parametrize(
    "piece",
    [np.zeros((3, 87)), np.full((2, 88), 2), np.full((2, 88), 0.5), np.zeros((0, 88))],
)
def test_an_invalid_piano_roll_is_refused(tmp_path, piece):
    with pytest.raises(ZooError, match=r"a\.mat"):
        read_splits(mat(tmp_path / "a.mat", [piece]))


@pytest.mark.parametrize(
    "piece",
    [[[60, 60, 60]], [[60, 60, 60, 60.5]], [[60] * 4, [60]], [[99] * 4], ["x"], 7, []],
)
def test_an_invalid_chorale_is_refused(tmp_path, piece):
    with pytest.raises(ZooError, match=r"a\.json"):
        read_splits(chorales(tmp_path / "a.json", [piece]))


@pytest.mark.parametrize("name", ["a.mat", "a.json"])
@pytest.mark.parametrize(
    "content", [b"", b"MATLAB 5.0 MAT-file", b"[1, 2", b"[]", b"\xff\xfe"]
)
def test_the_error_of_a_malformed_file_names_it(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ZooError, match=name):
        read_splits(tmp_path / name)


def test_a_missing_file_or_another_type_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        read_splits(tmp_path / "a.mat")
    with pytest.raises(UsageError, match=r"of no type that is read \(\.mat, \.pickle"):
        read_splits(tmp_path / "a.txt")


def test_empty_pieces_are_left_out(tmp_path):
    found = read_splits(mat(tmp_path / "a.mat", [np.zeros((0, 88)), np.eye(88)]))
    assert [len(pieces) for pieces in found.values()] == [1, 1, 1]


def test_a_public_name_with_other_contents_is_reported(tmp_path, capsys):
    read_splits(mat(tmp_path / "Nottingham.mat", [np.eye(88)]))
    assert "SHA-256 differs" in capsys.readouterr().err
    read_splits(mat(tmp_path / "mine.mat", [np.eye(88)]))
    assert not capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["", "file:"])
def test_benchmark_files_are_read_as_corpora(tmp_path, prefix):
    rolls = mat(tmp_path / "a.mat", [np.eye(88), np.eye(88)[:3]])
    voices = chorales(tmp_path / "b.json", [[[72, 67, 64, 48]]])
    for path in (rolls, voices):
        spec = f"{prefix}{path}"
        codec = file_codec(spec)
        pieces = corpus_pieces(spec, "test", codec)
        expected = read_splits(path)["test"]
        assert pieces.lengths.tolist() == expected.lengths.tolist()
        assert all(np.array_equal(a, b) for a, b in zip(pieces, expected, strict=True))
        assert pieces.labels("style") == [""] * len(pieces)
        assert pieces.columns == {}
        with pytest.raises(UsageError, match=type(codec).__name__):
            corpus_pieces(spec, "test", make("melody"))
        with pytest.raises(UsageError, match="no split 'tset'"):
            corpus_pieces(spec, "tset", codec)


def test_a_corpus_has_no_codec_of_its_own(tmp_path):
    for spec in ("chorales", f"folder:{tmp_path}/a.mat", "tunes+essen"):
        assert file_codec(spec) is None
