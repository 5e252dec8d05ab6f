"""Settings of texts: what the grammar allows, against rules that are checked anew."""

import dataclasses

import numpy as np
import pytest

from zoo.data.codecs import Melody
from zoo.data.codecs.grammar import NEVER, padded
from zoo.data.codecs.text_setting import BEATS, DIVISIONS, STEPS, TextSetting, fitted
from zoo.data.refusal import Refused


def stresses(*lines: str):
    """Returns lines of `x` for stressed syllables and `-` for others."""
    return tuple(tuple(x == "x" for x in line) for line in lines)


BALLAD = stresses("-x-x-x-x", "-x-x-x", "x-x-x-x", "--x-x-x")
FEW = stresses("x-x", "x")


def walks(setting: TextSetting, count: int, seed: int = 0):
    """Yields streams that the grammar allows, drawn at random."""
    rng, tables = np.random.default_rng(seed), setting.grammar()
    for _ in range(count):
        node, row = 0, []
        while len(row) < setting.events:
            left = setting.events - len(row)
            row.append(rng.choice(np.flatnonzero(tables.needs[node] < left)))
            node = tables.follow[node, row[-1]]
        assert tables.stops[node]
        yield np.array(row, np.int32)


@pytest.mark.parametrize("metre", ["4/4", "3/4", "6/8", "2/2", "5/8"])
def test_streams_are_melodies_with_a_note_for_each_syllable(metre):
    setting = fitted(
        TextSetting(lines=BALLAD, metre=metre, line_bars=4, compass=(60, 72))
    )
    legal = Melody().grammar()
    for row in walks(setting, 20):
        assert legal.first_illegal(row) is None
        piece = setting.decode(row)
        assert len(piece.notes) == sum(map(len, BALLAD))
        assert {note.pitch for note in piece.notes} <= {*range(60, 73)}
        assert len(setting.onset_steps(row)) == len(piece.notes)
        ends = [note.end_time for note in piece.notes]
        begins = [note.start_time for note in piece.notes]
        gaps = np.array(begins[1:]) - np.array(ends[:-1])
        beat = 60 / piece.tempos[0].qpm * setting.pulse / 4
        inside = np.cumsum([len(line) for line in BALLAD])[:-1] - 1
        assert np.delete(gaps, inside) == pytest.approx(0)
        assert gaps[inside].max() <= beat + 1e-6


@pytest.mark.parametrize("freedom", [BEATS, DIVISIONS])
def test_stressed_syllables_begin_on_beats(freedom):
    lines = stresses("-x-x-x-x", "xx-x--x")
    setting = TextSetting(lines=lines, line_bars=4, freedom=freedom)
    stressed = np.array([x for line in lines for x in line])
    for row in walks(setting, 20):
        steps = setting.onset_steps(row)
        assert (steps % 2 == 0).all()
        if freedom == BEATS:
            assert (steps[stressed] % 4 == 0).all()
            assert (steps[~stressed] % 16 != 0).all()


def test_lines_begin_in_their_bars_and_pickups_before():
    setting = TextSetting(lines=stresses("--x-x", "-x-x-", "x"), line_bars=2)
    assert setting.pickup == 4
    line = 2 * 16
    for row in walks(setting, 20):
        steps = setting.onset_steps(row)
        assert (steps[:2] >= -4).all()
        assert (steps[:2] < 0).all()
        assert 0 <= steps[2] <= 4
        assert line - 4 <= steps[5] < line <= steps[6]
        assert 2 * line <= steps[10]


def test_a_fitted_setting_is_as_strict_as_the_text_lets():
    assert fitted(TextSetting(lines=FEW, line_bars=1)).freedom == BEATS
    clash = stresses("xxxxxx")
    assert fitted(TextSetting(lines=clash, line_bars=1)).freedom == DIVISIONS
    crowd = stresses("x" * 10)
    assert fitted(TextSetting(lines=crowd, line_bars=1)).freedom == STEPS


def test_too_many_syllables_are_refused():
    with pytest.raises(Refused, match="20 syllables of a line do not fit 1 bars of"):
        fitted(TextSetting(lines=stresses("x" * 20), line_bars=1))


def test_accents_are_those_of_the_metre():
    accents = {
        "4/4": [3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0],
        "3/4": [3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
        "6/8": [3, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0],
        "9/8": [3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
    }
    for metre, expected in accents.items():
        setting = TextSetting(lines=FEW, metre=metre)
        steps = np.arange(2 * len(expected))
        assert setting.accent(steps).tolist() == 2 * expected


def test_padding_adds_no_stream():
    tables = dataclasses.replace(Melody(bars=1)).grammar()
    more = padded(tables, len(tables.stops) + 7)
    assert (more.follow[: len(tables.stops)] == tables.follow).all()
    assert (more.needs[: len(tables.stops)] == tables.needs).all()
    assert (more.needs[len(tables.stops) :] == NEVER).all()
