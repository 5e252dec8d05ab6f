"""Shapes of an engraved page, collected before they are plotted."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path

from zoo.listen.glyphs import glyph, number, polygon

INK = "#1a1816"


class Ink:
    """A collection of shapes in staff spaces, with y upwards."""

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._texts: list[tuple[float, float, str, float, str]] = []

    def path(self, path: Path, x: float = 0.0, y: float = 0.0) -> None:
        """Adds an outline whose origin is at (x, y)."""
        self._paths.append(
            Path(np.asarray(path.vertices) + np.array([x, y]), path.codes)
        )

    def glyph(self, name: str, x: float, y: float) -> None:
        """Adds a symbol."""
        self.path(glyph(name), x, y)

    def number(self, text: str, x: float, y: float) -> None:
        """Adds the digits of a time signature."""
        self.path(number(text), x, y)

    def line(self, x0: float, y0: float, x1: float, y1: float, *, width: float) -> None:
        """Adds a straight line with square ends."""
        along = np.array([x1 - x0, y1 - y0])
        dx, dy = np.array([-along[1], along[0]]) / np.hypot(*along) * width / 2
        self.path(
            polygon(
                (x0 + dx, y0 + dy),
                (x1 + dx, y1 + dy),
                (x1 - dx, y1 - dy),
                (x0 - dx, y0 - dy),
            )
        )

    def beam(
        self, x0: float, y0: float, x1: float, y1: float, *, height: float
    ) -> None:
        """Adds a beam with vertical ends, `height` above the line (below if < 0)."""
        self.path(polygon((x0, y0), (x1, y1), (x1, y1 + height), (x0, y0 + height)))

    def tie(self, x0: float, x1: float, y: float, *, bow: float) -> None:
        """Adds a tie from x0 to x1, whose control points are `bow` above y."""
        quarter = (x1 - x0) / 4
        points = [(x0, y), (x0 + quarter, y + bow), (x1 - quarter, y + bow), (x1, y)]
        points += [
            (x1 - quarter, y + 0.72 * bow),
            (x0 + quarter, y + 0.72 * bow),
            (x0, y),
        ]
        self.path(Path(points, [Path.MOVETO, *[Path.CURVE4] * 6]))

    def text(
        self, x: float, y: float, text: str, *, size: float, style: str = "normal"
    ) -> None:
        """Adds centred text."""
        self._texts.append((x, y, text, size, style))

    def add_to(self, axes: Axes, *, points: float) -> None:
        """Adds all shapes to the axes; a staff space has `points` points of type."""
        shapes = PathCollection(self._paths, facecolor=INK, linewidth=0)
        shapes.set_snap(False)  # rounding to pixels makes line widths unequal
        axes.add_collection(shapes, autolim=False)
        for x, y, text, size, style in self._texts:
            text = text.replace("$", r"\$")  # not mathematics
            axes.text(
                x, y, text, fontsize=size * points, ha="center", va="center", color=INK,
                family="DejaVu Serif", style=style,
            )  # fmt: skip
