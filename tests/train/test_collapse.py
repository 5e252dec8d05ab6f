"""Signs of collapse are said once, and only when they hold."""

import pytest

from zoo.train.collapse import HOLDS, Watch

GOOD, BAD = (
    {"critic/duplicates": 0.0, "other": 99.0},
    {"critic/duplicates": 0.9, "other": 99.0},
)


def test_a_sign_that_holds_is_said_once():
    watch = Watch()
    said = [watch.look(step, BAD) for step in range(3 * HOLDS)]
    assert [bool(x) for x in said] == [step == HOLDS - 1 for step in range(3 * HOLDS)]
    assert "critic/duplicates is 0.9" in said[HOLDS - 1][0]


def test_one_that_passes_is_not():
    watch = Watch()
    for step in range(4 * HOLDS):
        assert not watch.look(step, GOOD if step % HOLDS == 0 else BAD)


@pytest.mark.parametrize(("name", "value"), [("spread", 0.01), ("gap", 60.0)])
def test_the_others_are_looked_at_too(name, value):
    watch = Watch()
    said = [
        line for step in range(HOLDS) for line in watch.look(step, {f"x/{name}": value})
    ]
    assert len(said) == 1
