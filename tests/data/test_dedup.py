"""Fingerprints, sketches and groups of variants, against brute force over all pairs."""

import itertools
from collections import Counter

import numpy as np
import pytest
import tunes
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zoo.data.corpora import dedup as module
from zoo.data.corpora.dedup import (
    SPLITS,
    assign,
    assign_groups,
    fingerprint,
    groups,
    resemblance,
    sketch,
    split_notices,
)

NOTES = st.lists(
    st.tuples(st.integers(40, 90), st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.5])),
    min_size=1,
    max_size=40,
)


def random_tune(seed: int, length: int = 60) -> list[tuple[int, float]]:
    return [
        (60 + degree * 12 // 7, eighths / 4)
        for degree, eighths in tunes.melody(seed, length)
    ]


@settings(max_examples=50, deadline=None)
@given(NOTES, st.integers(-24, 24), st.sampled_from([0.5, 1.0, 1.5, 3.0]))
def test_key_octave_and_tempo_do_not_matter(notes, semitones, rate):
    moved = [(pitch + semitones, length) for pitch, length in notes]
    assert fingerprint(tunes.sequence(notes)) == fingerprint(
        tunes.sequence(moved, 2.0, rate)
    )


def test_fingerprints_of_drums_differ():
    """A fingerprint without drums would assign all drum pieces to one split."""
    parts = [tunes.sequence(random_tune(seed)) for seed in range(3)]
    for part in parts:
        for note in part.notes:
            note.is_drum = True
    assert len({fingerprint(part) for part in parts}) == 3
    assert all(len(sketch(part)) for part in parts)


@settings(max_examples=30, deadline=None)
@given(NOTES, st.data())
def test_an_octave_shift_within_a_piece_does_not_matter(notes, data):
    cut = data.draw(st.integers(0, len(notes)))
    shifted = notes[:cut] + [(pitch + 12, length) for pitch, length in notes[cut:]]
    # whether the notes around the shift have the same pitch, before it or after it
    joined = cut and cut < len(notes) and notes[cut - 1][0] - notes[cut][0] in (0, 12)
    alike = fingerprint(tunes.sequence(notes)) == fingerprint(tunes.sequence(shifted))
    assert alike or joined  # repeated notes are joined, octaves are not


def test_interval_and_rhythm_matter():
    tune = random_tune(0)
    other_pitch = [*tune[:20], (tune[20][0] + 1, tune[20][1]), *tune[21:]]
    other_rhythm = [*tune[:20], (tune[20][0], 4 * tune[20][1]), *tune[21:]]
    digests = {
        fingerprint(tunes.sequence(t)) for t in (tune, other_pitch, other_rhythm)
    }
    assert len(digests) == 3


def test_accompaniment_and_percussion_do_not_matter():
    plain = tunes.sequence(random_tune(1))
    full = tunes.sequence(random_tune(1))
    for note in list(full.notes):
        full.notes.add(
            pitch=note.pitch - 12, start_time=note.start_time, end_time=note.end_time
        )
    full.notes.add(pitch=90, is_drum=True, start_time=0.1, end_time=0.2)
    assert fingerprint(full) == fingerprint(plain)


@pytest.mark.parametrize(
    "notes", [[], [(60, 1.0)], [(60, 1.0), (60, 1.0)], [(60, 1.0), (64, 1.0)]]
)
def test_pieces_with_few_notes(notes):
    made = tunes.sequence(notes)
    assert len(fingerprint(made)) == 32
    assert groups([sketch(made), sketch(made)])[0] == 0


def shingles(tune: list[tuple[int, float]]) -> set[int]:
    """Returns all hashes of a tune that is shorter than a sketch."""
    return set(sketch(tunes.sequence(tune)).tolist())


def test_resemblance_is_the_jaccard_index_of_short_pieces():
    tune = random_tune(2)
    variant = [*tune[:30], *random_tune(3)[:30]]
    a, b = shingles(tune), shingles(variant)
    found = resemblance(sketch(tunes.sequence(tune)), sketch(tunes.sequence(variant)))
    assert found == pytest.approx(len(a & b) / len(a | b))
    assert 0.2 < found < 0.6


def test_resemblance_of_long_pieces_is_an_estimate(monkeypatch):
    long = random_tune(4, 3000)
    variant = long[:2000] + random_tune(5, 1000)
    sketches = [sketch(tunes.sequence(t)) for t in (long, variant)]
    estimate = resemblance(*sketches)
    monkeypatch.setattr(module, "SKETCH_SIZE", 1 << 20)
    a, b = shingles(long), shingles(variant)
    assert len(sketches[0]) == 256 < len(a)
    assert estimate == pytest.approx(len(a & b) / len(a | b), abs=0.1)


def ornamented(
    tune: list[tuple[int, float]], rng: np.random.Generator
) -> list[tuple[int, float]]:
    """Changes one note in twelve, and repeats one in eight."""
    made = []
    for pitch, length in tune:
        if rng.random() < 1 / 12:
            pitch += 2
        twice = rng.random() < 1 / 8
        made += [(pitch, length / 2)] * 2 if twice else [(pitch, length)]
    return made


def test_groups_match_all_pairs():
    rng = np.random.default_rng(0)
    pieces = [random_tune(seed // 2) for seed in range(40)]
    pieces = [ornamented(p, rng) if i % 2 else p for i, p in enumerate(pieces)]
    sketches = [sketch(tunes.sequence(p)) for p in pieces]
    label = groups(sketches)
    for i, j in itertools.combinations(range(len(pieces)), 2):
        if resemblance(sketches[i], sketches[j]) >= module.MIN_JACCARD:
            assert label[i] == label[j]
    assert Counter(label) == dict.fromkeys(
        range(0, 40, 2), 2
    )  # each tune with its variant


def test_dotted_and_even_versions_are_variants():
    even = [(pitch, 0.5) for pitch, _ in random_tune(6)]
    dotted = [
        (pitch, 0.75 if i % 2 == 0 else 0.25) for i, (pitch, _) in enumerate(even)
    ]
    assert len(set(groups([sketch(tunes.sequence(t)) for t in (even, dotted)]))) == 1


def test_more_variants_than_neighbours_stay_together():
    rng = np.random.default_rng(1)
    copies = [ornamented(random_tune(7), rng) for _ in range(4 * module.MAX_NEIGHBOURS)]
    copies += [random_tune(seed) for seed in range(100, 120)]
    label = groups([sketch(tunes.sequence(t)) for t in copies])
    assert len(set(label[: 4 * module.MAX_NEIGHBOURS])) == 1
    assert len(set(label)) == 21


def test_groups_do_not_depend_on_blocks(monkeypatch):
    sketches = [sketch(tunes.sequence(random_tune(seed // 3))) for seed in range(30)]
    whole = groups(sketches)
    monkeypatch.setattr(module, "BLOCK", 4)
    assert groups(sketches) == whole


def test_splits_have_their_sizes_keep_variants_together_and_ignore_order():
    made = [tunes.sequence(random_tune(seed // 2, 20)) for seed in range(2000)]
    prints, sketches = [fingerprint(s) for s in made], [sketch(s) for s in made]
    splits = assign(prints, sketches)
    assert splits[::2] == splits[1::2]
    assert assign(prints[::-1], sketches[::-1]) == splits[::-1]
    for split, share in SPLITS.items():
        assert splits.count(split) / len(splits) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("pieces", "nonempty"), [(0, 0), (1, 1), (2, 2), (3, 3), (10, 3)]
)
def test_few_pieces_still_fill_every_split(pieces, nonempty):
    made = [tunes.sequence(random_tune(seed)) for seed in range(pieces)]
    splits = assign([fingerprint(s) for s in made], [sketch(s) for s in made])
    assert len(set(splits)) == nonempty
    assert not pieces or "train" in splits


KINDS = st.lists(st.sampled_from("ab"), min_size=3, max_size=40)


@settings(max_examples=60, deadline=None)
@given(KINDS, st.integers(0, 10**6))
@example(["b", "a", "b", "b"], 15123)  # whose train split had no b
def test_few_pieces_are_spread_over_the_splits(kinds, salt):
    """Kinds of three groups are in every split, and the others are in a sentence."""
    digests = {i: f"{salt}-{i}" for i in range(len(kinds))}
    splits = assign_groups(digests, kinds=dict(enumerate(kinds)))
    found = {
        split: {kinds[i] for i in splits if splits[i] == split} for split in SPLITS
    }
    common = {kind for kind, count in Counter(kinds).items() if count >= 3}
    assert all(names >= common for names in found.values())
    notices = split_notices([splits[i] for i in digests], kinds)
    short = [split for split, names in found.items() if names != {*kinds}]
    assert [notice.split()[1] for notice in notices] == short
    assert splits == assign_groups(digests, kinds=dict(enumerate(kinds)))


def test_many_pieces_keep_their_splits():
    digests = {i: str(i) for i in range(101)}
    rare = {i: ["common", "rare"][i < 3] for i in digests}
    assert assign_groups(digests, kinds=rare) == assign_groups(digests)
    assert split_notices(["train"] * 101, [["a"]] * 101) == []


def test_metres_and_styles_are_spread_together():
    kinds = {i: (style, metre) for i, (style, metre) in enumerate(4 * [*PAIRS])}
    splits = assign_groups({i: f"x{i}" for i in kinds}, kinds=kinds)
    for split in SPLITS:
        names = {name for i in kinds if splits[i] == split for name in kinds[i]}
        assert names == {"jig", "reel", "waltz", "6/8", "4/4", "3/4"}


PAIRS = [("jig", "6/8"), ("reel", "4/4"), ("waltz", "3/4")]


def test_a_folder_without_enough_pieces_has_a_sentence():
    assert split_notices(["train", "test"], [["jig"], ["jig", "6/8"]]) == [
        "The train split has no piece of 6/8: add pieces, so that there are three of "
        "each that are not variants of each other.",
        "The validation split is empty: it needs at least three pieces that are not "
        "variants of each other.",
    ]
