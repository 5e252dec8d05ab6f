"""Music symbols as outlines, in staff spaces with y upwards, without a music font.

The origin of a symbol is its reference line or space on the staff.
"""

import functools

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from scipy.interpolate import CubicSpline

HEAD = 1.28  # width of a notehead

# points of a stroke: (x, y, width of the pen)
_TREBLE = [
    (0.14, -0.5, 0.1), (-0.3, -0.38, 0.14), (-0.44, 0.1, 0.2), (-0.08, 0.62, 0.26),
    (0.52, 0.6, 0.34), (0.95, 0.02, 0.36), (0.72, -0.7, 0.26), (0.05, -1.02, 0.16),
    (-0.78, -0.78, 0.24), (-1.22, -0.02, 0.4), (-0.98, 0.95, 0.42), (-0.3, 1.8, 0.36),
    (0.3, 2.45, 0.32), (0.62, 3.15, 0.28), (0.6, 3.95, 0.2), (0.38, 4.4, 0.12),
    (0.08, 4.15, 0.16), (-0.14, 3.4, 0.18), (-0.06, 2.4, 0.15), (0.14, 1.0, 0.13),
    (0.36, -0.6, 0.13), (0.48, -1.7, 0.13), (0.34, -2.35, 0.14), (-0.08, -2.56, 0.16),
    (-0.42, -2.3, 0.12),
]  # fmt: skip
_BASS = [
    (-0.95, -0.1, 0.1), (-0.88, 0.45, 0.16), (-0.35, 0.92, 0.2), (0.35, 0.86, 0.34),
    (0.78, 0.2, 0.5), (0.72, -0.7, 0.46), (0.25, -1.6, 0.28), (-0.45, -2.25, 0.14),
    (-1.0, -2.55, 0.06),
]  # fmt: skip
_QUARTER_REST = [
    (-0.28, 1.5), (0.4, 0.68), (0.16, 0.42), (0.12, 0.2), (0.24, -0.08), (0.54, -0.5),
    (0.24, -0.44), (0.06, -0.56), (0.04, -0.8), (0.22, -1.16), (-0.12, -0.98),
    (-0.26, -0.72), (-0.2, -0.46), (0.0, -0.28), (-0.42, 0.24), (-0.12, 0.6),
    (-0.08, 0.84), (-0.2, 1.16),
]  # fmt: skip


def circle(x: float, y: float, radius: float) -> Path:
    """Returns a filled circle."""
    path = Path.unit_circle()
    return Path(np.asarray(path.vertices) * radius + np.array([x, y]), path.codes)


def polygon(*points: tuple[float, float]) -> Path:
    """Returns a filled polygon."""
    return Path(np.array([*points, points[0]]), closed=True)


def stroke(points: list[tuple[float, float, float]]) -> Path:
    """Returns the outline of a pen of varying width along a spline through the points.

    It runs anticlockwise, as circles do, so that overlaps within a glyph are filled.
    """
    knots = np.array(points)
    length = np.concatenate(
        [[0], np.cumsum(np.hypot(*np.diff(knots[:, :2], axis=0).T))]
    )
    curve = CubicSpline(length, knots)
    positions = np.linspace(0, length[-1], 12 * len(knots))
    x, y, width = curve(positions).T
    dx, dy, _ = curve(positions, 1).T
    normal = np.stack([dy, -dx]) / np.hypot(dx, dy) * width / 2
    sides = np.concatenate(
        [np.stack([x, y]) + normal, (np.stack([x, y]) - normal)[:, ::-1]], 1
    )
    return Path(np.concatenate([sides.T, sides.T[:1]]), closed=True)


@functools.cache
def glyph(name: str) -> Path:
    """Returns the outline of a symbol by its name."""
    return _GLYPHS[name]()


@functools.cache
def number(text: str) -> Path:
    """Returns the digits of a time signature, two spaces high and centred."""
    return _text(text, 2.0, FontProperties(family="DejaVu Serif", weight="bold"))


@functools.cache
def flags(count: int, down: bool) -> Path:
    """Returns flags on a stem whose end is the origin."""
    curve = [(0, 0), (0.08, -0.75), (1.35, -1.1), (0.82, -2.6)]
    back = [(1.05, -1.7), (0.55, -1.15), (0, -0.95), (0, 0)]
    one = Path(curve + back, [Path.MOVETO, *[Path.CURVE4] * 6, Path.CLOSEPOLY])
    flip = np.array([1, -1 if down else 1])
    shifts = [np.array([0, -0.85 * i]) for i in range(count)]
    return Path.make_compound_path(
        *[Path((one.vertices + shift) * flip, one.codes) for shift in shifts]
    )


def _text(text: str, height: float, font: FontProperties) -> Path:
    path = TextPath((0, 0), text, size=10, prop=font)
    box = path.get_extents()
    return Path(
        (path.vertices - (box.p0 + box.p1) / 2) * height / box.height, path.codes
    )


def _oval(width: float, height: float, tilt: float) -> Path:
    turn = np.deg2rad(tilt)
    path = Path.unit_circle()
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return Path(
        np.asarray(path.vertices) * np.array([width, height]) / 2 @ rotation, path.codes
    )


def _ring(
    width: float, height: float, tilt: float, hole: tuple[float, float, float]
) -> Path:
    inner = _oval(*hole)
    return Path.make_compound_path(
        _oval(width, height, tilt), Path(np.asarray(inner.vertices)[::-1], inner.codes)
    )


def _bass() -> Path:
    dots = [circle(1.5, y, 0.2) for y in (0.5, -0.5)]
    return Path.make_compound_path(stroke(_BASS), circle(-0.6, -0.05, 0.36), *dots)


def _rest(hooks: int) -> Path:
    parts = []
    for i in range(hooks):
        x, y = -0.3 * i, -1.0 * i
        parts.append(circle(x - 0.32, y + 0.55, 0.25))
        parts.append(
            stroke(
                [
                    (x - 0.35, y + 0.36, 0.1),
                    (x, y + 0.32, 0.13),
                    (x + 0.5, y + 0.72, 0.1),
                ]
            )
        )
    foot = -0.1 - 0.32 * hooks, -1.0 * hooks
    parts.append(polygon(foot, (foot[0] + 0.16, foot[1]), (0.55, 0.76), (0.43, 0.76)))
    return Path.make_compound_path(*parts)


def _sign(character: str, height: float) -> Path:
    return _text(character, height, FontProperties(family="DejaVu Sans"))


_GLYPHS = {
    "treble": lambda: Path.make_compound_path(
        stroke(_TREBLE), circle(-0.3, -2.2, 0.34)
    ),
    "bass": _bass,
    "whole": lambda: _ring(1.65, 1.02, 0, (0.72, 0.9, 60)),
    "half": lambda: _ring(HEAD, 0.98, 22, (1.1, 0.5, 32)),
    "quarter": lambda: _oval(HEAD, 0.94, 22),
    "dot": lambda: circle(0, 0, 0.2),
    "-2": lambda: _sign("♭♭", 2.3),
    "-1": lambda: _sign("♭", 2.3),
    "0": lambda: _sign("♮", 2.5),
    "1": lambda: _sign("♯", 2.5),
    "2": lambda: _sign("×", 0.9),
    "rest 48": lambda: polygon((-0.6, 1), (0.6, 1), (0.6, 0.5), (-0.6, 0.5)),
    "rest 24": lambda: polygon((-0.6, 0), (0.6, 0), (0.6, 0.5), (-0.6, 0.5)),
    "rest 12": lambda: polygon(*_QUARTER_REST),
    "rest 6": lambda: _rest(1),
    "rest 3": lambda: _rest(2),
}
