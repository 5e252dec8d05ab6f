"""Batches of frames: random crops for training, complete pieces for evaluation."""

import numpy as np
import pytest

from zoo.data.batching.batches import CropBatches, bucket_length, padded_eval_batches
from zoo.data.codecs import make
from zoo.data.pieces import InMemoryPieces
from zoo.errors import UsageError

LENGTHS = (5, 16, 17, 70)
CODEC = make("pianoroll", onsets=False)


@pytest.fixture(scope="module")
def pieces():
    """Frame i of piece p has the keys 10 + p and 20 + i % 50, which identify it."""
    rolls = []
    for number, length in enumerate(LENGTHS):
        roll = np.zeros((length, 88), np.uint8)
        roll[:, 10 + number] = 1
        roll[np.arange(length), 20 + np.arange(length) % 50] = 1
        rolls.append(roll)
    return InMemoryPieces(rolls)


def rows(pieces, count, **options):
    crops = CropBatches(pieces, CODEC, batch=4, length=16, **options)
    batches = [crops[i] for i in range(count)]
    return [
        (tokens, mask)
        for batch in batches
        for tokens, mask in zip(batch["tokens"], batch["mask"], strict=True)
    ]


def test_a_row_is_a_crop_of_one_piece(pieces):
    starts = set()
    for tokens, mask in rows(pieces, 20):
        frames = tokens[tokens.any(axis=1)]
        (number,) = np.unique(np.argmax(frames[:, 10:20], axis=1))
        at = int(np.argmax(frames[0, 20:]))
        where = [
            s
            for s in (at, at + 50)
            if np.array_equal(pieces[number][s:][: len(frames)], frames)
        ]
        assert where
        lead = 0 if where[0] == 0 else 2
        assert np.array_equal(np.flatnonzero(mask), np.arange(lead, len(frames)))
        starts.add((int(number), where[0]))
    assert {(number, 0) for number in range(4)} <= starts
    assert len(starts) > 10


def test_crops_without_context_mask_only_padding(pieces):
    crops = CropBatches(pieces, CODEC, batch=8, length=16, context=False)
    for batch in (crops[i] for i in range(5)):
        np.testing.assert_array_equal(batch["mask"], batch["tokens"].any(axis=2))


def test_batches_are_a_function_of_their_step_and_seed(pieces):
    one, two = (
        CropBatches(pieces, CODEC, 4, length=16, seed=1, transpose=3) for _ in range(2)
    )
    other = CropBatches(pieces, CODEC, 4, length=16, seed=2, transpose=3)
    assert np.array_equal(one[7]["tokens"], two[7]["tokens"])
    assert not np.array_equal(one[7]["tokens"], other[7]["tokens"])


def test_processes_share_a_batch(pieces):
    halves = [
        CropBatches(pieces, CODEC, 4, length=16, process=(i, 2))[3]["tokens"]
        for i in range(2)
    ]
    assert [len(half) for half in halves] == [2, 2]
    with pytest.raises(UsageError, match="does not divide over 3"):
        CropBatches(pieces, CODEC, 4, length=16, process=(0, 3))


def test_transposition_stays_in_range(pieces):
    counts = {tokens.sum() for tokens, _ in rows(pieces, 10)}
    moved = {tokens.sum() for tokens, _ in rows(pieces, 10, transpose=5)}
    assert moved == counts


@pytest.mark.parametrize("process", [(0, 1), (0, 3), (1, 3)])
def test_evaluation_has_every_frame_once(pieces, process):
    batches = list(padded_eval_batches(pieces, 3, process))
    assert {len(batch["tokens"]) for batch in batches} == {3 // process[1]}
    shares = [
        list(padded_eval_batches(pieces, 3, (i, process[1]))) for i in range(process[1])
    ]
    total = sum(batch["mask"].sum() for share in shares for batch in share)
    assert total == sum(LENGTHS)
    assert not any(batch["tokens"][~batch["mask"]].any() for batch in batches)


def test_bucket_lengths_are_few():
    sizes = [bucket_length(n) for n in range(1, 2000)]
    assert all(n <= size <= max(32, 1.5 * n) for n, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 14
