"""A picture of where a model looked back to, over the piano roll. PNG, by matplotlib."""

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.path import Path

from zoo.data.proto import NoteSequence, quarters
from zoo.listen.draw import COLOURS, DPI, extent, roll

FAINT = 0.05  # no line is drawn for a weight below this
RISE = 5  # semitones that a long line may rise above a short one


def attention(
    sequence: NoteSequence,
    weights: np.ndarray,
    times: np.ndarray,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
) -> None:
    """Draws what each note was made of, to a PNG.

    Above, the piano roll: from each note a line to every note it looked back to, fainter where it
    looked less. Below, for every event, the weights by how long ago they lie.

    Args:
        sequence: the music.
        weights: float [t, k], how much event t took from event t - 1 - i.
        times: float [t], when each event comes, in quarters, ascending.

    Raises:
        ZooError: the sequence has no notes.
    """
    weights, times = np.asarray(weights), np.asarray(times)
    low, high, lines = extent(sequence)
    height = np.clip((high - low) * 0.1, 2.2, 4.5)
    figure = Figure(
        (np.clip(len(lines) * 0.6, 7, 14), height + 2.2), DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(height, 2.2))
    roll(above, sequence)
    above.add_collection(_glances(sequence, weights, times), autolim=False)
    below.vlines(lines, 0, times[-1], color="#cfcbc4", lw=0.6, zorder=0)
    event, ago, since = _past(weights, times)
    side = 72 * 0.6 * figure.get_size_inches()[0] / len(times)  # points to an event
    # by the root: attention spread over forty events is a fortieth each, and would not be seen
    colours = _faded(np.sqrt(weights[event, ago]))
    below.scatter(times[event], since, side**2, colours, marker="s", linewidth=0)
    below.set(
        ylim=(0, 1.02 * since.max(initial=1)), xlabel="bar", ylabel="quarters ago"
    )
    above.set(xlabel="", ylim=(low - 0.5, high + 2 + RISE))
    below.spines[["top", "right"]].set_visible(False)
    if title:
        above.set_title(title.replace("$", r"\$"), loc="left", fontsize=11)
    figure.savefig(path, format="png")


def _past(
    weights: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events, how many events ago less 1, and how many quarters ago, for every weight above 0."""
    event, ago = np.nonzero(weights > 0)
    inside = event - 1 - ago >= 0
    event, ago = event[inside], ago[inside]
    return event, ago, times[event] - times[event - 1 - ago]


def _glances(
    sequence: NoteSequence, weights: np.ndarray, times: np.ndarray
) -> PathCollection:
    """An arc from each note back to each that sounded when the events it looked at came."""
    beats = quarters(sequence)
    notes = sorted(sequence.notes, key=lambda note: note.start_time)
    onsets = beats(np.array([note.start_time for note in notes]))
    taken = np.zeros((len(notes), len(notes)))
    event, ago, _ = _past(weights, times)
    struck = np.isin(np.round(times[event], 6), np.round(onsets, 6))
    event, ago = event[struck], ago[struck]
    here, there = (
        np.searchsorted(onsets, times[e] + 1e-6) - 1 for e in (event, event - 1 - ago)
    )
    np.add.at(taken, (here, there), np.where(there >= 0, weights[event, ago], 0))
    paths, strengths = [], []
    for i, j in zip(*np.nonzero(taken > FAINT), strict=True):
        (x, y), (x0, y0) = (onsets[i], notes[i].pitch), (onsets[j], notes[j].pitch)
        bow = max(y, y0) + 2 + min(0.3 * (x - x0), RISE)
        arc = [(x, y), (x, bow), (x0, bow), (x0, y0)]
        paths.append(Path(arc, [Path.MOVETO, *3 * [Path.CURVE4]]))
        strengths.append(taken[i, j])
    colours = _faded(np.array(strengths))
    return PathCollection(
        paths, facecolor="none", edgecolor=colours, linewidth=0.9, zorder=3
    )


def _faded(weights: np.ndarray) -> np.ndarray:
    """The colour of attention at each of those opacities, [n, 4]."""
    rgb = np.tile(to_rgb(COLOURS[1]), (len(weights), 1))
    return np.column_stack([rgb, np.clip(weights, 0, 1)])
