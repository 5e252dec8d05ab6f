"""What a critic makes of music: of what is spoilt, and what its verdicts go with."""

import numpy as np
from small_models import trained

from zoo.core import BOUNDARY
from zoo.evaluation.critic import critic_verdicts, random_rows, rank_correlation


def test_notes_put_out_of_order_are_the_same_notes():
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 9, (6, 12, 7)).astype(np.int32)
    rows[::2, 8:] = BOUNDARY
    found = trained("seqgan").codec.corruptions(rows, np.random.default_rng(0))
    ordered = lambda x: [sorted(map(tuple, row)) for row in x.tolist()]
    assert ordered(found["mixed_notes"]) == ordered(rows)
    assert not np.array_equal(found["mixed_notes"], rows)
    np.testing.assert_array_equal(found["mixed_notes"][::2, 8:], BOUNDARY)
    same = (found["mixed_pitches"] == rows).all(axis=(0, 1))
    assert same.tolist() == [True] * 4 + [False] + [True] * 2
    np.testing.assert_array_equal(
        found["mixed_pitches"][..., 4], found["mixed_notes"][..., 4]
    )


def test_tracks_of_other_phrases_are_the_same_tracks():
    rolls = np.random.default_rng(0).integers(0, 2, (9, 16, 2, 14)).astype(np.uint8)
    found = trained("musegan").codec.corruptions(rolls, np.random.default_rng(0))
    for k in range(2):
        bag = lambda x, k=k: sorted(roll.tobytes() for roll in x[:, :, k])
        assert bag(found["mixed_tracks"]) == bag(rolls)
    assert not np.array_equal(found["mixed_tracks"], rolls)
    np.testing.assert_array_equal(found["off_beat"][:, 3:], rolls[:, :-3])


def test_a_critic_that_counts_notes_is_found_out():
    model = trained("seqgan")
    counts = lambda rows, style=None: (np.asarray(rows)[..., 0] != BOUNDARY).sum(axis=1)
    vars(model.sampler).update(_verdict=lambda params, rows, style: counts(rows))
    whole = np.asarray(model.family.example(24)["tokens"])
    long, short = whole.copy(), whole.copy()
    for i in range(24):
        long[i, 4 + i % 2 :] = BOUNDARY
        short[i, 2 + i % 2 :] = BOUNDARY
    style = np.arange(24) % 2
    found = critic_verdicts(model, long, short, style)
    assert found.below["real"].value == 0
    assert (
        found.below["written"].value == 4
    )  # two notes fewer, of a deviation of a half
    assert found.below["mixed_notes"].value == 0
    assert set(found.likelihood) == {"real", "written", "mixed_notes", "mixed_pitches"}
    assert "likelihood" in found.related


def test_ranks_are_correlated_where_both_are_known():
    x = np.array([1.0, 2, 3, np.nan, 5])
    assert rank_correlation(x, np.exp(x)) == 1
    assert rank_correlation(x, -x) == -1
    assert np.isnan(rank_correlation(x, np.ones(5)))


def test_pieces_are_drawn_with_their_styles():
    batch = {k: np.asarray(v) for k, v in trained("musegan").family.example(6).items()}
    batch["tokens"] = np.random.default_rng(0).integers(0, 2, batch["tokens"].shape)
    batch["mask"] = np.arange(6)[:, None] < np.full((1, batch["mask"].shape[1]), 4)
    real, style = random_rows([batch, batch], batch["tokens"].shape[1], 7, 0)
    assert len(real) == len(style) == 7
    keys = {
        row.tobytes(): int(y)
        for row, y in zip(batch["tokens"], batch["style"], strict=True)
    }
    assert [keys[row.tobytes()] for row in real] == style.tolist()


def test_pieces_of_any_length_are_cut_or_end_early():
    batches = [
        {"tokens": np.full((2, n, 7), n, np.int32), "mask": np.ones((2, n), bool)}
        for n in (3, 8)
    ]
    rows, style = random_rows(batches, 5, 4, 0)
    assert style is None
    assert (
        sorted(map(tuple, rows[..., 0].tolist()))
        == [(3, 3, 3, 0, 0)] * 2 + [(8,) * 5] * 2
    )
