"""Phrases and excerpts of pieces, selection by style, and their batches."""

import numpy as np
import pytest

from zoo.data.batching.batches import CropBatches, padded_eval_batches
from zoo.data.batching.phrases import (
    extract_phrases,
    require_styles,
    select_styles,
    split_excerpts,
)
from zoo.data.codecs import Phrase
from zoo.errors import UsageError

CODEC = Phrase(bars=2, metres=("2/4",))


def tune(bars, seed):
    """Returns tokens of `CODEC.source`, an onset of a random pitch at each step."""
    pitches = np.random.default_rng(seed).integers(30, 40, 8 * bars)
    return np.concatenate([[3], 4 + pitches, [0]]).astype(np.int32)


def batched(rows, **options):
    return CropBatches(rows, CODEC, length=CODEC.length, **options)


PIECES = [tune(5, 0), tune(2, 1), tune(1, 2)]


def test_phrases_begin_at_every_bar_or_every_stride():
    rows = extract_phrases(PIECES, CODEC)
    assert rows.lengths.tolist() == [16] * 5
    np.testing.assert_array_equal(rows[1], PIECES[0][9:25] - 1)
    np.testing.assert_array_equal(
        [*extract_phrases(PIECES, CODEC, 2)], [rows[i] for i in (0, 2, 4)]
    )


def test_the_error_without_phrases():
    with pytest.raises(UsageError, match="no piece has 2 full bars of 2/4 in a row"):
        extract_phrases(PIECES[2:], CODEC)


def test_phrases_have_a_style_column():
    styles, labels = ("jig", "reel"), ["reel", "waltz", "jig"]
    two = [PIECES[0], PIECES[0], PIECES[1]]
    rows = extract_phrases(two, CODEC, styles=styles, labels=labels)
    assert rows.columns["style"].tolist() == [1] * 4 + [0]
    (batch,) = padded_eval_batches(rows, 8, length=CODEC.length)
    assert batch["style"][:5].tolist() == [1] * 4 + [0]
    assert batch["style"].shape == (8,)
    sampled = batched(rows, batch=5)[0]
    pairs = lambda rows, styles: sorted(
        (x.tobytes(), y) for x, y in zip(rows, styles, strict=True)
    )
    assert pairs(sampled["tokens"], sampled["style"]) == pairs(
        rows, rows.columns["style"]
    )
    with pytest.raises(
        UsageError, match="no piece is labelled polka, only jig, reel, waltz"
    ):
        extract_phrases(two, CODEC, styles=("polka",), labels=labels)


def test_excerpts_are_complete_except_of_short_pieces():
    pieces = [np.arange(n) for n in (7, 3, 2)]
    rows = split_excerpts(pieces, 3)
    assert [row.tolist() for row in rows] == [[0, 1, 2], [3, 4, 5], [0, 1, 2], [0, 1]]
    assert rows.columns == {}


def test_excerpts_have_the_styles_of_their_pieces():
    pieces = [np.arange(n) for n in (7, 3, 2)]
    rows = split_excerpts(
        select_styles(pieces, ("jig", "reel"), ["reel", "waltz", "jig"]), 3
    )
    assert [len(row) for row in rows] == [3, 3, 2]
    assert rows.columns["style"].tolist() == [1, 1, 0]
    assert select_styles(pieces, (), []) is pieces


def test_a_batch_is_a_function_of_its_step():
    rows = extract_phrases(PIECES, CODEC)
    batches = batched(rows, batch=4, seed=3, transpose=5)
    again = batched(rows, batch=4, seed=3, transpose=5)[7]
    assert batches[7]["tokens"].shape == (4, 16)
    assert batches[7]["mask"].all()
    np.testing.assert_array_equal(batches[7]["tokens"], again["tokens"])
    assert not np.array_equal(batches[7]["tokens"], batches[8]["tokens"])


def test_an_epoch_has_every_phrase_in_some_key():
    rows = extract_phrases(PIECES, CODEC)
    plain = batched(rows, batch=5)[0]["tokens"]
    assert {row.tobytes() for row in plain} == {row.tobytes() for row in rows}
    moved = batched(rows, batch=5, transpose=5)
    shapes = {np.diff(row).tobytes() for row in rows}
    assert {np.diff(row).tobytes() for row in moved[0]["tokens"]} == shapes
    firsts = {int(row[0]) for step in range(8) for row in moved[step]["tokens"]}
    assert len(firsts) > len(rows)


def test_processes_share_a_batch():
    rows = extract_phrases(PIECES, CODEC)
    all_ = batched(rows, batch=4)[1]["tokens"]
    parts = [batched(rows, batch=4, process=(i, 2))[1]["tokens"] for i in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), all_)
    with pytest.raises(UsageError, match="does not divide"):
        batched(rows, batch=5, process=(0, 2))


def test_evaluation_has_every_phrase_once():
    rows = extract_phrases(PIECES, CODEC)
    batches = [*padded_eval_batches(rows, 4, length=CODEC.length)]
    assert [batch["tokens"].shape for batch in batches] == [(4, 16)] * 2
    kept = np.concatenate(
        [batch["tokens"][batch["mask"].all(axis=1)] for batch in batches]
    )
    np.testing.assert_array_equal(kept, [*rows])
    assert not batches[1]["mask"][1:].any()
    halves = [
        next(padded_eval_batches(rows, 4, (i, 2), 16))["tokens"] for i in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(halves), rows[:4])


def test_an_absent_style_is_refused():
    require_styles(("jig", "reel"), ["reel", "waltz", "jig"])
    require_styles((), ["reel"])
    with pytest.raises(
        UsageError, match="no training piece is labelled air, only jig, reel: choose"
    ):
        require_styles(("reel", "air"), ["reel", "jig", ""])
