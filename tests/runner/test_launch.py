"""Experiments as command lines: their options, help texts and refusals."""

import contextlib
import dataclasses
import importlib
import io
import pathlib

import pytest
import tyro

from zoo.errors import UsageError
from zoo.models import LSTM
from zoo.runner.launch import field_docs, launch, without_sizes
from zoo.runner.run import sized
from zoo.tasks import Events

ROOT = pathlib.Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "experiments").glob("*/*.py"))


def help_of(name: str) -> str:
    """Returns the --help text of an experiment."""
    command = without_sizes(getattr(importlib.import_module(name), name))
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as stop:
        tyro.cli(command, args=["--help"], config=(tyro.conf.OmitArgPrefixes,))
    assert stop.value.code == 0
    return text.getvalue()


def words(text: str) -> str:
    """Returns a text in one line, without the frames around help texts."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_has_a_command_line(name):
    assert "--workdir" in help_of(name)


@pytest.mark.parametrize("option", ["--vocab", "--bar-lengths"])
def test_what_the_data_decide_is_no_option(option):
    assert option not in help_of("tunes_attention_rnn")


def test_help_texts_are_the_docstrings_of_fields(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = words(help_of("tunes_lstm"))
    assert field_docs(LSTM)["segment"] in text
    assert "Events of a row; several pieces share one." in text
    assert "(default: 64)" in text  # of `embed` in the experiment, not of the family


def test_an_unknown_option_is_suggested(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    experiment = importlib.import_module("tunes_lstm").tunes_lstm
    with pytest.raises(SystemExit) as stop:
        launch(experiment, ["--widht", "8"])
    assert stop.value.code == 2
    assert "--width" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"vocab": 7}, "vocab is 7 and the data have 83: leave vocab out"),
        ({"length": 8}, "length is 8 and the data have 32: leave length out"),
    ],
)
def test_a_field_that_contradicts_the_data_is_refused(fields, says):
    task = Events(length=32)
    with pytest.raises(UsageError, match=says):
        sized(dataclasses.replace(LSTM(), **fields), task)


def test_a_field_that_agrees_with_the_data_is_accepted():
    task = Events(length=32)
    vocab = task.coder.vocab
    assert sized(LSTM(), task) == LSTM(vocab=vocab, length=32)
    assert sized(LSTM(vocab=vocab, length=32), task) == sized(LSTM(), task)
