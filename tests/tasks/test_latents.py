"""Pieces as latents: played round, and any batch from its step alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from zoo.runner.latent_pieces import Walks, played_round, told

from zoo.data.codecs import Phrase
from zoo.errors import UsageError

PIECES = [np.arange(3.0)[:, None], 10 + np.arange(5.0)[:, None]]


def test_pieces_go_round_from_any_phrase():
    walks = Walks(PIECES, np.array([1, 0]), parts=7, batch=64)
    batch = walks[0]
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
    np.testing.assert_array_equal(walks[0]["latents"], batch["latents"])
    assert not np.array_equal(walks[1]["latents"], batch["latents"])


def test_processes_share_a_batch():
    parts = [Walks(PIECES, None, 4, 8, process=(i, 2))[3]["latents"] for i in range(2)]
    np.testing.assert_array_equal(
        np.concatenate(parts), Walks(PIECES, None, 4, 8)[3]["latents"]
    )


def test_every_piece_is_measured_once_from_its_beginning():
    batches = [*Walks([*PIECES, PIECES[0]], None, 4, 2).once()]
    assert [batch["mask"].any(axis=1).tolist() for batch in batches] == [
        [True] * 2,
        [True, False],
    ]
    np.testing.assert_array_equal(batches[0]["latents"][0, :, 0], [0, 1, 2, 0])
    np.testing.assert_array_equal(
        played_round(np.array([[1, 2], [3, 4]]), 3), [1, 2, 3, 4, 1, 2]
    )


def test_no_piece_is_said():
    space = SimpleNamespace(melody=Phrase(bars=1))
    with pytest.raises(UsageError, match="no piece of these styles"):
        told(space, [np.array([3, 0], np.int32)], ["reel"], ("jig",), 0)
