"""Notes on a grid of equal steps, and lines out of chords."""

from typing import NamedTuple

import numpy as np

from zoo.data.codecs.base import Notes, read_notes
from zoo.data.proto import NoteSequence, quarters
from zoo.data.refusal import Refused

LONGEST = 1 << 16  # steps: over an hour of music at 16ths
NEAR = 0.25  # of a step: what lies closer is on the grid
SILENT = 0.05  # of a step: a shift not worth a remark, such as a MIDI file's ticks make


class Grid(NamedTuple):
    """Notes whose onsets and offsets are whole steps, and what it took to make them so."""

    notes: Notes
    merged: int  # notes lost because a longer one took their step
    strays: int  # notes kept whose onset lay further than `NEAR` from its step
    cut: int  # notes that lasted into the next
    shift: float  # the largest rounding of an onset or offset, in steps


def read_steps(
    sequence: NoteSequence, steps_per_quarter: int
) -> tuple[Notes, int, list[str]]:
    """The notes with times in (fractional) steps, the length in whole steps, and remarks.

    Time is counted in quarters, so that a change of tempo does not disturb rhythm. Raises
    `Refused`: what `read_notes` raises, and `long` past `LONGEST` steps.
    """
    notes, remarks = read_notes(sequence)
    clock = quarters(sequence)
    notes = notes._replace(
        onset=clock(notes.onset) * steps_per_quarter,
        offset=clock(notes.offset) * steps_per_quarter,
    )
    end = clock(np.array(sequence.total_time)) * steps_per_quarter
    length = max(float(end), float(notes.offset.max()))
    if not length <= LONGEST:
        raise Refused(
            "long", f"It lasts {length:g} steps, over {LONGEST}; cut it first."
        )
    return notes, int(np.floor(end + 0.5)), remarks


def quantise(notes: Notes, lines: bool = True) -> Grid:
    """Round times to whole steps; every note lasts one at least.

    Where `lines`, the notes are one line: of those that fall on one step the longest is kept, and
    none outlasts the next onset. Otherwise that holds of each pitch by itself.
    """
    onset = np.floor(notes.onset + 0.5).astype(np.int64)
    offset = np.maximum(np.floor(notes.offset + 0.5).astype(np.int64), onset + 1)
    lane = np.zeros_like(onset) if lines else notes.pitch
    order = np.lexsort((notes.onset - notes.offset, onset, lane))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(lane[order]) != 0) | (np.diff(onset[order]) != 0)
    order = order[first]
    kept, lane, onset, offset = (
        notes.take(order),
        lane[order],
        onset[order],
        offset[order],
    )
    away = np.abs(kept.onset - onset)
    shift = max(away.max(), np.abs(kept.offset - offset).max())
    late = np.zeros(len(order), np.int64)
    late[:-1] = np.where(
        lane[1:] == lane[:-1], np.maximum(offset[:-1] - onset[1:], 0), 0
    )
    up = np.lexsort((-kept.pitch, onset))
    return Grid(
        notes=kept._replace(onset=onset, offset=offset - late).take(up),
        merged=len(notes.onset) - len(order),
        strays=int(np.sum(away > NEAR)),
        cut=int(np.sum(late > 0)),
        shift=float(shift),
    )


def snap(
    notes: Notes, tolerance: float, steps_per_quarter: int, lines: bool = True
) -> tuple[Notes, list[str]]:
    """`quantise`, and say so.

    Raises `Refused` (`off-grid`) where more than `tolerance` of the notes is lost, or lay further
    than `NEAR` from its step.
    """
    grid, total = quantise(notes, lines), len(notes.onset)
    if grid.strays + grid.merged > tolerance * total:
        raise Refused(
            "off-grid",
            f"{grid.strays + grid.merged} of {total} notes lie off the grid of {steps_per_quarter} "
            "steps per quarter; the Performance codec keeps free time.",
        )
    remarks = []
    if grid.shift > SILENT:
        shift = grid.shift / steps_per_quarter
        remarks.append(f"quantised: times moved by up to {shift:.2f} quarters")
    if grid.merged:
        remarks.append(
            f"merged: {grid.merged} of {total} notes lost to a longer one on their step"
        )
    if grid.cut:
        remarks.append(f"trimmed: {grid.cut} notes cut short where the next begins")
    return grid.notes, remarks


def overlap(notes: Notes) -> float:
    """The share of notes that begin with another, or a step or more before all earlier ones end."""
    late = np.maximum.accumulate(notes.offset)[:-1] - notes.onset[1:]
    together = (np.diff(notes.onset) < NEAR) & (late > 0)
    return float(np.sum((late >= 1) | together)) / len(notes.onset)


def line(notes: Notes, tolerance: float) -> tuple[Notes, list[str]]:
    """The upper line: of a chord its highest note, never one that sounds within a higher one.

    Times are in steps, sorted by onset. A note that still sounds when the next begins is cut.
    Raises `Refused` (`polyphonic`) where more than `tolerance` of the notes is dropped, or cut by
    a step or more (legato playing overlaps by less).
    """
    if not (notes.offset[:-1] > notes.onset[1:]).any():
        return notes, []
    columns = zip(*(column.tolist() for column in notes[:3]), strict=True)
    kept, stops, cut = [0], notes.offset.copy(), 0
    pitches = notes.pitch.tolist()
    for i, (onset, offset, pitch) in enumerate(columns):
        last = kept[-1]
        if i and onset < stops[last]:
            higher = pitch > pitches[last]
            if onset - notes.onset[last] < NEAR:
                kept[-1] = i if higher else last
                continue
            if not higher and offset <= stops[last]:
                continue
            cut += bool(stops[last] - onset >= 1)
            stops[last] = onset
        if i:
            kept.append(i)
    dropped, total = len(pitches) - len(kept), len(pitches)
    if dropped + cut > tolerance * total:
        raise Refused(
            "polyphonic",
            f"{dropped + cut} of {total} notes of a line sound together with others; the "
            "Performance and Pianoroll codecs keep chords.",
        )
    remarks = [f"chords: {dropped} lower notes dropped"] if dropped else []
    remarks += [f"trimmed: {cut} notes cut short where the next begins"] if cut else []
    return notes._replace(offset=stops).take(np.array(kept)), remarks
