"""Confidence intervals, and comparison of generated with real pieces."""

import math

import numpy as np
import pytest
from handwritten import line, piece

from zoo.data.proto import NoteSequence
from zoo.errors import UsageError
from zoo.metrics.bootstrap import confidence_interval
from zoo.metrics.compare import Row, compare
from zoo.metrics.statistics import STATISTICS

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def walks(seed, n=12, step=2):
    """Returns tunes in C, each a random walk on the scale."""
    rng = np.random.default_rng(seed)
    steps = lambda: rng.integers(-step, step + 1, 24).cumsum() % 8
    return [line(*(SCALE[i] for i in steps()), duration=0.5) for _ in range(n)]


def test_the_interval_of_a_mean_is_near_the_normal_one():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = confidence_interval(values)
    assert found.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(400)
    np.testing.assert_allclose(
        found[1:], [found.value - half, found.value + half], atol=0.1 * half
    )
    assert confidence_interval(values) == found
    assert confidence_interval(values, seed=1) != found


def test_intervals_have_their_nominal_coverage():
    rng = np.random.default_rng(0)
    found = [confidence_interval(rng.exponential(1, 60), seed=i) for i in range(100)]
    assert 0.87 < np.mean([x.low <= 1 <= x.high for x in found]) < 0.98


def test_nan_is_ignored():
    assert confidence_interval(np.array([1.0, np.nan, 3.0]), np.median)[0] == 2
    assert confidence_interval(np.ones(4)) == (1, 1, 1)
    one, none = (
        confidence_interval(np.array([2.0, np.nan])),
        confidence_interval(np.array([np.nan])),
    )
    assert one.value == 2
    assert np.isnan([one.low, one.high, *none]).all()


def rows(*pieces, **options) -> dict[str, Row]:
    return {row.name: row for row in compare(*pieces, **options)}


def test_pieces_of_one_distribution_are_close_and_of_another_are_not():
    real = walks(0)
    alike, other = rows(walks(1), real), rows(walks(1, step=7), real)
    assert set(STATISTICS) < set(alike)
    assert alike["intervals"].divergence == pytest.approx(
        alike["intervals"].chance, abs=0.01
    )
    assert other["intervals"].divergence > 3 * other["intervals"].chance
    assert alike["in_real_4"].generated.value > other["in_real_4"].generated.value
    assert alike["in_real_4"].overlap > other["in_real_4"].overlap
    assert alike["scale_consistency"].generated == (1, 1, 1)
    assert alike["scale_consistency"].overlap == 1


def test_a_collapsed_model_has_a_high_self_bleu():
    found = rows(walks(1)[:1] * 12, walks(0))
    assert found["self_bleu"].generated.value == pytest.approx(1)
    assert found["self_bleu"].real.high < 0.9
    assert found["distinct_4"].generated.value < found["distinct_4"].real.value / 4


def test_copies_are_detected():
    training = walks(2, n=30)
    copied = [
        line(*(x.pitch + 1 for x in piece.notes), duration=0.5)
        for piece in training[:12]
    ]
    found = rows(training[:6] + copied[6:], walks(0), training=training)
    assert found["copy_longest"].generated.value == 24
    assert found["copy_any_key"].generated == (24, 24, 24)
    assert found["copy"].generated.value < 24
    assert found["copy_any_key_longest"].real.value < 24
    assert "copy" not in rows(walks(1), walks(0))


def test_real_pieces_are_compared_with_the_other_real_ones():
    same, other = line(60, 62, 64, 65, 67, 69), line(60, 72, 60, 72, 60, 72)
    found = rows([same], [same, same, other])["in_real_4"]
    assert (found.generated.value, found.real.value) == (1, pytest.approx(2 / 3))


def test_a_metric_without_values_is_nan():
    found = rows(walks(1, 3), walks(0, 3))
    name, generated, real, *others = found["drum_pattern"]
    assert name == "drum_pattern"
    assert np.isnan([*generated, *real, *others]).all()
    assert found["scale_consistency"].generated == (1, 1, 1)


def test_silence_and_drums_are_compared():
    drums = piece((0, 0.25, 36), (1, 0.25, 38), (2, 0.25, 36), drum=True)
    found = rows([NoteSequence(), drums], [drums, drums])
    assert found["drum_pattern"].overlap == 1
    assert math.isnan(found["pitch_classes"].divergence)


def test_an_empty_set_is_refused():
    with pytest.raises(UsageError, match="at least one generated and one real"):
        compare([], walks(0))
