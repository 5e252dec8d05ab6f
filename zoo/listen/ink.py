"""What a page of music is drawn with: outlines, gathered first and put on the axes at the end."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path

from zoo.listen.glyphs import glyph, number, polygon

INK = "#1a1816"


class Ink:
    """Collects shapes in staff spaces, y upwards."""

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._texts: list[tuple[float, float, str, float, str]] = []

    def path(self, path: Path, x: float = 0.0, y: float = 0.0) -> None:
        self._paths.append(
            Path(np.asarray(path.vertices) + np.array([x, y]), path.codes)
        )

    def glyph(self, name: str, x: float, y: float) -> None:
        self.path(glyph(name), x, y)

    def number(self, text: str, x: float, y: float) -> None:
        self.path(number(text), x, y)

    def line(self, x0: float, y0: float, x1: float, y1: float, width: float) -> None:
        """A straight stroke with square ends."""
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

    def beam(self, x0: float, y0: float, x1: float, y1: float, height: float) -> None:
        """A slanted bar with upright ends that reaches `height` above the line (below if < 0)."""
        self.path(polygon((x0, y0), (x1, y1), (x1, y1 + height), (x0, y0 + height)))

    def tie(self, x0: float, x1: float, y: float, bow: float) -> None:
        """A crescent from x0 to x1 that bends by `bow`."""
        third = (x1 - x0) / 4
        points = [(x0, y), (x0 + third, y + bow), (x1 - third, y + bow), (x1, y)]
        points += [(x1 - third, y + 0.72 * bow), (x0 + third, y + 0.72 * bow), (x0, y)]
        self.path(Path(points, [Path.MOVETO, *[Path.CURVE4] * 6]))

    def text(
        self, x: float, y: float, text: str, size: float, style: str = "normal"
    ) -> None:
        self._texts.append((x, y, text, size, style))

    def draw(self, axes: Axes, points: float) -> None:
        """Puts everything on the axes; a staff space measures `points` typographic points."""
        shapes = PathCollection(self._paths, facecolor=INK, linewidth=0)
        shapes.set_snap(False)  # lines rounded to pixels come out unequal
        axes.add_collection(shapes, autolim=False)
        for x, y, text, size, style in self._texts:
            text = text.replace("$", r"\$")  # no mathematics in a title
            axes.text(
                x, y, text, fontsize=size * points, ha="center", va="center", color=INK,
                family="DejaVu Serif", style=style,
            )  # fmt: skip
