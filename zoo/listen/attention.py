"""A plot of attention weights over the piano roll, as PNG."""

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.path import Path

from zoo.data.proto import NoteSequence, quarters
from zoo.listen.piano_roll import COLOURS, DPI, add_roll, extent

MIN_WEIGHT = 0.05  # smaller weights have no arc
MAX_RISE = 5  # semitones by which a long arc rises above a short one


def plot_attention(
    sequence: NoteSequence,
    weights: np.ndarray,
    times: np.ndarray,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
) -> None:
    """Plots attention weights to a PNG.

    The upper panel is the piano roll, with an arc from each note to every note it
    attends to, fainter for smaller weights. The lower panel shows all weights by event
    and distance.

    Args:
      sequence: the music.
      weights: float [t, k], the weight of event t on event t - 1 - i.
      times: float [t], the onset of each event in quarters, ascending.
      path: the file to write.
      title: text above the plot.

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
    add_roll(above, sequence)
    above.add_collection(_arcs(sequence, weights, times), autolim=False)
    below.vlines(lines, 0, times[-1], color="#cfcbc4", lw=0.6, zorder=0)
    event, lag, distance = _attended(weights, times)
    side = 72 * 0.6 * figure.get_size_inches()[0] / len(times)  # points per event
    # the square root keeps attention visible that is spread over many events
    colours = _with_opacity(np.sqrt(weights[event, lag]))
    below.scatter(times[event], distance, side**2, colours, marker="s", linewidth=0)
    below.set(
        ylim=(0, 1.02 * distance.max(initial=1)), xlabel="bar", ylabel="quarters ago"
    )
    above.set(xlabel="", ylim=(low - 0.5, high + 2 + MAX_RISE))
    below.spines[["top", "right"]].set_visible(False)
    if title:
        above.set_title(title.replace("$", r"\$"), loc="left", fontsize=11)
    figure.savefig(path, format="png")


def _attended(
    weights: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (event, lag, distance in quarters) [n] of every positive weight.

    Event t attends to event t - 1 - lag. Positions before the piece are left out.
    """
    event, lag = np.nonzero(weights > 0)
    inside = event - 1 - lag >= 0
    event, lag = event[inside], lag[inside]
    return event, lag, times[event] - times[event - 1 - lag]


def _arcs(
    sequence: NoteSequence, weights: np.ndarray, times: np.ndarray
) -> PathCollection:
    """Returns an arc from each note to every note that its event attends to."""
    beats = quarters(sequence)
    notes = sorted(sequence.notes, key=lambda note: note.start_time)
    onsets = beats(np.array([note.start_time for note in notes]))
    event, lag, _ = _attended(weights, times)
    is_onset = np.isin(np.round(times[event], 6), np.round(onsets, 6))
    event, lag = event[is_onset], lag[is_onset]
    source, target = (
        np.searchsorted(onsets, times[e] + 1e-6) - 1 for e in (event, event - 1 - lag)
    )
    totals = np.zeros((len(notes), len(notes)))
    np.add.at(totals, (source, target), np.where(target >= 0, weights[event, lag], 0))
    paths, strengths = [], []
    for i, j in zip(*np.nonzero(totals > MIN_WEIGHT), strict=True):
        (x, y), (x0, y0) = (onsets[i], notes[i].pitch), (onsets[j], notes[j].pitch)
        top = max(y, y0) + 2 + min(0.3 * (x - x0), MAX_RISE)
        points = [(x, y), (x, top), (x0, top), (x0, y0)]
        paths.append(Path(points, [Path.MOVETO, *3 * [Path.CURVE4]]))
        strengths.append(totals[i, j])
    colours = _with_opacity(np.array(strengths))
    return PathCollection(
        paths, facecolor="none", edgecolor=colours, linewidth=0.9, zorder=3
    )


def _with_opacity(weights: np.ndarray) -> np.ndarray:
    """Returns the RGBA colour [n, 4] of weights [n], which set the opacity."""
    rgb = np.tile(to_rgb(COLOURS[1]), (len(weights), 1))
    return np.column_stack([rgb, np.clip(weights, 0, 1)])
