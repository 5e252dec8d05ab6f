"""Encoding and packed batches, with the properties that resumed runs rely on."""

import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.batching.batches import CropBatches, PackedBatches, packed_eval_batches
from zoo.data.batching.encoded import EncodedPieces, corpus_pieces, encode, pack
from zoo.data.codecs import Melody, Pianoroll
from zoo.data.pieces import InMemoryPieces, Pieces
from zoo.data.refusal import Refused
from zoo.errors import UsageError, ZooError

CODEC = Melody()
LOW = CODEC.vocab - 37  # onset of middle C; the last token is the onset of 96


def melody(seed: int, length: int) -> np.ndarray:
    pitches = np.random.default_rng(seed).integers(LOW, LOW + 12, length - 1)
    return np.append(pitches, 0).astype(np.int32)


class Identity:
    """A codec that returns the array of a score, and refuses an empty one."""

    def encode(self, score):
        if not len(score.array):
            raise Refused("empty", "there is nothing in it")
        return score.array


def record(number: int, array: np.ndarray) -> SimpleNamespace:
    silent = {"key_signatures": (), "time_signatures": (), "total_time": 0}
    score = SimpleNamespace(array=array, **silent)
    return SimpleNamespace(id=str(number), style=f"style {number}", sequence=score)


@pytest.fixture
def pieces(tmp_path) -> Pieces:
    arrays = [melody(seed, 5 + 3 * seed) for seed in range(12)] + [
        np.zeros(0, np.int32)
    ]
    return encode(
        [record(*x) for x in enumerate(arrays)], Identity(), tmp_path / "train"
    )


def test_encoded_pieces_are_read_unchanged(pieces):
    assert len(pieces) == 12
    assert all(
        np.array_equal(piece, melody(i, 5 + 3 * i)) for i, piece in enumerate(pieces)
    )
    assert pieces.refused == {"empty": 1}
    assert pieces.lengths.tolist() == [5 + 3 * i for i in range(12)]
    assert pieces.labels("style") == [f"style {i}" for i in range(12)]


def test_a_digest_changes_with_any_array_and_is_recorded(pieces, tmp_path):
    arrays = [melody(i, 5 + 3 * i) for i in range(12)]
    assert pieces.digest == InMemoryPieces(arrays).digest
    del pieces.about["digest"]  # as in encodings of earlier versions
    assert pieces.digest == InMemoryPieces(arrays).digest
    others = [arrays[::-1], arrays[:-1], [*arrays[:-1], arrays[-1] + 1]]
    joined = [np.concatenate(arrays[:2]), *arrays[2:]]
    digests = {InMemoryPieces(x).digest for x in (arrays, joined, *others)}
    assert len(digests) == 5


def test_the_most_notes_at_once_are_counted_over_all_pieces(tmp_path):
    frames = np.zeros((3, 5, 8), np.uint8)
    frames[0, 1, :2] = frames[2, 4, 3:6] = frames[2, 1, :2] = 1
    found = encode(
        [record(*x) for x in enumerate(frames)], Identity(), tmp_path / "train"
    )
    del found.about["most_at_once"]
    assert found.most_at_once == InMemoryPieces(frames).most_at_once == 3
    assert EncodedPieces(tmp_path / "train").most_at_once == 3


def test_the_error_of_a_refused_corpus_names_the_reason(tmp_path):
    empty = [record(0, np.zeros(0, np.int32))]
    with pytest.raises(ZooError, match=r"empty .there is nothing in it"):
        encode(empty, Identity(), tmp_path / "train")
    assert not any(tmp_path.iterdir())


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(4, 32))
def test_packing_contains_every_event_once_and_fits(lengths, row):
    rows = pack(lengths, row)
    assert all(0 < sum(segment.size for segment in each) <= row for each in rows)
    laid = sorted(
        (p.piece, at) for parts in rows for p in parts for at in range(p.start, p.stop)
    )
    assert laid == [
        (piece, at) for piece, length in enumerate(lengths) for at in range(length)
    ]
    assert all(p.context == min(p.start, row // 8) for parts in rows for p in parts)
    # no two rows fit into one
    sizes = sorted(sum(part.size for part in parts) for parts in rows)
    assert len(rows) < 2 or sizes[0] + sizes[1] > row


def test_the_middle_of_a_piece_is_preceded_by_context(tmp_path):
    """Without context, a model would learn that pieces may begin in their middle."""
    long = melody(0, 100)
    batches = PackedBatches(
        encode([record(0, long)], Identity(), tmp_path / "train"), CODEC, 1, length=40
    )
    for step in range(8):
        row = {key: value[0] for key, value in batches[step].items()}
        first = int(row["mask"].argmax())
        assert (first == 0) == (row["tokens"][0] == long[0])
        assert first in (0, 5)
        at = next(
            i for i in range(100) if np.array_equal(long[i : i + 9], row["tokens"][:9])
        )
        assert at in (0, 35, 70)


def test_a_batch_is_a_function_of_its_step(pieces):
    one, two = (
        PackedBatches(pieces, CODEC, 4, length=40, seed=3, transpose=5)
        for _ in range(2)
    )
    later = one[9]
    for step in (0, 5, 9):
        again = two[step]
        assert all(np.array_equal(one[step][key], again[key]) for key in again)
    assert np.array_equal(later["tokens"], two[9]["tokens"])
    assert not np.array_equal(
        one[0]["tokens"],
        PackedBatches(pieces, CODEC, 4, length=40, seed=4)[0]["tokens"],
    )


def test_an_epoch_has_every_row_once_in_a_new_order(pieces):
    count = len(pack(pieces.lengths.tolist(), 40))
    rows = PackedBatches(pieces, CODEC, 1, length=40, seed=0)
    epochs = [
        [rows[e * count + i]["tokens"].tobytes() for i in range(count)]
        for e in range(2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]


def test_processes_share_a_batch(pieces):
    one = PackedBatches(pieces, CODEC, 4, length=40, seed=1, transpose=3)
    parts = [
        PackedBatches(pieces, CODEC, 4, length=40, seed=1, transpose=3, process=(i, 2))
        for i in range(2)
    ]
    for step in range(4):
        joined = np.concatenate([part[step]["tokens"] for part in parts])
        assert np.array_equal(joined, one[step]["tokens"])


def test_transposition_moves_pitches_alone_and_stays_in_range(pieces):
    plain, moved = (
        PackedBatches(pieces, CODEC, 4, length=40, transpose=by)[0] for by in (0, 7)
    )
    shift = moved["tokens"].astype(int) - plain["tokens"]
    assert np.array_equal(plain["mask"], moved["mask"])
    assert np.abs(shift).max() <= 7
    assert (shift[plain["tokens"] == 0] == 0).all()
    assert len(np.unique(shift)) > 2


def test_evaluation_has_every_event_once(pieces):
    batches = packed_eval_batches(pieces, CODEC, 5)
    assert len({batch["tokens"].shape for batch in batches}) == 1
    seen = np.concatenate([batch["tokens"][batch["mask"]] for batch in batches])
    assert np.array_equal(np.sort(seen), np.sort(np.concatenate(list(pieces))))
    assert (seen == 0).sum() == len(pieces)


@pytest.mark.parametrize(
    ("batch", "process", "says"),
    [(99, (0, 1), "larger than the data"), (5, (0, 2), "divide")],
)
def test_an_invalid_batch_size_is_refused(pieces, batch, process, says):
    with pytest.raises(UsageError, match=says):
        PackedBatches(pieces, CODEC, batch, length=40, process=process)


def test_a_corpus_is_encoded_once(abc_folder, tmp_path, monkeypatch):
    first = corpus_pieces(f"folder:{abc_folder}", "train", CODEC, tmp_path)
    monkeypatch.setattr("zoo.data.batching.encoded.encode", None)
    again = corpus_pieces(f"folder:{abc_folder}", "train", CODEC, tmp_path)
    assert len(first) == len(again) > 30
    assert (first[0] != 0).sum() == len(first[0]) - 1
    assert pathlib.Path(first.events.filename).is_relative_to(tmp_path)


def test_a_batch_that_does_not_fit_in_memory_is_refused_at_once():
    rolls = InMemoryPieces([np.zeros((4, 88), np.uint8)])
    with pytest.raises(UsageError, match=r"a batch of 65,536 rows of 1,048,576 frames"):
        CropBatches(rolls, Pianoroll(), 65_536, length=2**20)
