"""Measuring takes no longer than training, and says how far it is."""

import numpy as np
import pytest

from zoo.train import measuring
from zoo.train.measuring import LEAST, affordable, bounded, followed, quiet


def test_a_run_pays_for_as_many_passes_as_it_has_trained():
    assert affordable(40 * 128, passes=67) == 3 * 40 * 128 // 67
    assert affordable(2) == LEAST


@pytest.mark.parametrize("rows", [8 * 10, 5000])
def test_a_long_run_is_measured_on_every_batch_in_order(rows):
    assert [*bounded(range(10), rows, 8)] == [*range(10)]


def test_a_short_run_is_measured_on_batches_from_all_of_the_split(capsys):
    chosen = bounded(range(1000), 800, 8)
    assert len(chosen) == 100 == len(set(chosen))
    assert chosen == sorted(chosen) == bounded(iter(range(1000)), 800, 8)
    assert 400 < np.mean(chosen) < 600
    assert "measured on 100 of 1000 batches" in capsys.readouterr().err
    with quiet(True):
        bounded(range(1000), 800, 8)
    assert capsys.readouterr().err == ""


def test_measuring_says_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(measuring, "LINE_INTERVAL", 0.0)
    assert [*followed("ab", "measuring test")] == ["a", "b"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("measuring test: 1 done after ")
