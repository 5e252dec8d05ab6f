"""Copies, against an exhaustive search."""

import numpy as np
import pytest
from handwritten import added, line, piece

from zoo.data.proto import NoteSequence
from zoo.metrics.memorization import Copy, longest_copies


def random_piece(rng, drum=False):
    """Returns a few notes of few pitches and durations, with chords and rests."""
    count = rng.integers(0, 14)
    onsets = np.cumsum(rng.integers(0, 3, count)) / 4
    lengths, pitches = rng.integers(1, 3, count) / 4, rng.integers(60, 63, count)
    return piece(
        *zip(onsets.tolist(), lengths.tolist(), pitches.tolist(), strict=True),
        drum=drum,
    )


def notes(sequence):
    """(onset, duration, pitch) in 16ths, at one quarter a second, in order."""
    times = lambda x: (round(4 * x.start_time), round(4 * (x.end_time - x.start_time)))
    return sorted(
        ((*times(x), x.pitch) for x in sequence.notes),
        key=lambda note: (note[0], note[2]),
    )


def same(one, other, transposed):
    """Tests equality of notes up to a shift of time and, if `transposed`, of pitch."""
    shift = lambda xs: [
        (on - xs[0][0], length, p - transposed * xs[0][2]) for on, length, p in xs
    ]
    return shift(one) == shift(other)


def longest(sequence, training, transposed):
    """Returns the notes of the longest copy, at least two, or 0."""
    mine = notes(sequence)
    for size in range(len(mine), 1, -1):
        excerpts = [mine[i : i + size] for i in range(len(mine) - size + 1)]
        for other in map(notes, training):
            for j in range(len(other) - size + 1):
                if any(same(x, other[j : j + size], transposed) for x in excerpts):
                    return size
    return 0


@pytest.mark.parametrize("transposed", [False, True])
def test_copies_match_an_exhaustive_search(transposed):
    rng = np.random.default_rng(0)
    for _ in range(25):
        training = [random_piece(rng) for _ in range(rng.integers(1, 6))]
        pieces = [random_piece(rng) for _ in range(4)]
        found = longest_copies(pieces, training, transposed)
        assert [x.notes for x in found] == [
            longest(x, training, transposed) for x in pieces
        ]
        for copy, sequence in zip(found, pieces, strict=True):
            if copy.notes:
                mine = notes(sequence)[copy.at : copy.at + copy.notes]
                theirs = notes(training[copy.piece])[
                    copy.start : copy.start + copy.notes
                ]
                assert same(mine, theirs, transposed)
            else:
                assert copy == Copy(0, -1, -1, -1)


TUNE = line(60, 62, 64, 65, 67, 60, duration=0.5)


def test_a_copy_has_its_location():
    others = [line(70, 71), line(48, 62, 64, 65, 67, 50, duration=0.5), line(71, 70)]
    assert longest_copies([TUNE], others) == [Copy(notes=4, at=1, piece=1, start=1)]


def test_transposed_copies_count_on_request():
    higher = line(65, 67, 69, 70, 72, 65, duration=0.5)
    assert longest_copies([TUNE], [higher])[0].notes == 2  # 65 67
    assert longest_copies([TUNE], [higher], transposed=True)[0].notes == 6


def test_tempo_and_position_do_not_matter_and_rhythm_does():
    moved = [(0.125 + i / 2, 0.5, p) for i, p in enumerate((60, 62, 64, 65, 67, 60))]
    assert longest_copies([TUNE], [piece(*moved, qpm=97.3)])[0].notes == 6
    assert longest_copies([TUNE], [line(60, 62, 64, 65, 67, 60)])[0].notes == 0


def test_excerpts_lie_within_a_piece():
    assert longest_copies(
        [TUNE], [line(60, 62, duration=0.5), line(64, 65, duration=0.5)]
    ) == [Copy(2, 0, 0, 0)]


def test_drums_count_alone_and_are_not_transposed():
    beat, other = (
        piece((0, 1, p), (1, 1, p + 2), (2, 1, p), drum=True) for p in (36, 42)
    )
    assert longest_copies([beat], [beat], transposed=True)[0].notes == 3
    assert longest_copies([beat], [other], transposed=True)[0].notes == 0
    pitched = line(36, 38, 36)
    assert longest_copies([beat], [pitched])[0].notes == 0
    assert (
        longest_copies([added(pitched, (0.5, 1, 40), drum=True)], [pitched])[0].notes
        == 3
    )


def test_empty_inputs_have_no_copies():
    assert longest_copies([TUNE, NoteSequence()], []) == [Copy(), Copy()]
    assert longest_copies([TUNE, NoteSequence()], [NoteSequence()]) == [Copy(), Copy()]
    assert longest_copies([], [TUNE]) == []


def test_long_repetitions():
    same_note = line(*[60] * 3000, duration=0.25)
    assert (
        longest_copies([line(*[60] * 500, duration=0.25)], [same_note])[0].notes == 500
    )
