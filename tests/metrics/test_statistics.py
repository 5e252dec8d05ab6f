"""Statistics of small pieces, against counts by hand."""

import math

import numpy as np
import pytest
from handwritten import added, line, piece

from zoo.data.proto import NoteSequence
from zoo.metrics.note_table import note_table
from zoo.metrics.statistics import STATISTICS, statistics_table

BEAT = [(i / 4, 0.25, 36) for i in (0, 2, 4, 8)]  # on 16ths
NOTHING = NoteSequence()
SCALE = line(60, 62, 64, 65, 67, 69, 71, 72)


def statistic(name, sequence):
    return STATISTICS[name](sequence)


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_of_an_empty_piece_are_nan(name):
    assert math.isnan(statistic(name, NOTHING))


@pytest.mark.parametrize(
    "name", ["used_pitch_classes", "qualified_notes", "polyphonicity"]
)
def test_drums_have_no_pitch(name):
    assert math.isnan(statistic(name, piece(*BEAT, drum=True)))
    both = added(piece(*BEAT, drum=True), (0, 1, 60), track=1)
    assert statistic(name, both) == statistic(name, piece((0, 1, 60)))


def test_empty_bars_are_silent_bars():
    held = piece((0, 6, 60), (17, 1, 60), end=24.0)
    assert statistic("empty_bars", held) == 3 / 6  # the first two and the fifth are not
    assert statistic("empty_bars", piece((0, 1, 60), metre=(3, 4), end=12.0)) == 3 / 4


def test_tempo_does_not_matter():
    notes = [(0, 6, 60), (8, 1, 64), (8, 1, 67), (12.25, 0.5, 65)]
    slow, fast = (piece(*notes, qpm=qpm) for qpm in (40.0, 173.0))
    np.testing.assert_allclose(statistics_table([slow]), statistics_table([fast]))


def test_pitch_classes_are_counted_by_bar():
    two = piece((0, 1, 60), (1, 1, 72), (2, 4, 64), (6, 1, 67), (13, 1, 61))
    assert statistic("used_pitch_classes", two) == pytest.approx(
        (2 + 2 + 1) / 3
    )  # the silent bar is ignored


def test_notes_shorter_than_a_32nd_are_not_qualified():
    assert (
        statistic("qualified_notes", piece((0, 1 / 8, 60), (1, 1 / 12, 60), (2, 1, 60)))
        == 2 / 3
    )


def test_more_than_two_pitches_are_polyphonic():
    chord = piece((0, 2, 60), (0, 2, 64), (1, 1, 67), (4, 2, 67))
    assert statistic("polyphonicity", chord) == 1 / 4
    assert (
        statistic("polyphonicity", added(chord, (0, 2, 64), track=1)) == 1 / 4
    )  # the same pitch
    assert statistic("polyphonicity", added(chord, (0, 1, 48), track=1)) == 2 / 4


def test_drums_off_the_16ths_are_off_the_pattern():
    assert statistic("drum_pattern", piece(*BEAT, (1 / 3, 0.2, 38), drum=True)) == 4 / 5
    assert statistic("drum_pattern", piece((0.26, 0.2, 38), drum=True)) == 1
    late = piece((0.25, 0.2, 38), (4.75, 0.2, 38), metre=(3, 8), drum=True)
    assert statistic("drum_pattern", late) == 1
    assert math.isnan(statistic("drum_pattern", SCALE))


def centroid(*classes):
    """Returns the tonal centroid by the angles of Harte et al."""
    angles = [(1, 7 * np.pi / 6), (1, 3 * np.pi / 2), (0.5, 2 * np.pi / 3)]
    points = [
        [f for r, a in angles for f in (r * np.sin(c * a), r * np.cos(c * a))]
        for c in classes
    ]
    return np.mean(points, axis=0)


def test_tonal_distance_is_between_tonal_centroids():
    apart = lambda one, other: np.linalg.norm(centroid(*one) - centroid(*other))
    two = added(
        piece((0, 1, 60), (1, 1, 64), (4, 3, 60)), (0, 3, 67), (4, 1, 66), track=1
    )
    bars = [apart([0, 4], [7]), apart([0], [6])]
    assert statistic("tonal_distance", two) == pytest.approx(np.mean(bars))
    three = added(two, (5, 1, 62), track=2)
    more = [*bars, apart([0], [2]), apart([6], [2])]
    assert statistic("tonal_distance", three) == pytest.approx(np.mean(more))
    octaves = added(line(60, 64), (0, 1, 48), (1, 1, 52), track=1)
    assert statistic("tonal_distance", octaves) == pytest.approx(0)
    assert math.isnan(
        statistic("tonal_distance", added(line(60), *BEAT, track=1, drum=True))
    )


def test_the_best_scale_has_most_of_the_notes():
    assert statistic("scale_consistency", SCALE) == 1
    assert (
        statistic("scale_consistency", line(57, 59, 60, 62, 64, 65, 67, 69)) == 1
    )  # A minor
    assert statistic("scale_consistency", line(*range(60, 72))) == 7 / 12
    assert statistic("scale_consistency", line(61, 63, 65, 66, 68, 70, 72, 67)) == 7 / 8


def test_groove_consistency_counts_steps_that_differ():
    same = piece(
        *((4 * bar + at, 0.5, 60 + at) for bar in range(3) for at in (0, 1, 3))
    )
    assert statistic("groove_consistency", same) == 1
    other = piece((0, 1, 60), (1, 1, 60), (4, 1, 60), (4.5, 1, 60), (6, 1, 60))
    assert statistic("groove_consistency", other) == 1 - 3 / 64
    assert math.isnan(statistic("groove_consistency", line(60, 62)))  # one bar


def test_bars_follow_the_metre_and_pickups_are_short():
    tune = piece(
        (0, 1, 60), (1, 3, 60), (4, 1, 60), (5, 1, 60), (7, 1, 60), metre=(1, 4)
    )
    tune.time_signatures.add(time=1, numerator=3, denominator=4)
    np.testing.assert_allclose(note_table(tune).bars, [[0, 1], [1, 4], [4, 7], [7, 10]])
    cut = piece((0, 7, 60))
    cut.time_signatures.add(time=6, numerator=2, denominator=4)
    np.testing.assert_allclose(note_table(cut).bars, [[0, 4], [4, 6], [6, 8]])
    assert statistic("groove_consistency", tune) == pytest.approx(
        1 - 1 / 48
    )  # except the pickup


def test_an_onset_just_before_a_bar_belongs_to_it():
    bar, step = note_table(
        piece((0, 1, 60), (3.99, 1, 60), (5.26, 1, 60))
    ).bar_positions(4)
    assert (bar.tolist(), step.tolist()) == ([0, 1, 1], [0, 0, 5])


def test_a_table_has_a_row_for_each_piece():
    found = statistics_table([SCALE, NOTHING])
    assert found.shape == (2, len(STATISTICS))
    assert statistics_table([]).shape == (0, len(STATISTICS))
    expected = [statistic(SCALE) for statistic in STATISTICS.values()]
    np.testing.assert_array_equal(found[0], expected)
