"""Where a model looked is drawn where it looked, and as strongly as it did."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from pieces import line

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.attention import attention
from zoo.listen.draw import COLOURS

TUNE = line([60, 64, 67, 72])


def blue(path, weights, shade=1.0):
    """Where a picture has the colour of attention, or a paler one: bool [y, x]."""
    attention(TUNE, weights, np.arange(4.0), path, title="$5")
    picture = matplotlib.image.imread(path)[..., :3]
    colour = 1 - shade * (1 - np.array(matplotlib.colors.to_rgb(COLOURS[1])))
    return np.abs(picture - colour).max(-1) < 0.05


def test_all_that_is_looked_at_is_drawn(tmp_path):
    weights = np.zeros((4, 3))
    none = blue(tmp_path / "a.png", weights).sum()
    weights[3, 2] = 1.0  # the last note at the first
    one = blue(tmp_path / "a.png", weights)
    weights[2, 0] = 1.0  # the third at the second
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


def test_nothing_before_the_piece_is_drawn(tmp_path):
    weights = np.zeros((4, 3))
    weights[0] = weights[1, 1:] = 1.0
    assert not blue(tmp_path / "a.png", weights).any()


def test_silence_is_refused(tmp_path):
    with pytest.raises(ZooError, match="no note"):
        attention(NoteSequence(), np.zeros((4, 3)), np.arange(4.0), tmp_path / "a.png")
