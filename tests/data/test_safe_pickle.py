"""Pickled benchmark files, against NumPy's own reading, and pickles that would run."""

import io
import json
import os
import pickle
import pickletools

import numpy as np
import pytest

from zoo.data.batching.encoded import corpus_pieces, file_codec
from zoo.data.codecs import make
from zoo.data.corpora import safe_pickle
from zoo.data.corpora.benchmark_files import read_splits
from zoo.errors import ZooError

# {'train': [[(60, numpy.int64(64)), ()]], 'valid': ..., 'test': ...} as Python 2 has it
PYTHON_2 = b"""(dp0
S'train'
p1
(lp2
(lp3
(I60
cnumpy.core.multiarray
scalar
p4
(cnumpy
dtype
p5
(S'i8'
p6
I0
I1
tp7
Rp8
(I3
S'<'
p9
NNNI-1
I-1
I0
tp10
bS'@\\x00\\x00\\x00\\x00\\x00\\x00\\x00'
p11
tp12
Rp13
tp14
a(taasS'valid'
p15
g2
sS'test'
p16
g2
s."""


class Runs:
    """An object whose pickle runs a command when it is read."""

    def __reduce__(self):
        return os.mkdir, ("here",)


def load(data):
    return safe_pickle.load(io.BytesIO(data))


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, (3, [])], "b": "text"},
        [np.int64(7), np.float32(0.5), np.uint8(255), np.int16(-3)],
        np.arange(12, dtype=">i4").reshape(3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([[1.0, np.nan]]),
    ],
    ids=["lists", "numbers", "big endian", "by column", "nan"],
)
def test_numbers_lists_and_arrays_are_read_as_numpy_reads_them(value, protocol):
    found = load(pickle.dumps(value, protocol))
    if isinstance(value, np.ndarray):
        np.testing.assert_array_equal(found, value)
    elif isinstance(value, list):
        assert found == [x.item() for x in value]
    else:
        assert found == {"a": [1, 2.5, [3, []]], "b": "text"}


def test_arrays_of_arrays_are_read_as_lists():
    value = np.empty(2, object)
    value[0], value[1] = np.arange(3), np.arange(4.0)
    found = load(pickle.dumps(value, 2))
    assert [x.tolist() for x in found] == [[0, 1, 2], [0, 1, 2, 3]]


@pytest.mark.parametrize("protocol", range(5))
def test_nothing_is_run(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match=r"asks for \w+\.mkdir"):
        load(pickle.dumps({"train": [Runs()]}, protocol))
    assert not list(tmp_path.iterdir())


def test_pointers_are_not_numbers():
    """An array of objects with bytes as its data would make NumPy follow pointers."""
    data = pickle.dumps(np.array([1], "i8"), 2).replace(b"i8", b"O8")
    assert b"O8" in data
    found = load(data)  # the bytes are not looked at
    assert not isinstance(found, np.ndarray)
    with pytest.raises(pickle.UnpicklingError, match="of type 'V8'"):
        load(pickle.dumps(np.array([1], "i8"), 2).replace(b"i8", b"V8"))


def test_a_pickle_of_python_2_is_read(tmp_path):
    pickletools.dis(PYTHON_2, io.StringIO())  # raises if it is malformed
    path = tmp_path / "MuseData.pickle"
    path.write_bytes(PYTHON_2)
    (piece,) = read_splits(path)["test"]
    assert piece.shape == (2, 88)
    assert [np.flatnonzero(frame).tolist() for frame in piece] == [[39, 43], []]
    for spec in (f"file:{path}", f"musedata:{path}"):
        pieces = corpus_pieces(spec, "train", file_codec(spec))
        assert np.array_equal(pieces[0], piece)


@pytest.mark.parametrize("piece", [[[20]], [[109]], [[60.5]], [7], 7, [["x"]]])
def test_other_pickles_are_refused(piece, tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"train": [piece], "valid": [], "test": []}))
    with pytest.raises(ZooError, match=r"train\[0\] of .*a\.pkl is not a piano roll"):
        read_splits(path)


@pytest.mark.parametrize("name", ["a.pickle", "a.npz"])
@pytest.mark.parametrize("data", [b"", b"\x80\x04.", PYTHON_2[:90], b"cos\nsystem\n."])
def test_malformed_files_are_named(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ZooError, match=f"{name} cannot be read as .*download it"):
        read_splits(tmp_path / name)


def test_chorales_of_numpy_are_those_of_json(tmp_path):
    piece = [[72, 67, 64, 48], [72, -1, 64, 47]]
    array = np.array(piece, float)
    array[array < 0] = np.nan
    pieces = np.empty(2, object)
    pieces[:] = [array, array[:1]]
    np.savez(tmp_path / "a.npz", train=pieces, valid=pieces, test=pieces)
    rows = {key: [piece, piece[:1]] for key in ("train", "valid", "test")}
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found, expected = (
        read_splits(tmp_path / f"a.{x}")["test"] for x in ("npz", "json")
    )
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert make("voices").pitches(found[0]).tolist() == piece
