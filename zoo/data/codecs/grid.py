"""Quantisation of notes to a grid of equal steps, and reduction of chords to a line."""

from typing import NamedTuple

import numpy as np

from zoo.data.codecs.base import Notes, read_notes
from zoo.data.proto import NoteSequence, quarters
from zoo.data.refusal import Refused

MAX_STEPS = 1 << 16  # over an hour of music at 16ths
ON_GRID = 0.25  # steps; an onset that is closer to its step is on the grid
MIN_REPORTED_SHIFT = 0.05  # steps; the ticks of a MIDI file cause smaller ones


class Quantised(NamedTuple):
    """Notes whose onsets and offsets are whole steps, and the changes that this took.

    Attributes:
      notes: the notes.
      merged: number of notes dropped because a longer one begins on their step.
      strays: number of notes whose onset was further than ON_GRID from its step.
      cut: number of notes that end earlier because the next one begins.
      shift: the largest rounding of an onset or offset, in steps.
    """

    notes: Notes
    merged: int
    strays: int
    cut: int
    shift: float


def read_steps(
    sequence: NoteSequence, steps_per_quarter: int
) -> tuple[Notes, int, list[str]]:
    """Reads the pitched notes of a piece, with times in fractional steps.

    Time is counted in quarters, so that changes of tempo do not affect rhythm.

    Returns:
      The notes, the length in whole steps, and remarks.

    Raises:
      Refused: as `read_notes`, or `long`: more than MAX_STEPS steps.
    """
    notes, remarks = read_notes(sequence)
    clock = quarters(sequence)
    notes = notes._replace(
        onset=clock(notes.onset) * steps_per_quarter,
        offset=clock(notes.offset) * steps_per_quarter,
    )
    end = clock(np.array(sequence.total_time)) * steps_per_quarter
    length = max(float(end), float(notes.offset.max()))
    if not length <= MAX_STEPS:  # true of NaN, too
        raise Refused(
            "long", f"It lasts {length:g} steps, over {MAX_STEPS}; cut it first."
        )
    return notes, int(np.floor(end + 0.5)), remarks


def quantise(notes: Notes, lines: bool = True) -> Quantised:
    """Rounds times to whole steps; every note lasts at least one step.

    Args:
      notes: notes with times in steps.
      lines: whether the notes are one line. Then, of the notes that begin on one step,
        the longest is kept, and no note lasts into the next. Otherwise this applies to
        each pitch separately.
    """
    onset = np.floor(notes.onset + 0.5).astype(np.int64)
    offset = np.maximum(np.floor(notes.offset + 0.5).astype(np.int64), onset + 1)
    lane = np.zeros_like(onset) if lines else notes.pitch
    order = np.lexsort((notes.onset - notes.offset, onset, lane))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(lane[order]) != 0) | (np.diff(onset[order]) != 0)
    order = order[first]
    kept = notes.take(order)
    lane, onset, offset = lane[order], onset[order], offset[order]
    distance = np.abs(kept.onset - onset)
    shift = max(distance.max(), np.abs(kept.offset - offset).max())
    overlap = np.zeros(len(order), np.int64)
    overlap[:-1] = np.where(
        lane[1:] == lane[:-1], np.maximum(offset[:-1] - onset[1:], 0), 0
    )
    by_onset = np.lexsort((-kept.pitch, onset))
    return Quantised(
        notes=kept._replace(onset=onset, offset=offset - overlap).take(by_onset),
        merged=len(notes.onset) - len(order),
        strays=int(np.sum(distance > ON_GRID)),
        cut=int(np.sum(overlap > 0)),
        shift=float(shift),
    )


def snap(
    notes: Notes, tolerance: float, steps_per_quarter: int, lines: bool = True
) -> tuple[Notes, list[str]]:
    """Quantises notes as `quantise` does; returns them with remarks.

    Raises:
      Refused: `off-grid`: more than a share `tolerance` of the notes is dropped, or was
        further than ON_GRID from its step.
    """
    quantised, total = quantise(notes, lines), len(notes.onset)
    off_grid = quantised.strays + quantised.merged
    if off_grid > tolerance * total:
        raise Refused(
            "off-grid",
            f"{off_grid} of {total} notes lie off the grid of {steps_per_quarter} "
            "steps per quarter; the Performance codec keeps free time.",
        )
    remarks = []
    if quantised.shift > MIN_REPORTED_SHIFT:
        shift = quantised.shift / steps_per_quarter
        remarks.append(f"quantised: times moved by up to {shift:.2f} quarters")
    if quantised.merged:
        remarks.append(merge_remark(quantised.merged, total))
    if quantised.cut:
        remarks.append(trim_remark(quantised.cut))
    return quantised.notes, remarks


def overlap_share(notes: Notes) -> float:
    """Returns the share of notes that sound together with an earlier one.

    Counted are notes that begin with another, or at least a step before all earlier
    ones have ended. Times are in steps, in ascending order of onset.
    """
    overlap = np.maximum.accumulate(notes.offset)[:-1] - notes.onset[1:]
    simultaneous = (np.diff(notes.onset) < ON_GRID) & (overlap > 0)
    return float(np.sum((overlap >= 1) | simultaneous)) / len(notes.onset)


def upper_line(notes: Notes, tolerance: float) -> tuple[Notes, list[str]]:
    """Reduces notes to their upper line; returns it with remarks.

    Of a chord the highest note is kept. A lower note within a higher one is dropped,
    and a note that still sounds when the next begins is cut there. Times are in steps,
    in ascending order of onset.

    Raises:
      Refused: `polyphonic`: more than a share `tolerance` of the notes is dropped, or
        cut by a step or more. Legato playing overlaps by less.
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
            if onset - notes.onset[last] < ON_GRID:
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
            f"{dropped + cut} of {total} notes of a line sound together with others; "
            "the Performance and Pianoroll codecs keep chords.",
        )
    remarks = []
    if dropped:
        remarks.append(f"chords: {dropped} lower notes dropped")
    if cut:
        remarks.append(trim_remark(cut))
    return notes._replace(offset=stops).take(np.array(kept)), remarks


def merge_remark(merged: int, total: int) -> str:
    """Returns the remark on notes dropped for a longer one on their step."""
    return f"merged: {merged} of {total} notes dropped for a longer one on their step"


def trim_remark(cut: int) -> str:
    """Returns the remark on notes that end earlier because the next one begins."""
    return f"trimmed: {cut} notes cut short where the next begins"
