"""Plots of a latent space and of curves."""

import numpy as np
import pytest
from matplotlib.image import imread
from pieces import piece

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.curves import Panel, plot_curves
from zoo.listen.latent import plot_latent_map, plot_strip


def note(pitch):
    sequence = NoteSequence(total_time=2.0)
    sequence.notes.add(pitch=pitch, velocity=80, start_time=0.0, end_time=1.0)
    return sequence


def ink(image, more=0, less=1):
    """Returns rows and columns of pixels with more of one channel than of another."""
    return np.argwhere(image[..., more] - image[..., less] > 0.15)


def test_a_strip_has_its_pieces_side_by_side(tmp_path):
    plot_strip([note(60), note(66), note(72)], tmp_path / "strip.png")
    image = imread(tmp_path / "strip.png")
    rows, columns = ink(image).T
    third = image.shape[1] / 3
    heights = [rows[(columns // third).astype(int) == i].mean() for i in range(3)]
    assert heights[0] > heights[1] > heights[2]
    with pytest.raises(ZooError, match="no pieces to plot"):
        plot_strip([], tmp_path / "none.png")


def test_a_strip_of_four_voices_names_them_once(tmp_path):
    """Seven legends left no room for the pieces, of which matplotlib warns."""
    chord = NoteSequence()
    for voice in range(4):
        piece((0, 1, 72 - 7 * voice), instrument=voice, into=chord)
    plot_strip([chord] * 7, tmp_path / "strip.png")
    image = imread(tmp_path / "strip.png")
    marks = ink(image[: image.shape[0] // 10])  # above the pieces
    assert 0 < np.ptp(marks[:, 1]) < 40


def test_a_map_has_the_principal_components(tmp_path):
    z = np.random.default_rng(0).normal(size=(40, 5)) * [0.01, 5, 0.01, 1, 0.01]
    plot_latent_map(
        z, ["low" if x < 0 else "high" for x in z[:, 1]], tmp_path / "map.png"
    )
    image = imread(tmp_path / "map.png")
    red, blue = ink(image), ink(image, more=2, less=0)
    distance = (
        np.abs(np.median(red, axis=0) - np.median(blue, axis=0)) / image.shape[:2]
    )
    assert distance[1] > 0.2 > distance[0]  # the labels are side by side
    with pytest.raises(ZooError, match="40 latents have 1 labels"):
        plot_latent_map(z, ["all"], tmp_path / "map.png")


def test_curves_pass_through_their_points(tmp_path):
    curves = {"up": ([0, 1, 2], [0, 1, 2]), "down": ([0, 1, 2], [2, 1, 0])}
    plot_curves(
        [Panel("x", "y", curves, words=("a", "b", "c")), Panel("x", "y", curves)],
        tmp_path / "c.png",
    )
    image = imread(tmp_path / "c.png")
    image = image[:, image.shape[1] // 2 :]  # the panel without annotations
    for more, less, rises in ((0, 1, True), (2, 0, False)):
        rows, columns = ink(image, more, less).T
        assert (
            np.corrcoef(rows, columns)[0, 1] < 0
        ) == rises  # rows are counted from above
