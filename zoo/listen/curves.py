"""Plots of curves in panels side by side, as PNG."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.listen.piano_roll import COLOURS, DPI

Curve = tuple[Sequence[float], Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Panel:
    """Curves on one pair of axes.

    Attributes:
      x: label of the x axis.
      y: label of the y axis.
      curves: x and y coordinates of each curve, by its name.
      words: annotations of the points of the first curve.
    """

    x: str
    y: str
    curves: Mapping[str, Curve]
    _: dataclasses.KW_ONLY
    words: Sequence[str] = ()


def plot_curves(panels: Sequence[Panel], path: str | os.PathLike[str]) -> None:
    """Plots the panels in a row to a PNG. Colours follow the order of the curves."""
    figure = Figure((4.6 * len(panels), 3.6), DPI, layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(row, panels, strict=True):
        _plot_panel(axes, panel)
    figure.savefig(path, format="png")


def _plot_panel(axes: Axes, panel: Panel) -> None:
    for number, (name, (x, y)) in enumerate(panel.curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(
            x,
            y,
            color=colour,
            marker="o",
            markersize=3.5,
            linewidth=1.2,
            label=name,
        )
        if number > 0:
            continue
        for point, word in zip(zip(x, y, strict=True), panel.words, strict=False):
            axes.annotate(
                word,
                point,
                (4, -9),
                textcoords="offset points",
                fontsize=7,
                color=colour,
            )
    axes.set(xlabel=panel.x, ylabel=panel.y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
