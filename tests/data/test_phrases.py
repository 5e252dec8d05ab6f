"""Phrases of a corpus: every one from each bar on, in batches that any step can be asked for."""

import numpy as np
import pytest

from zoo.data.batching.batches import Crops, whole_frames
from zoo.data.batching.phrases import cut, excerpts, there, told
from zoo.data.codecs import Phrase
from zoo.errors import UsageError

CODEC = Phrase(bars=2, metres=("2/4",))


def tune(bars, seed):
    """A stream of `CODEC.source` that strikes a random pitch at every step."""
    pitches = np.random.default_rng(seed).integers(30, 40, 8 * bars)
    return np.concatenate([[3], 4 + pitches, [0]]).astype(np.int32)


def batched(rows, **options):
    return Crops(rows, CODEC, length=CODEC.length, **options)


PIECES = [tune(5, 0), tune(2, 1), tune(1, 2)]


def test_a_phrase_from_every_bar_or_every_few():
    rows = cut(PIECES, CODEC)
    assert rows.lengths.tolist() == [16] * 5
    np.testing.assert_array_equal(rows[1], PIECES[0][9:25] - 1)
    np.testing.assert_array_equal(
        [*cut(PIECES, CODEC, 2)], [rows[i] for i in (0, 2, 4)]
    )


def test_no_phrase_is_said():
    with pytest.raises(UsageError, match="no piece has 2 full bars of 2/4 in a row"):
        cut(PIECES[2:], CODEC)


def test_phrases_say_what_style_they_are_of():
    styles, of = ("jig", "reel"), ["reel", "waltz", "jig"]
    two = [PIECES[0], PIECES[0], PIECES[1]]
    rows = cut(two, CODEC, 1, styles, of)
    assert rows.columns["style"].tolist() == [1] * 4 + [0]
    (batch,) = whole_frames(rows, 8, length=CODEC.length)
    assert batch["style"][:5].tolist() == [1] * 4 + [0]
    assert batch["style"].shape == (8,)
    drawn = batched(rows, batch=5)[0]
    both = lambda rows, styles: sorted(
        (x.tobytes(), y) for x, y in zip(rows, styles, strict=True)
    )
    assert both(drawn["tokens"], drawn["style"]) == both(rows, rows.columns["style"])
    with pytest.raises(
        UsageError, match="none of these pieces is polka, but jig, reel, waltz"
    ):
        cut(two, CODEC, 1, ("polka",), of)


def test_excerpts_are_whole_but_for_pieces_that_are_short():
    pieces = [np.arange(n) for n in (7, 3, 2)]
    rows = excerpts(pieces, 3)
    assert [row.tolist() for row in rows] == [[0, 1, 2], [3, 4, 5], [0, 1, 2], [0, 1]]
    assert rows.columns == {}


def test_excerpts_are_of_their_pieces_styles():
    pieces = [np.arange(n) for n in (7, 3, 2)]
    rows = excerpts(told(pieces, ("jig", "reel"), ["reel", "waltz", "jig"]), 3)
    assert [len(row) for row in rows] == [3, 3, 2]
    assert rows.columns["style"].tolist() == [1, 1, 0]
    assert told(pieces, (), []) is pieces


def test_a_batch_is_a_function_of_its_step():
    rows = cut(PIECES, CODEC)
    batches = batched(rows, batch=4, seed=3, transpose=5)
    again = batched(rows, batch=4, seed=3, transpose=5)[7]
    assert batches[7]["tokens"].shape == (4, 16)
    assert batches[7]["mask"].all()
    np.testing.assert_array_equal(batches[7]["tokens"], again["tokens"])
    assert not np.array_equal(batches[7]["tokens"], batches[8]["tokens"])


def test_an_epoch_is_every_phrase_in_some_key():
    rows = cut(PIECES, CODEC)
    plain = batched(rows, batch=5)[0]["tokens"]
    assert {row.tobytes() for row in plain} == {row.tobytes() for row in rows}
    moved = batched(rows, batch=5, transpose=5)
    shapes = {np.diff(row).tobytes() for row in rows}
    assert {np.diff(row).tobytes() for row in moved[0]["tokens"]} == shapes
    firsts = {int(row[0]) for step in range(8) for row in moved[step]["tokens"]}
    assert len(firsts) > len(rows)


def test_processes_share_a_batch():
    rows = cut(PIECES, CODEC)
    all_ = batched(rows, batch=4)[1]["tokens"]
    parts = [batched(rows, batch=4, process=(i, 2))[1]["tokens"] for i in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), all_)
    with pytest.raises(UsageError, match="does not divide"):
        batched(rows, batch=5, process=(0, 2))


def test_every_phrase_is_measured_once():
    rows = cut(PIECES, CODEC)
    batches = [*whole_frames(rows, 4, length=CODEC.length)]
    assert [batch["tokens"].shape for batch in batches] == [(4, 16)] * 2
    kept = np.concatenate(
        [batch["tokens"][batch["mask"].all(axis=1)] for batch in batches]
    )
    np.testing.assert_array_equal(kept, [*rows])
    assert not batches[1]["mask"][1:].any()
    halves = [next(whole_frames(rows, 4, (i, 2), 16))["tokens"] for i in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves), rows[:4])


def test_a_style_that_no_piece_is_of_is_refused():
    there(("jig", "reel"), ["reel", "waltz", "jig"])
    there((), ["reel"])
    with pytest.raises(
        UsageError, match="no piece to train on is air, but jig, reel: choose"
    ):
        there(("reel", "air"), ["reel", "jig", ""])
