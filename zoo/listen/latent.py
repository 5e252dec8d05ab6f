"""Pictures of a latent space: a way through it, and where the music of a corpus lies. PNG."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.draw import COLOURS, DPI, extent, roll


def strip(pieces: Sequence[NoteSequence], path: str | os.PathLike[str]) -> None:
    """Draws the piano rolls of pieces side by side, on one axis of pitch, those in order of a path.

    Raises:
        ZooError: there are none, or one has no notes.
    """
    if not pieces:
        raise ZooError("there are no pieces to draw: give one or more.")
    lows, highs, _ = zip(*map(extent, pieces), strict=True)
    low, high = min(lows), max(highs)
    size = 1.9 * len(pieces), np.clip((high - low) * 0.1, 2.2, 4.5)
    figure = Figure(size, DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, piece in zip(
        figure.subplots(1, len(pieces), squeeze=False)[0], pieces, strict=True
    ):
        roll(axes, piece, (low, high))
        axes.set(xlabel="")
        if axes is not figure.axes[0]:
            axes.set_yticks([])
    figure.savefig(path, format="png")


def latent_map(
    z: np.ndarray, labels: Sequence[str], path: str | os.PathLike[str]
) -> None:
    """Draws where points [n, z] lie, coloured by label, along the two ways in which they vary most.

    These are their principal components; the axes say how much of the variance each has.

    Raises:
        ZooError: fewer than three points, or not a label for each.
    """
    if len(z) < 3 or len(labels) != len(z):
        raise ZooError(
            f"{len(z)} points have {len(labels)} labels: give three points or more, a label each."
        )
    centred = z - z.mean(axis=0)
    u, scale, _ = np.linalg.svd(centred, full_matrices=False)
    x, y = (u[:, :2] * scale[:2]).T
    share = scale[:2] ** 2 / max(float((scale**2).sum()), 1e-12)
    figure = Figure((7, 6), DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, label in enumerate(dict.fromkeys(labels)):
        mine = np.array([one == label for one in labels])
        colour = COLOURS[number % len(COLOURS)]
        axes.scatter(x[mine], y[mine], 9, colour, alpha=0.5, linewidth=0, label=label)
    axes.set(xlabel=f"{share[0]:.0%} of the variance", ylabel=f"{share[1]:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="png")
