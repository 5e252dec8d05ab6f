"""Piano rolls and scores show every voice, and noteheads on the right lines."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from pieces import line, metre, piece

from zoo.data.bars import mark_model
from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.chords import Chord
from zoo.listen.engrave import engrave_score
from zoo.listen.glyphs import _GLYPHS, glyph
from zoo.listen.ink import Ink
from zoo.listen.notation import notate
from zoo.listen.piano_roll import COLOURS, plot_piano_roll
from zoo.listen.spacing import WIDTH, systems


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


def test_a_score_has_five_lines_for_each_staff(tmp_path):
    engrave_score(duet(), tmp_path / "a.png", title="Duet $x$")
    dark = pixels(tmp_path / "a.png").mean(-1) < 0.6
    long_rows = dark.mean(1) > 0.2
    lines = int((np.diff(long_rows.astype(int)) == 1).sum())
    assert lines == 10


def test_a_longer_piece_has_more_systems(tmp_path):
    heights = []
    for notes in (8, 64, 1000):
        engrave_score(line([60 + i % 12 for i in range(notes)]), tmp_path / "a.png")
        heights.append(pixels(tmp_path / "a.png").shape[0])
    assert heights == sorted(set(heights))
    assert heights[-1] < 12000  # bounded, so that it can be opened


def test_systems_fill_the_width_and_keep_every_bar():
    notation = notate(line([60 + i % 12 for i in range(120)]), 1000)
    rows = systems(notation)
    assert [placed.bar for row in rows for placed in row.bars] == list(notation.bars)
    for row in rows:
        assert row.width == pytest.approx(WIDTH) or (row.last and row.width < WIDTH)
        for placed in row.bars:
            xs = list(placed.onsets.values())
            assert placed.left < xs[0]
            assert xs == sorted(xs)
            assert xs[-1] < placed.right


class Spy(Ink):
    """Records the noteheads instead of plotting them."""

    def __init__(self):
        super().__init__()
        self.heads = []

    def glyph(self, name, x, y):
        if name in ("quarter", "half", "whole"):
            self.heads.append((name, round(y, 3)))


def test_noteheads_are_on_their_lines(tmp_path, monkeypatch):
    spy = Spy()
    monkeypatch.setattr("zoo.listen.engrave.Ink", lambda: spy)
    engrave_score(
        piece((0, 0.5, 71), (0.5, 1.5, 60), (1.5, 2.0, 77)), tmp_path / "a.png"
    )
    names, heights = zip(*spy.heads, strict=True)
    assert names == ("quarter", "half", "quarter")
    b4, c4, f5 = heights
    assert (c4 - b4, f5 - b4) == (-3.0, 2.0)  # one ledger line below; the top line


def test_every_glyph_has_an_outline():
    for name in _GLYPHS:
        box = glyph(name).get_extents()
        assert 0 < box.width < 8
        assert 0 < box.height < 8


def test_values_have_their_flags():
    (bar,) = notate(piece((0, 0.5, 60), (0.5, 0.75, 62), (0.75, 0.875, 64)), 1).bars
    hooks = [Chord(event, 0.0, (0.0,)).hooks for event in bar.parts[0] if event.heads]
    assert hooks == [0, 1, 2]


@pytest.mark.parametrize("plot", [plot_piano_roll, engrave_score])
def test_a_sequence_without_notes_is_refused(plot, tmp_path):
    with pytest.raises(ZooError, match="no notes to plot"):
        plot(NoteSequence(), tmp_path / "a.png")


@pytest.mark.parametrize("plot", [plot_piano_roll, engrave_score])
def test_irregular_music_can_be_plotted(plot, tmp_path):
    sequence = piece(
        (0.013, 0.02, 0), (0.5, 0.5, 127), (0.7, 9.1, 64), (0.71, 0.9, 65), (1, 3, 61)
    )
    metre(sequence, (0, 7, 16), (1.0, 5, 4), (1.3, 3, 8))
    piece((2, 3, 40), drum=True, instrument=9, into=sequence)
    plot(sequence, tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").size
