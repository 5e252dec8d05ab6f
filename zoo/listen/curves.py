"""Pictures of measurements: curves in panels side by side. PNG."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.listen.draw import COLOURS, DPI

Curve = tuple[Sequence[float], Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Panel:
    """Curves [i], [i] by their names, what their axes say, and a word [i] at points of each."""

    x: str
    y: str
    curves: Mapping[str, Curve]
    words: Sequence[str] = ()


def draw(panels: Sequence[Panel], path: str | os.PathLike[str]) -> None:
    """Draws the panels in a row; a curve is of the same colour wherever its name comes first."""
    figure = Figure((4.6 * len(panels), 3.6), DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
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
            if number == 0:
                for at, word in zip(zip(x, y, strict=True), panel.words, strict=False):
                    axes.annotate(
                        word,
                        at,
                        (4, -9),
                        textcoords="offset points",
                        fontsize=7,
                        color=colour,
                    )
        axes.set(xlabel=panel.x, ylabel=panel.y)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="png")
