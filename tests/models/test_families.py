"""Families are found by their files."""

import pytest

import zoo.models

MINE = """
import dataclasses

from zoo.models.lstm import LSTM


@dataclasses.dataclass(frozen=True)
class Mine(LSTM):
    pass


TINY = Mine(vocab=8, embed=4, width=8)
"""


def test_a_family_in_a_new_file_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.setattr(zoo.models, "__path__", [*zoo.models.__path__, str(tmp_path)])
    from zoo.models import Mine

    assert Mine(vocab=8, embed=4, width=8) == zoo.models.families()["mine"].TINY
    assert "Mine" in dir(zoo.models)


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = zoo.models.Nothing
