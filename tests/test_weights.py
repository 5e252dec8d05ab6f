"""The weights that ship: whole, small, licensed, and able to write a tune."""

import json
import pathlib
import runpy

import pytest

import zoo
from zoo.core import Classifier, supports
from zoo.inference.loading import WEIGHTS, weights

ROOT = pathlib.Path(__file__).parents[1]
SHIP = runpy.run_path(str(ROOT / "experiments" / "tools" / "ship.py"))


@pytest.fixture(params=weights())
def name(request) -> str:
    return request.param


def test_there_are_some():
    assert "tunes_lstm" in weights()


def test_the_card_describes_the_files(name):
    card = json.loads((WEIGHTS / name / "card.json").read_text())
    assert SHIP["weigh"](WEIGHTS / name).items() <= card.items()
    assert card["bytes"] < 2 * 2**20
    assert card["licences"]
    assert not any(
        "non-commercial" in text.lower() for text in card["licences"].values()
    )
    assert card["result"]["metrics"]["test_nll"] < 2


def test_they_write_music_and_name_no_machine(name):
    model = zoo.load(name)
    writes = not supports(model.family, Classifier)
    assert not writes or all(len(piece.notes) > 1 for piece in model.sample(2, seed=0))
    for path in (WEIGHTS / name).rglob("*"):
        assert path.is_dir() or b"/checkpoints" not in path.read_bytes(), path
