"""Pieces as sequences of latents: repetition, and any batch from its step alone."""

import numpy as np
import pytest

from zoo.data.codecs import Phrase
from zoo.data.pieces import InMemoryPieces
from zoo.errors import UsageError
from zoo.tasks import LatentSequences, bound, latents
from zoo.tasks.latents import Repeats, repeated

PIECES = [np.arange(3.0)[:, None], 10 + np.arange(5.0)[:, None]]


def test_pieces_are_repeated_from_any_phrase():
    repeats = Repeats(PIECES, np.array([1, 0]), parts=7, batch=64)
    batch = repeats[0]
    assert batch["latents"].shape == (64, 7, 1)
    assert batch["mask"].all()
    starts = set()
    for row, style in zip(batch["latents"][..., 0], batch["style"], strict=True):
        piece = PIECES[0 if row[0] < 10 else 1][:, 0]
        assert style == (1 if row[0] < 10 else 0)
        first = int(row[0] - piece[0])
        starts.add(row[0])
        np.testing.assert_array_equal(row, piece[(first + np.arange(7)) % len(piece)])
    assert len(starts) == 8
    np.testing.assert_array_equal(repeats[0]["latents"], batch["latents"])
    assert not np.array_equal(repeats[1]["latents"], batch["latents"])


def test_processes_share_a_batch():
    whole = Repeats(PIECES, None, parts=4, batch=8)[3]["latents"]
    shares = [
        Repeats(PIECES, None, parts=4, batch=8, process=(i, 2))[3]["latents"]
        for i in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(shares), whole)


def test_evaluation_has_every_piece_once_from_its_beginning():
    batches = [*Repeats([*PIECES, PIECES[0]], None, parts=4, batch=2).once()]
    masks = [batch["mask"].any(axis=1).tolist() for batch in batches]
    assert masks == [[True, True], [True, False]]
    np.testing.assert_array_equal(batches[0]["latents"][0, :, 0], [0, 1, 2, 0])
    piece = repeated(np.array([[1, 2], [3, 4]]), 3)
    np.testing.assert_array_equal(piece, [1, 2, 3, 4, 1, 2])


def test_a_corpus_without_suitable_pieces_is_refused(monkeypatch):
    class Reels(InMemoryPieces):
        def labels(self, kind):
            return ["reel"] * len(self)

    reels = Reels([np.array([3, 0], np.int32)])
    monkeypatch.setattr(latents, "corpus_pieces", lambda *_: reels)
    task = bound(LatentSequences(parts=2, styles=("jig",)), coder=Phrase(bars=2))
    with pytest.raises(UsageError, match="no piece of these styles"):
        task.phrases("train")


def test_a_task_without_an_autoencoder_is_refused():
    with pytest.raises(UsageError, match="no autoencoder"):
        LatentSequences().phrases("train")
