"""Attention weights are plotted between the right notes, with the right opacity."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from pieces import line

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.attention import plot_attention
from zoo.listen.piano_roll import COLOURS

TUNE = line([60, 64, 67, 72])


def blue(path, weights, shade=1.0):
    """Returns a mask [y, x] of the pixels in a shade of the colour of attention."""
    plot_attention(TUNE, weights, np.arange(4.0), path, title="$5")
    image = matplotlib.image.imread(path)[..., :3]
    colour = 1 - shade * (1 - np.array(matplotlib.colors.to_rgb(COLOURS[1])))
    return np.abs(image - colour).max(-1) < 0.05


def test_every_weight_is_plotted(tmp_path):
    weights = np.zeros((4, 3))
    none = blue(tmp_path / "a.png", weights).sum()
    weights[3, 2] = 1.0  # from the last note to the first
    one = blue(tmp_path / "a.png", weights)
    weights[2, 0] = 1.0  # from the third to the second
    two = blue(tmp_path / "a.png", weights)
    assert none == 0
    assert 100 < one.sum() < two.sum()
    assert (
        one.any(axis=0).sum() > two.shape[1] / 2
    )  # an arc from the first note to the last


def test_less_weight_is_fainter(tmp_path):
    weights = np.zeros((4, 3))
    weights[3, 2] = 0.5
    assert not blue(tmp_path / "a.png", weights).any()
    assert blue(tmp_path / "a.png", weights, shade=0.5).sum() > 100


def test_weights_before_the_piece_are_not_plotted(tmp_path):
    weights = np.zeros((4, 3))
    weights[0] = weights[1, 1:] = 1.0
    assert not blue(tmp_path / "a.png", weights).any()


def test_a_sequence_without_notes_is_refused(tmp_path):
    with pytest.raises(ZooError, match="no notes"):
        plot_attention(
            NoteSequence(), np.zeros((4, 3)), np.arange(4.0), tmp_path / "a.png"
        )
