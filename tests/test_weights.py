"""The weights that ship: whole, small, licensed, and able to write a tune."""

import functools
import pathlib
import re
import runpy
import time
import tomllib

import pytest

import zoo
from zoo.evaluation.checks import agree, checked_metrics, checked_name
from zoo.inference.abilities import BEST, FIGURES
from zoo.inference.shipped import WEIGHTS, Shipped, names, shipped
from zoo.listen.beginnings import MAX_BYTES
from zoo.runner.card import COMMANDS, card_page, picture_of_samples
from zoo.train.weights import SUFFIX, WeightFile

ROOT = pathlib.Path(__file__).parents[1]
CARDS = ROOT / "docs" / "models" / "cards"
TOLERANCE = 2e-3  # of figures on another processor
SHARE = 1e-3  # by which narrowing may move them
MAX_MEGABYTES = 80


@pytest.fixture(params=names())
def entry(request) -> Shipped:
    return next(x for x in shipped() if x.name == request.param)


@functools.cache
def loaded(name: str):
    return zoo.load(name, accept_licence=True)


def test_there_are_some_and_they_are_small():
    assert "tunes_lstm" in names()
    assert sum(entry.bytes for entry in shipped()) < MAX_MEGABYTES * 1e6
    assert {path.suffix for path in WEIGHTS.iterdir()} <= {SUFFIX}


def test_a_wheel_has_all_weights():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["zoo.weights"]
    packed = {path for pattern in patterns for path in WEIGHTS.glob(pattern)}
    assert packed == {*WEIGHTS.iterdir()}


def test_a_record_says_what_a_card_needs(entry):
    card = entry.card
    assert card["name"] == entry.name
    assert card["licences"]
    assert entry.name.endswith("_nc") == card["non_commercial"]
    restricted = [x for x in card["licences"].values() if "non-commercial" in x.lower()]
    assert card["non_commercial"] or not restricted
    assert {"command", "date", "experiment", "versions"} <= card["result"].keys()
    assert card["headline"] in card["result"]["metrics"]
    assert entry.about["family"]
    assert entry.about["codec"]
    assert entry.about["task"]


def test_a_record_names_no_folder_of_a_machine(entry):
    text = repr(WeightFile(WEIGHTS / f"{entry.name}{SUFFIX}").about)
    assert not re.search(r"['\" :]/(home|tmp|work|root|Users|mnt)/", text)


def test_the_headline_figure_is_regenerated_from_the_file(entry):
    """The file holds rows of the test split: no corpus is needed."""
    found = checked_metrics(loaded(entry.name))
    assert agree(found, entry.card["check"], TOLERANCE), (found, entry.card["check"])
    headline = entry.card["headline"]
    # those rows are a part of the split
    whole = entry.metrics[headline]
    assert found[checked_name(headline)] == pytest.approx(whole, rel=0.25)


def test_figures_hold_in_the_precision_of_the_file(entry):
    """The record has those of the parameters in float32, before they were narrowed."""
    card = entry.card
    assert "exact" in card or card["precision"] in ("float16", "float32")
    assert agree(card["check"], card.get("exact", card["check"]), SHARE)


def test_parameters_are_read_within_a_second(entry):
    began = time.process_time()
    WeightFile(WEIGHTS / f"{entry.name}{SUFFIX}").leaves()
    assert time.process_time() - began < 1


def test_a_card_is_that_of_its_file(entry):
    page = CARDS / f"{entry.name}.md"
    assert page.read_text() == card_page(entry), "run `make tables`"


def test_a_card_has_the_picture_of_its_samples(entry):
    picture = CARDS / picture_of_samples(entry)
    assert picture.exists() == ("sample" in entry.verbs), "run `zoo ship NAME`"
    assert not picture.exists() or picture.stat().st_size <= MAX_BYTES


def test_models_that_write_write_music(entry):
    if "sample" in entry.verbs:
        pieces = loaded(entry.name).sample(2, seed=0)
        assert all(len(piece.notes) > 1 for piece in pieces)


def test_every_verb_has_a_command_and_a_figure():
    assert COMMANDS.keys() == BEST.keys()
    assert {best.figure for best in BEST.values()} <= FIGURES.keys()


@pytest.mark.parametrize("name", ["tunes_lstm", "tunes_transformer"])
def test_models_of_published_rows_are_as_published(name):
    shipped = loaded(name).about["card"]["result"]["metrics"]["test_nll"]
    result = runpy.run_path(str(ROOT / "docs" / "tables" / "cells.py"))["result"]
    seeds = result(name)["metrics"]["test_nll"]["seeds"]
    assert min(abs(x - shipped) for x in seeds) < 1e-4
