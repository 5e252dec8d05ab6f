"""Plots of a latent space: a path through it, and a map of it, as PNG."""

import os
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.piano_roll import COLOURS, DPI, add_roll, extent

MIN_POINTS = 3  # of a map
EPS = 1e-12


def plot_strip(
    pieces: Sequence[NoteSequence], path: str | os.PathLike[str] | IO[bytes]
) -> None:
    """Plots the piano rolls of pieces side by side, on one pitch axis, to a PNG.

    Raises:
      ZooError: there are no pieces, or one has no notes.
    """
    require_pieces(pieces)
    lows, highs, _ = zip(*map(extent, pieces), strict=True)
    low, high = min(lows), max(highs)
    size = 1.9 * len(pieces), np.clip((high - low) * 0.1, 2.2, 4.5)
    figure = Figure(size, DPI, layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(pieces), squeeze=False)[0]
    for axes, piece in zip(row, pieces, strict=True):
        add_roll(axes, piece, (low, high), legend=False)
        axes.set(xlabel="")
        if axes is not figure.axes[0]:
            axes.set_yticks([])
    voices = max((axes.get_legend_handles_labels() for axes in row), key=_count)
    if _count(voices) > 1:
        figure.legend(
            *voices,
            loc="outside upper right",
            ncols=_count(voices),
            frameon=False,
            fontsize=8,
        )
    figure.savefig(path, format="png")


def require_pieces(pieces: Sequence[NoteSequence]) -> None:
    """Raises ZooError unless there are pieces."""
    if not pieces:
        raise ZooError("there are no pieces to plot: pass at least one.")


def _count(voices: tuple[list[Any], list[Any]]) -> int:
    """Returns the number of voices of a legend, given as its marks and names."""
    return len(voices[0])


def plot_latent_map(
    z: np.ndarray, labels: Sequence[str], path: str | os.PathLike[str]
) -> None:
    """Plots latents on their first two principal components, coloured by label.

    The axes state the fraction of the variance that each component explains.

    Args:
      z: latents [n, z].
      labels: a label for each, n in all.
      path: the PNG to write.

    Raises:
      ZooError: there are fewer than three latents, or not one label for each.
    """
    if len(z) < MIN_POINTS or len(labels) != len(z):
        raise ZooError(
            f"{len(z)} latents have {len(labels)} labels: pass at least {MIN_POINTS} "
            "latents, and one label for each."
        )
    u, scale, _ = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    x, y = (u[:, :2] * scale[:2]).T
    explained = scale[:2] ** 2 / max(float((scale**2).sum()), EPS)
    figure = Figure((7, 6), DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, label in enumerate(dict.fromkeys(labels)):
        rows = np.array([other == label for other in labels])
        colour = COLOURS[number % len(COLOURS)]
        axes.scatter(x[rows], y[rows], 9, colour, alpha=0.5, linewidth=0, label=label)
    axes.set(xlabel=f"{explained[0]:.0%} of the variance", ylabel=f"{explained[1]:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="png")
