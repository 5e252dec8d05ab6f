"""Small pieces for several players."""

import numpy as np

from zoo.data.proto import NoteSequence

STEP = 0.125  # seconds, at 120 quarters per minute

TUNE = [(72 + i % 5, 2 * i, 2 * i + 2) for i in range(16)]
CHORDS = [(pitch, 4 * i, 4 * i + 3) for i in range(8) for pitch in (60, 64, 67)]
LOW = [(36 + i % 2, 8 * i, 8 * i + 8) for i in range(4)]
HITS = [(36, 8 * i, 8 * i + 5) for i in range(4)] + [(42, i, i + 1) for i in range(32)]


def score(parts, length=0, metre=(4, 4)):
    """Returns a piece of several parts.

    A part is (program, notes) or (program, notes, name), the program None for drums; a
    note is (pitch, onset, offset) in 16ths.
    """
    piece = NoteSequence(total_time=length * STEP)
    piece.time_signatures.add(numerator=metre[0], denominator=metre[1])
    for i, (program, notes, *name) in enumerate(parts):
        if name:
            piece.instrument_infos.add(instrument=i, name=name[0])
        for pitch, onset, offset in notes:
            times = {"start_time": onset * STEP, "end_time": offset * STEP}
            drum = program is None
            piece.notes.add(
                pitch=pitch,
                velocity=90,
                instrument=i,
                program=program or 0,
                is_drum=drum,
                **times,
            )
            piece.total_time = max(piece.total_time, offset * STEP)
    return piece


def lit(codec, rolls):
    """Returns the sounding (pitch, step) of each track."""
    cells = {name: [] for name in codec.tracks}
    for step, k, pitch in np.argwhere(rolls == 1).tolist():
        cells[codec.tracks[k]].append((codec.low + pitch, step))
    return {name: sorted(pairs) for name, pairs in cells.items() if pairs}
