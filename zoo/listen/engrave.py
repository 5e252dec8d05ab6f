"""Engraving of a NoteSequence as a score, as PNG. Lengths are in staff spaces."""

import os

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo.data.proto import NoteSequence
from zoo.listen.chords import Chord, engrave_bar, stem_points_up
from zoo.listen.ink import Ink
from zoo.listen.notation import Notation, notate
from zoo.listen.spacing import WIDTH, Placed, System, systems

MAX_BARS = 160  # about four pages
INCHES_PER_SPACE = 0.075
DPI = 200
POINTS_PER_INCH = 72
MARGIN = 4.0
THIN_BARLINE, THICK_BARLINE = 0.16, 0.5
# accidentals of a treble key signature, in steps above the bottom line
SHARPS = (8, 5, 9, 6, 3, 7, 4)
FLATS = (4, 7, 3, 6, 2, 5, 1)
B4, D3 = 34, 22  # steps above C0


def engrave_score(
    sequence: NoteSequence, path: str | os.PathLike[str], *, title: str | None = None
) -> None:
    """Engraves a score of at most `MAX_BARS` bars to a PNG, with a staff per voice.

    Rhythm is quantised to sixteenths and triplets. The key is that of the sequence, or
    the one with the fewest accidentals.

    Raises:
      ZooError: the sequence has no notes.
    """
    notation = notate(sequence, MAX_BARS)
    ink = Ink()
    y = -MARGIN / 2
    if title:
        ink.text(WIDTH / 2 + MARGIN, y - 1.5, title, size=2.4)
        y -= 3.5
    for system in systems(notation):
        y = _system(ink, notation, system, y)
    width, height = WIDTH + 2 * MARGIN, MARGIN / 2 - y
    figure = Figure(
        figsize=(width * INCHES_PER_SPACE, height * INCHES_PER_SPACE),
        dpi=DPI,
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-height, 0))
    axes.set_axis_off()
    ink.add_to(axes, points=POINTS_PER_INCH * INCHES_PER_SPACE)
    figure.savefig(path, format="png")


def _system(ink: Ink, notation: Notation, system: System, y: float) -> float:
    """Engraves a system below `y` and returns the y of its lower edge."""
    middles = []
    for voice in range(len(notation.bass)):
        heights = [
            h for p in system.bars for c in _chords(notation, p, voice) for h in c.heads
        ]
        y -= max([*heights, 2.0]) + 2.4
        middles.append(y)
        y += min([*heights, -2.0]) - 2.4
        _staff(ink, notation, system, voice=voice, middle=middles[-1])
    top, bottom = middles[0] + 2, middles[-1] - 2
    if len(middles) > 1:
        ink.line(MARGIN, bottom, MARGIN, top, width=THIN_BARLINE)
    for placed in system.bars:
        ink.line(
            MARGIN + placed.right,
            bottom,
            MARGIN + placed.right,
            top,
            width=THIN_BARLINE,
        )
    if system.last:
        x = MARGIN + system.width
        ink.line(x + 0.75, bottom - 0.05, x + 0.75, top + 0.05, width=THICK_BARLINE)
    return y - 1.2


def _staff(
    ink: Ink, notation: Notation, system: System, *, voice: int, middle: float
) -> None:
    """Engraves the staff of a voice whose middle line is at y = `middle`."""
    for line in range(-2, 3):
        end = MARGIN + system.width + system.last
        ink.line(MARGIN, middle + line, end, middle + line, width=0.1)
    bass = notation.bass[voice]
    ink.glyph("bass" if bass else "treble", MARGIN + 2.1, middle + (1 if bass else -1))
    _signature(ink, notation.fifths, bass, middle)
    chords = []
    for placed in system.bars:
        if placed.bar.stated:
            x = MARGIN + placed.left + (1.9 if placed.bar.start else -1.6)
            for value, side in zip(placed.bar.metre, (1, -1), strict=True):
                ink.number(str(value), x, middle + side)
        bar_chords = _chords(notation, placed, voice)
        centre = MARGIN + (placed.left + placed.right) / 2
        engrave_bar(ink, placed.bar, bar_chords, middle=middle, centre=centre)
        chords += bar_chords
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
            # the outer ties of a chord curve outwards
            for j, height in enumerate(chord.heads):
                below = j < middle_head or (j == middle_head and stem_points_up(chord))
                y = middle + height + (-0.65 if below else 0.65)
                ink.tie(chord.x + 0.8, end, y, bow=-0.9 if below else 0.9)


def _chords(notation: Notation, placed: Placed, voice: int) -> list[Chord]:
    """Returns the events of a bar as chords on the staff of a voice."""
    middle = D3 if notation.bass[voice] else B4  # the middle line of the staff
    return [
        Chord(
            event,
            MARGIN + placed.onsets[event.start],
            tuple((head.step - middle) / 2 for head in event.heads),
        )
        for event in placed.bar.parts[voice]
    ]
