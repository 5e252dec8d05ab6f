"""Plots of NoteSequences as piano rolls, as PNG.

Figures are created without pyplot, which keeps global state and is not thread-safe.
"""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from zoo.data.bars import MODEL, model_begins
from zoo.data.proto import NoteSequence, quarters
from zoo.listen.timeline import Voice, bars, has_pickup, pitch_name, voices

COLOURS = ("#b4402a", "#2b6cb0", "#2f7d4f", "#8a6d1d", "#6b4fa0", "#a0447c")
BLACK_KEYS = (1, 3, 6, 8, 10)
DPI = 200
MAX_BAR_NUMBERS = 20  # on the axis


def plot_piano_roll(
    sequence: NoteSequence, path: str | os.PathLike[str], *, title: str | None = None
) -> None:
    """Plots pitch over bars to a PNG: one colour per voice, fainter for low velocities.

    Bars are numbered from 1. An upbeat is bar 0.

    Raises:
      ZooError: the sequence has no notes.
    """
    low, high, lines = extent(sequence)
    size = np.clip(len(lines) * 0.4, 7, 14), np.clip((high - low) * 0.1, 2.2, 4.5)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    add_roll(axes, sequence)
    if title:
        axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=11)
    figure.savefig(path, format="png")


def extent(sequence: NoteSequence) -> tuple[int, int, np.ndarray]:
    """Returns the lowest pitch - 1, the highest + 1, and the bar lines in quarters."""
    pitches = [note.pitch for voice in voices(sequence) for note in voice]
    return min(pitches) - 1, max(pitches) + 1, bars(sequence)


def add_roll(
    axes: Axes,
    sequence: NoteSequence,
    pitches: tuple[int, int] | None = None,
    *,
    legend: bool = True,
) -> None:
    """Plots a piano roll on `axes`.

    Args:
      axes: the axes; x is in quarters.
      sequence: the music.
      pitches: the lowest and the highest pitch to show; by default those of the notes.
      legend: whether to name the voices, if there are several.
    """
    parts, (lowest, highest, lines) = voices(sequence), extent(sequence)
    low, high = pitches or (lowest, highest)
    for pitch in range(low, high + 1):
        if pitch % 12 in BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f1f0ee", lw=0)
    axes.vlines(lines, low - 0.5, high + 0.5, color="#cfcbc4", lw=0.6, zorder=1)
    _add_notes(axes, sequence, parts)
    _number_bars(axes, lines, first=0 if has_pickup(sequence) else 1)
    _name_pitches(axes, low, high)
    _mark_model(axes, sequence)
    axes.tick_params(length=2, color="#8a857c")
    axes.set(xlim=(lines[0], lines[-1]), ylim=(low - 0.5, high + 0.5), xlabel="bar")
    axes.spines[["top", "right"]].set_visible(False)
    if legend and len(parts) > 1:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=len(parts),
            frameon=False,
            fontsize=8,
        )


def _add_notes(axes: Axes, sequence: NoteSequence, parts: Sequence[Voice]) -> None:
    beats = quarters(sequence)
    names = {info.instrument: info.name for info in sequence.instrument_infos}
    for number, voice in enumerate(parts):
        colour = COLOURS[number % len(COLOURS)]
        start, end = beats(np.array([(n.start_time, n.end_time) for n in voice])).T
        loudness = np.array([n.velocity for n in voice]) / 127
        end = np.maximum(end, start + 0.05)
        low = np.array([n.pitch - 0.42 for n in voice])
        corners = [(start, low), (end, low), (end, low + 0.84), (start, low + 0.84)]
        notes = PolyCollection(  # much faster to make and to draw than bars
            [*np.moveaxis(np.array(corners), 2, 0)],
            facecolors=[(colour, 0.3 + 0.7 * x) for x in loudness],
            edgecolors="white",
            linewidths=0.4,
            zorder=2,
        )
        axes.add_collection(notes, autolim=False)
        label = names.get(voice[0].instrument) or f"voice {number + 1}"
        axes.plot([], [], "s", color=colour, label=label)


def _mark_model(axes: Axes, sequence: NoteSequence) -> None:
    """Plots a line where a model begins, if the sequence has the mark."""
    begins = model_begins(sequence)
    if begins is None:
        return
    x = float(quarters(sequence)(np.array(begins)))
    axes.axvline(x, color="#23201c", lw=1.2, ls=(0, (4, 2)), zorder=3)
    axes.annotate(
        MODEL,
        (x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, -2),
        textcoords="offset points",
        fontsize=8,
        va="top",
    )


def _number_bars(axes: Axes, lines: np.ndarray, first: int) -> None:
    """Numbers every bar, or every 2, 4, 8, ... bars of a longer piece.

    A pickup that is narrower than a number has none.
    """
    strides = (1, 2, 4, 8, 16, 32, 64, 128)
    stride = next((n for n in strides if len(lines) <= MAX_BAR_NUMBERS * n), 10**6)
    shown = [
        i for i in range(len(lines) - 1) if stride == 1 or (i + first - 1) % stride == 0
    ]
    narrow = (lines[-1] - lines[0]) / MAX_BAR_NUMBERS
    if first == 0 and len(shown) > 1 and lines[shown[1]] - lines[0] < narrow:
        shown = shown[1:]
    axes.set_xticks(lines[shown], [str(i + first) for i in shown], fontsize=8)


def _name_pitches(axes: Axes, low: int, high: int) -> None:
    """Names C, E and G, or C and G, or C only, depending on the range."""
    if high - low < 20:
        classes: tuple[int, ...] = (0, 4, 7)
    elif high - low < 40:
        classes = (0, 7)
    else:
        classes = (0,)
    named = [p for p in range(low, high + 1) if p % 12 in classes]
    axes.set_yticks(named, [pitch_name(p) for p in named], fontsize=8)
