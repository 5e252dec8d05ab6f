"""Pictures of a latent space say what they are of."""

import numpy as np
import pytest
from matplotlib.image import imread

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.curves import Panel, draw
from zoo.listen.latent import latent_map, strip


def note(pitch):
    sequence = NoteSequence(total_time=2.0)
    sequence.notes.add(pitch=pitch, velocity=80, start_time=0.0, end_time=1.0)
    return sequence


def ink(picture, more=0, less=1):
    """Rows and columns of pixels that have more of one primary colour than of another."""
    return np.argwhere(picture[..., more] - picture[..., less] > 0.15)


def test_pieces_of_a_path_stand_side_by_side_and_rise(tmp_path):
    strip([note(60), note(66), note(72)], tmp_path / "strip.png")
    picture = imread(tmp_path / "strip.png")
    rows, columns = ink(picture).T
    third = picture.shape[1] / 3
    heights = [rows[(columns // third).astype(int) == i].mean() for i in range(3)]
    assert heights[0] > heights[1] > heights[2]
    with pytest.raises(ZooError, match="no pieces to draw"):
        strip([], tmp_path / "none.png")


def test_a_map_lies_along_what_varies_most(tmp_path):
    z = np.random.default_rng(0).normal(size=(40, 5)) * [0.01, 5, 0.01, 1, 0.01]
    latent_map(z, ["low" if x < 0 else "high" for x in z[:, 1]], tmp_path / "map.png")
    picture = imread(tmp_path / "map.png")
    red, blue = ink(picture), ink(picture, more=2, less=0)
    apart = np.abs(np.median(red, axis=0) - np.median(blue, axis=0)) / picture.shape[:2]
    assert apart[1] > 0.2 > apart[0]  # the two labels lie side by side
    with pytest.raises(ZooError, match="40 points have 1 labels"):
        latent_map(z, ["all"], tmp_path / "map.png")


def test_curves_go_where_their_points_are(tmp_path):
    curves = {"up": ([0, 1, 2], [0, 1, 2]), "down": ([0, 1, 2], [2, 1, 0])}
    draw(
        [Panel("x", "y", curves, ("a", "b", "c")), Panel("x", "y", curves)],
        tmp_path / "c.png",
    )
    picture = imread(tmp_path / "c.png")
    picture = picture[:, picture.shape[1] // 2 :]  # the panel without words
    for more, less, rises in ((0, 1, True), (2, 0, False)):
        rows, columns = ink(picture, more, less).T
        assert (
            np.corrcoef(rows, columns)[0, 1] < 0
        ) == rises  # rows are counted from above
