"""Attributes of phrases written by hand, whose figures can be counted."""

import numpy as np
import pytest

from zoo.data.codecs import Phrase
from zoo.metrics.attributes import ATTRIBUTES, contour_correlation, scale_pitch_classes

CODEC = Phrase(bars=2, metres=("2/4",))


def phrase(words):
    """Tokens by MIDI number, `|` to hold and `-` to rest."""
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
    """The pitch at every step of a line without rests."""
    heard = []
    for token in row:
        heard.append(heard[-1] if token == 1 else token)
    return heard


@pytest.mark.parametrize(
    ("name", "row", "figure"),
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
def test_figures_are_those_counted_by_hand(name, row, figure):
    np.testing.assert_allclose(ATTRIBUTES[name](row[None], CODEC), [figure])


def test_a_scale_is_major_and_its_relative_on_another_note_minor():
    major, minor = ATTRIBUTES["majorness"](np.stack([SCALE, LAMENT]), CODEC)
    assert major > 0 > minor


def test_mode_and_range_do_not_depend_on_the_key():
    for name in ("majorness", "pitch_range", "leaps", "repetition"):
        measure = ATTRIBUTES[name]
        moved = CODEC.transpose(SCALE, 5)
        np.testing.assert_allclose(
            measure(moved[None], CODEC), measure(SCALE[None], CODEC)
        )


def test_what_has_no_notes_has_no_pitch():
    for name in ("mean_pitch", "pitch_range"):
        assert np.isnan(ATTRIBUTES[name](REST[None], CODEC)).all()


def test_a_scale_is_what_sounds_for_long_enough():
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
        np.stack([PULSE, PULSE, PULSE, SCALE]), CODEC, least=0.1
    ) == [0]
    assert scale_pitch_classes(REST[None], CODEC) == []


def test_contours_are_correlated_where_both_lines_sound():
    lines = np.stack([SCALE, OFF, LAMENT, PULSE, REST])
    one = contour_correlation(lines, np.stack([SCALE] * 5), CODEC)
    for figure, row in zip(one[:3], lines, strict=False):
        np.testing.assert_allclose(
            figure, np.corrcoef(sounding(row), sounding(SCALE))[0, 1]
        )
    np.testing.assert_allclose(one[0], 1)
    assert list(one[3:]) == [0, 0]
