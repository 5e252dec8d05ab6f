"""Symptoms of collapse are reported once, and only if they persist."""

import pytest

from zoo.train.collapse import PATIENCE, CollapseMonitor

GOOD, BAD = (
    {"critic/duplicates": 0.0, "other": 99.0},
    {"critic/duplicates": 0.9, "other": 99.0},
)


def test_a_persistent_symptom_is_reported_once():
    monitor = CollapseMonitor()
    warnings = [monitor.check(step, BAD) for step in range(3 * PATIENCE)]
    assert [bool(x) for x in warnings] == [
        step == PATIENCE - 1 for step in range(3 * PATIENCE)
    ]
    assert "critic/duplicates is 0.9" in warnings[PATIENCE - 1][0]


def test_a_passing_symptom_is_not_reported():
    monitor = CollapseMonitor()
    for step in range(4 * PATIENCE):
        assert not monitor.check(step, GOOD if step % PATIENCE == 0 else BAD)


@pytest.mark.parametrize(("name", "value"), [("spread", 0.01), ("gap", 60.0)])
def test_the_other_symptoms_are_reported(name, value):
    monitor = CollapseMonitor()
    warnings = [
        line
        for step in range(PATIENCE)
        for line in monitor.check(step, {f"x/{name}": value})
    ]
    assert len(warnings) == 1
