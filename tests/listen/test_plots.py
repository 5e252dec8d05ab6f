"""Piano rolls show every voice, and where a model begins."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from pieces import line, metre, piece

from zoo.data.bars import mark_model
from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.piano_roll import COLOURS, add_roll, plot_piano_roll


def pixels(path):
    return matplotlib.image.imread(path)[..., :3]


def count(image, colour):
    """Returns the number of pixels of a colour."""
    distance = np.abs(image - matplotlib.colors.to_rgb(colour)).max(-1)
    return int((distance < 0.05).sum())


def duet():
    sequence = metre(line([67, 72, 74, 76, 77], velocity=127), (0, 1, 4), (0.5, 3, 4))
    return piece((0.5, 2.5, 48), instrument=1, velocity=127, into=sequence)


def test_a_piano_roll_has_one_colour_per_voice(tmp_path):
    plot_piano_roll(duet(), tmp_path / "a.png", title="A $5 tune_{of}^{the} & <day>")
    image = pixels(tmp_path / "a.png")
    assert count(image, COLOURS[0]) > 500
    assert count(image, COLOURS[1]) > 500
    plot_piano_roll(line([67, 72]), tmp_path / "b.png")
    assert count(pixels(tmp_path / "b.png"), COLOURS[1]) == 0


@pytest.mark.parametrize(("bars", "numbers"), [(2, "012"), (16, "12345")])
def test_a_pickup_has_a_number_if_there_is_room_for_it(bars, numbers):
    """A pickup of an eighth, then bars of four quarters."""
    tune = metre(line([60] * (8 * bars + 1), seconds=0.25), (0, 1, 8))
    metre(tune, (0.25, 4, 4))
    axes = Figure().add_subplot()
    add_roll(axes, tune)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert "".join(labels).startswith(numbers)


def test_a_line_stands_where_the_model_begins(tmp_path):
    """In the third of four quarters, and dark over the height of the plot."""
    tune = metre(line([60, 62, 64, 65]), (0, 1, 4))
    plot_piano_roll(tune, tmp_path / "plain.png")
    mark_model(tune, 1.0)
    plot_piano_roll(tune, tmp_path / "marked.png")
    plain, marked = pixels(tmp_path / "plain.png"), pixels(tmp_path / "marked.png")
    changed = (np.abs(plain - marked).max(axis=-1) > 0.5).sum(axis=0)
    column = int(changed.argmax())
    assert changed[column] > 0.4 * len(plain)
    assert 0.45 < column / plain.shape[1] < 0.6


def test_low_velocities_are_fainter(tmp_path):
    def darkness(velocity):
        plot_piano_roll(line([60, 62], velocity=velocity), tmp_path / "a.png")
        return 1 - pixels(tmp_path / "a.png").mean()

    assert darkness(20) < darkness(70) < darkness(127)


def test_a_sequence_without_notes_is_refused(tmp_path):
    with pytest.raises(ZooError, match="no notes to plot"):
        plot_piano_roll(NoteSequence(), tmp_path / "a.png")


def test_irregular_music_can_be_plotted(tmp_path):
    sequence = piece(
        (0.013, 0.02, 0), (0.5, 0.5, 127), (0.7, 9.1, 64), (0.71, 0.9, 65), (1, 3, 61)
    )
    metre(sequence, (0, 7, 16), (1.0, 5, 4), (1.3, 3, 8))
    piece((2, 3, 40), drum=True, instrument=9, into=sequence)
    plot_piano_roll(sequence, tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").size
