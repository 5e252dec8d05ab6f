"""Pictures of a NoteSequence: `piano_roll` for papers, `score` for musicians. PNG, by matplotlib.

Figures are made without pyplot, so nothing global changes and threads may draw at once.
"""

import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.data.proto import NoteSequence, quarters
from zoo.listen.engrave import score
from zoo.listen.timeline import bars, has_pickup, pitch_name, voices

__all__ = ["piano_roll", "score"]

COLOURS = ("#b4402a", "#2b6cb0", "#2f7d4f", "#8a6d1d", "#6b4fa0", "#a0447c")
BLACK_KEYS = (1, 3, 6, 8, 10)
DPI = 200


def piano_roll(
    sequence: NoteSequence, path: str | os.PathLike[str], *, title: str | None = None
) -> None:
    """Draws pitch over bars: one colour per voice, fainter where softer, to a PNG.

    Bars are numbered from 1, an upbeat being bar 0.

    Raises:
        ZooError: the sequence has no notes.
    """
    low, high, lines = extent(sequence)
    size = np.clip(len(lines) * 0.4, 7, 14), np.clip((high - low) * 0.1, 2.2, 4.5)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    roll(axes, sequence)
    if title:
        axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=11)
    figure.savefig(path, format="png")


def extent(sequence: NoteSequence) -> tuple[int, int, np.ndarray]:
    """One below its lowest pitch, one above its highest, and its bar lines in quarters."""
    pitches = [note.pitch for part in voices(sequence) for note in part]
    return min(pitches) - 1, max(pitches) + 1, bars(sequence)


def roll(
    axes: Axes, sequence: NoteSequence, pitches: tuple[int, int] | None = None
) -> None:
    """Draws pitch over quarters on `axes`, with bars numbered and voices named where several.

    From the first of `pitches` to the second; by default from the lowest note to the highest.
    """
    parts, (*own, lines) = voices(sequence), extent(sequence)
    low, high = pitches or own
    for pitch in range(low, high + 1):
        if pitch % 12 in BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f1f0ee", lw=0)
    axes.vlines(lines, low - 0.5, high + 0.5, color="#cfcbc4", lw=0.6, zorder=1)
    _notes(axes, sequence, parts)
    _ticks(axes, lines, low, high, first=0 if has_pickup(sequence) else 1)
    axes.set(xlim=(lines[0], lines[-1]), ylim=(low - 0.5, high + 0.5), xlabel="bar")
    axes.spines[["top", "right"]].set_visible(False)
    if len(parts) > 1:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=len(parts),
            frameon=False,
            fontsize=8,
        )


def _notes(axes, sequence: NoteSequence, parts: list) -> None:
    beats = quarters(sequence)
    names = {info.instrument: info.name for info in sequence.instrument_infos}
    for number, part in enumerate(parts):
        start, end = beats(np.array([(n.start_time, n.end_time) for n in part])).T
        loudness = np.array([n.velocity for n in part]) / 127
        axes.bar(
            start,
            height=0.84,
            width=np.maximum(end - start, 0.05),
            bottom=[n.pitch - 0.42 for n in part],
            align="edge",
            color=[(COLOURS[number % len(COLOURS)], 0.3 + 0.7 * x) for x in loudness],
            edgecolor="white",
            linewidth=0.4,
            zorder=2,
        )
        label = names.get(part[0].instrument) or f"voice {number + 1}"
        axes.plot([], [], "s", color=COLOURS[number % len(COLOURS)], label=label)


def _ticks(axes, lines: np.ndarray, low: int, high: int, first: int) -> None:
    every = next(
        n for n in (1, 2, 4, 8, 16, 32, 64, 128, 10**6) if len(lines) <= 20 * n
    )
    shown = [
        i for i in range(len(lines) - 1) if every == 1 or (i + first - 1) % every == 0
    ]
    axes.set_xticks(lines[shown], [str(i + first) for i in shown], fontsize=8)
    naturals = (0, 4, 7) if high - low < 20 else (0, 7) if high - low < 40 else (0,)
    named = [p for p in range(low, high + 1) if p % 12 in naturals]
    axes.set_yticks(named, [pitch_name(p) for p in named], fontsize=8)
    axes.tick_params(length=2, color="#8a857c")
