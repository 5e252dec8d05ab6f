"""Attributes of small phrases, against counts by hand."""

import numpy as np
import pytest

from zoo.data.codecs import Phrase
from zoo.metrics.attributes import ATTRIBUTES, contour_correlation, scale_pitch_classes

CODEC = Phrase(bars=2, metres=("2/4",))


def phrase(words):
    """Returns tokens: MIDI numbers, `|` to hold and `-` to rest."""
    marks = {"|": 1, "-": 2}
    return np.array(
        [marks.get(word) or int(word) - CODEC.low + 3 for word in words.split()]
    )


SCALE = phrase("60 | 62 | 64 | 65 | 67 | 69 | 71 | 72 |")
PULSE = phrase("60 | | | 60 | | | 60 | | | 60 | | |")
OFF = phrase("60 62 | 64 | 65 | 67 | 65 | 64 | 62 | 60")
LAMENT = phrase("57 | 59 60 62 | 64 | 57 | 59 60 62 | 64 |")
REST = phrase("- " * 16)


def sounding(row):
    """Returns the pitch at every step of a melody without rests."""
    pitches = []
    for token in row:
        pitches.append(pitches[-1] if token == 1 else token)
    return pitches


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("note_density", SCALE, 8 / 16),
        ("note_density", REST, 0),
        ("mean_pitch", SCALE, 66.25),
        ("pitch_range", SCALE, 12),
        ("pitch_range", PULSE, 0),
        ("leaps", SCALE, 12 / 7),
        ("leaps", REST, 0),
        ("syncopation", SCALE, 0),
        ("syncopation", OFF, 7 / 9),
        ("repetition", PULSE, 1),
        ("repetition", LAMENT, 1),
        ("repetition", SCALE, 4 / 8),
    ],
)
def test_attributes_match_counts_by_hand(name, row, expected):
    np.testing.assert_allclose(ATTRIBUTES[name](row[None], CODEC), [expected])


def test_a_major_scale_is_major_and_a_minor_phrase_minor():
    major, minor = ATTRIBUTES["majorness"](np.stack([SCALE, LAMENT]), CODEC)
    assert major > 0 > minor


def test_mode_and_range_do_not_depend_on_the_key():
    for name in ("majorness", "pitch_range", "leaps", "repetition"):
        attribute = ATTRIBUTES[name]
        moved = CODEC.transpose(SCALE, 5)
        np.testing.assert_allclose(
            attribute(moved[None], CODEC), attribute(SCALE[None], CODEC)
        )


def test_rests_have_no_pitch():
    for name in ("mean_pitch", "pitch_range"):
        assert np.isnan(ATTRIBUTES[name](REST[None], CODEC)).all()


def test_scale_pitch_classes_sound_long_enough():
    assert scale_pitch_classes(np.stack([SCALE, SCALE]), CODEC) == [
        0,
        2,
        4,
        5,
        7,
        9,
        11,
    ]
    assert scale_pitch_classes(
        np.stack([PULSE, PULSE, PULSE, SCALE]), CODEC, min_fraction=0.1
    ) == [0]
    assert scale_pitch_classes(REST[None], CODEC) == []


def test_contour_correlation_is_over_steps_where_both_sound():
    lines = np.stack([SCALE, OFF, LAMENT, PULSE, REST])
    one = contour_correlation(lines, np.stack([SCALE] * 5), CODEC)
    for value, row in zip(one[:3], lines, strict=False):
        np.testing.assert_allclose(
            value, np.corrcoef(sounding(row), sounding(SCALE))[0, 1]
        )
    np.testing.assert_allclose(one[0], 1)
    assert list(one[3:]) == [0, 0]
