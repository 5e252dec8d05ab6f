"""Pictures of the beginnings of pieces."""

import numpy as np
import pytest
from matplotlib.image import imread
from pieces import line

from zoo.data.refusal import Refused
from zoo.errors import ZooError
from zoo.listen import beginnings
from zoo.listen.beginnings import beginning, plot_beginnings

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def ink(path):
    """Returns the rows and the columns of a picture that are not white."""
    dark = imread(path)[..., :3].min(axis=-1) < 0.5
    return np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))


def test_scores_are_one_below_the_other(tmp_path):
    for count in (1, 2):
        plot_beginnings([line(SCALE)] * count, tmp_path / f"{count}.png")
    (one, wide), (two, width) = (ink(tmp_path / f"{n}.png") for n in (1, 2))
    assert abs(np.ptp(width) - np.ptp(wide)) <= 1
    assert np.ptp(two) > 2 * np.ptp(one)
    np.testing.assert_allclose(two[: len(one)], one)


def test_a_long_piece_is_shown_up_to_its_eighth_bar(tmp_path):
    for bars in (8, 40):
        plot_beginnings([line(SCALE[:4] * bars)], tmp_path / f"{bars}.png")
    (tall, wide), (height, width) = (ink(tmp_path / f"{n}.png") for n in (8, 40))
    assert np.ptp(height) == pytest.approx(np.ptp(tall), abs=12)
    assert np.ptp(width) <= np.ptp(wide) + 12


def test_a_large_picture_has_fewer_bars(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    plot_beginnings([line(SCALE * 8)], path)
    size = path.stat().st_size
    monkeypatch.setattr(beginnings, "MAX_BYTES", size - 1)
    plot_beginnings([line(SCALE * 8)], path)
    assert 0 < path.stat().st_size < size


def test_pieces_that_cannot_be_engraved_are_piano_rolls(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise Refused("engraving", "The score cannot be engraved.")

    monkeypatch.setattr(beginnings, "engrave", refuse)
    plot_beginnings([line(SCALE * 8), line(SCALE)], tmp_path / "a.png")
    colours = imread(tmp_path / "a.png")[..., :3]
    assert (colours.max(axis=-1) - colours.min(axis=-1)).max() > 0.3
    assert (tmp_path / "a.png").stat().st_size <= beginnings.MAX_BYTES
    with pytest.raises(ZooError, match="no pieces to plot"):
        plot_beginnings([], tmp_path / "none.png")


def test_the_beginning_is_that_many_bars():
    piece = line(SCALE * 4)  # of quarters in 4/4
    assert [note.pitch for note in beginning(piece, 3).notes] == (SCALE * 4)[:12]
