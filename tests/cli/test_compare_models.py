"""`zoo leaderboard` and `zoo gallery` with what they cannot use."""

import pytest
from commands import command

from zoo.evaluation.leaderboard import Entry, Leaderboard
from zoo.inference.shipped import usable


def test_every_run_is_looked_for_before_any_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for verb in ("leaderboard", "gallery"):
        assert command(f"{verb} tunes_lstm nowhere", monkeypatch) == 2
        assert "there is no run at nowhere" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def measured(monkeypatch):
    """The runs that a leaderboard measures, none of which can write its music."""
    names = []

    def entries(self, runs):
        names.extend(runs)
        yield from (Entry(run, "LSTM", reason="It cannot.") for run in runs)

    monkeypatch.setattr(Leaderboard, "entries", entries)
    return names


def test_without_runs_all_that_ship_are_measured(
    tmp_path, monkeypatch, measured, capsys
):
    assert command(f"leaderboard --out {tmp_path / 'board'}", monkeypatch) == 0
    assert measured == [entry.name for entry in usable("sample")]
    assert "tunes_lstm (LSTM) is left out: It cannot." in capsys.readouterr().out
    assert (tmp_path / "board" / "result.json").exists()


def test_a_gallery_without_models_is_an_error(tmp_path, monkeypatch, capsys):
    out = tmp_path / "page.html"
    monkeypatch.setattr(
        "zoo.evaluation.beside.heard", lambda *x, **y: ([], {"a": "Why."})
    )
    assert command(f"gallery tunes_lstm --out {out}", monkeypatch) == 1
    printed = capsys.readouterr()
    assert "a is left out: Why." in printed.out
    assert "no model writes tunes of 8 bars" in printed.err
    assert not out.exists()
