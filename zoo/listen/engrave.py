"""Engraves a sequence as a score: systems of staves, drawn as outlines in staff spaces."""

import os

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.data.proto import NoteSequence
from zoo.listen.chords import Chord, draw_bar, points_up
from zoo.listen.ink import Ink
from zoo.listen.notation import Notation, notate
from zoo.listen.spacing import WIDTH, Placed, System, systems

MOST_BARS = 160  # drawn at most; some four pages
INCH = 0.075  # one staff space
DPI = 200
MARGIN = 4.0
THIN, THICK = 0.16, 0.5
SHARPS = (
    8,
    5,
    9,
    6,
    3,
    7,
    4,
)  # of a treble key signature, in steps above the bottom line
FLATS = (4, 7, 3, 6, 2, 5, 1)


def score(
    sequence: NoteSequence, path: str | os.PathLike[str], *, title: str | None = None
) -> None:
    """Draws a score to a PNG: a staff per voice, up to `MOST_BARS` bars.

    Rhythm is shown to the nearest sixteenth or triplet, pitch in the key that the sequence states
    or else the one that needs fewest accidentals.

    Raises:
        ZooError: the sequence has no notes.
    """
    notation = notate(sequence, MOST_BARS)
    ink = Ink()
    y = -MARGIN / 2
    if title:
        ink.text(WIDTH / 2 + MARGIN, y - 1.5, title, 2.4)
        y -= 3.5
    for system in systems(notation):
        y = _system(ink, notation, system, y)
    width, height = WIDTH + 2 * MARGIN, MARGIN / 2 - y
    figure = Figure(figsize=(width * INCH, height * INCH), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-height, 0))
    axes.set_axis_off()
    ink.draw(axes, points=72 * INCH)
    figure.savefig(path, format="png")


def _system(ink: Ink, notation: Notation, system: System, y: float) -> float:
    """Draws one system below `y`; returns the y below it."""
    middles = []
    for voice in range(len(notation.bass)):
        heights = [
            h for p in system.bars for c in _chords(notation, p, voice) for h in c.heads
        ]
        y -= max([*heights, 2.0]) + 2.4
        middles.append(y)
        y += min([*heights, -2.0]) - 2.4
        _staff(ink, notation, system, voice, middles[-1])
    top, bottom = middles[0] + 2, middles[-1] - 2
    if len(middles) > 1:
        ink.line(MARGIN, bottom, MARGIN, top, THIN)
    for placed in system.bars:
        ink.line(MARGIN + placed.right, bottom, MARGIN + placed.right, top, THIN)
    if system.last:
        x = MARGIN + system.width
        ink.line(x + 0.75, bottom - 0.05, x + 0.75, top + 0.05, THICK)
    return y - 1.2


def _staff(
    ink: Ink, notation: Notation, system: System, voice: int, middle: float
) -> None:
    for line in range(-2, 3):
        end = MARGIN + system.width + system.last
        ink.line(MARGIN, middle + line, end, middle + line, 0.1)
    bass = notation.bass[voice]
    ink.glyph("bass" if bass else "treble", MARGIN + 2.1, middle + (1 if bass else -1))
    _signature(ink, notation.fifths, bass, middle)
    chords = []
    for placed in system.bars:
        if placed.bar.stated:
            x = MARGIN + placed.left + (1.9 if placed.bar.start else -1.6)
            for value, side in zip(placed.bar.metre, (1, -1), strict=True):
                ink.number(str(value), x, middle + side)
        here = _chords(notation, placed, voice)
        draw_bar(
            ink, placed.bar, here, middle, MARGIN + (placed.left + placed.right) / 2
        )
        chords += here
    _ties(ink, chords, middle, MARGIN + system.width)


def _signature(ink: Ink, fifths: int, bass: bool, middle: float) -> None:
    steps, sign, shift = (SHARPS, "1", 0.0) if fifths > 0 else (FLATS, "-1", 0.35)
    for i, step in enumerate(steps[: abs(fifths)]):
        ink.glyph(
            sign, MARGIN + 4.8 + 1.05 * i, middle - 2 + (step - 2 * bass) / 2 + shift
        )


def _ties(ink: Ink, chords: list[Chord], middle: float, edge: float) -> None:
    for i, chord in enumerate(chords):
        if chord.event.tied and chord.heads:
            end = chords[i + 1].x - 0.8 if i + 1 < len(chords) else edge
            middle_head = (len(chord.heads) - 1) / 2
            for j, height in enumerate(
                chord.heads
            ):  # the outer ties of a chord bend outwards
                below = j < middle_head or (j == middle_head and points_up(chord))
                y = middle + height + (-0.65 if below else 0.65)
                ink.tie(chord.x + 0.8, end, y, -0.9 if below else 0.9)


def _chords(notation: Notation, placed: Placed, voice: int) -> list[Chord]:
    """The events of a bar on their staff, whose middle line is B4, or D3 in the bass clef."""
    middle = 22 if notation.bass[voice] else 34
    return [
        Chord(
            event,
            MARGIN + placed.onsets[event.start],
            tuple((head.step - middle) / 2 for head in event.heads),
        )
        for event in placed.bar.parts[voice]
    ]
