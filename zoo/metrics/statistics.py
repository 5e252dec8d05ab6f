"""Statistics of pieces that papers on multitrack music report.

Each is a function of a NoteSequence, and NaN if the piece has no notes of its kind.
Bars are those of the time signatures. Steps, in the papers 96 to a bar of 4/4, are 24
to a quarter in any metre. Axes: m bars, n notes, t step, p pitch, k track.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from zoo.data.proto import NoteSequence
from zoo.metrics.note_table import STEPS_PER_QUARTER, TOLERANCE, note_table

QUALIFIED = 1 / 8  # minimum duration in quarters: a 32nd, three steps
SIXTEENTH = STEPS_PER_QUARTER // 4
GROOVE_RATE = 16  # steps per quarter, 64 to a bar of 4/4 (Wu & Yang 2020)
MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])  # also the natural minor scale, from 9

# Tonal centroids of the pitch classes on the circles of fifths, minor thirds and major
# thirds, [12, 6] (Harte et al. 2006).
_ANGLES = np.arange(12)[:, None] * np.pi * np.array([7 / 6, 3 / 2, 2 / 3])
_RADII = np.array([1, 1, 0.5, 1, 1, 0.5])
CIRCLES = np.concatenate([np.sin(_ANGLES), np.cos(_ANGLES)], axis=1) * _RADII


def empty_bars(sequence: NoteSequence) -> float:
    """Returns the fraction of silent bars (EB of Dong et al. 2018, MuseGAN, 5.3)."""
    return _mean(np.all(note_table(sequence).durations_in_bars() == 0, axis=1))


def used_pitch_classes(sequence: NoteSequence) -> float:
    """Returns the mean number of pitch classes of a bar, 1 to 12 (UPC of MuseGAN).

    Silent bars are ignored.
    """
    table = note_table(sequence).pitched
    sounding = table.durations_in_bars() @ np.eye(12)[table.pitch % 12] > 0
    used = sounding.sum(axis=1)
    return _mean(used[used > 0])


def qualified_notes(sequence: NoteSequence) -> float:
    """Returns the fraction of pitched notes of at least three steps (QN of MuseGAN)."""
    table = note_table(sequence).pitched
    return _mean(table.offset - table.onset >= QUALIFIED - TOLERANCE)


def polyphonicity(sequence: NoteSequence) -> float:
    """Returns the fraction of the sounding steps that have more than two pitches.

    PP of Dong & Yang 2018 (arXiv:1804.09399, 4) also counts silent steps.
    """
    table = note_table(sequence).pitched
    times = np.stack([table.onset, table.offset])
    starts, stops = np.floor(times * STEPS_PER_QUARTER + 0.5).astype(np.int64)
    roll = np.zeros((stops.max(initial=0), 128), bool)  # [t, p]
    columns = starts.tolist(), stops.tolist(), table.pitch.tolist()
    for start, stop, pitch in zip(*columns, strict=True):
        roll[start:stop, pitch] = True
    count = roll.sum(axis=1)
    return _mean(count[count > 0] > 2)


def drum_pattern(sequence: NoteSequence) -> float:
    """Returns the fraction of drum notes on the 16ths of a bar (DP of MuseGAN).

    A note is on the nearest of 24 steps to a quarter. MuseGAN also counts notes next to
    a 16th, with weight 0.1.
    """
    table = note_table(sequence)
    _, step = table.take(table.drum).bar_positions(STEPS_PER_QUARTER)
    return _mean(step % SIXTEENTH == 0)


def tonal_distance(sequence: NoteSequence) -> float:
    """Returns the mean tonal distance of pairs of tracks (TD of MuseGAN).

    The tonal centroid of a track in a bar is the mean of its pitch classes in the six
    dimensions of `CIRCLES`, weighted by duration (Harte, Sandler & Gasser 2006,
    Detecting harmonic change in musical audio, equations 2 and 3).
    """
    table = note_table(sequence).pitched
    durations, classes = table.durations_in_bars(), np.eye(12)[table.pitch % 12]
    centroids = []  # [m, 6] each
    for track in np.unique(table.track):
        chroma = durations @ (classes * (table.track == track)[:, None])
        total = chroma.sum(axis=1, keepdims=True)
        centroids.append(chroma / np.where(total > 0, total, np.nan) @ CIRCLES)
    pairs = itertools.combinations(centroids, 2)
    distances = np.array([np.linalg.norm(a - b, axis=1) for a, b in pairs])
    return _mean(distances[~np.isnan(distances)])


def scale_consistency(sequence: NoteSequence) -> float:
    """Returns the fraction of pitched notes in the best major or natural minor scale.

    Mogren 2016 (C-RNN-GAN, arXiv:1611.09904, 4.2). A minor scale has the notes of its
    relative major.
    """
    count = np.bincount(note_table(sequence).pitched.pitch % 12, minlength=12)
    best = max(count[(MAJOR + tonic) % 12].sum() for tonic in range(12))
    return float(best / count.sum()) if count.any() else np.nan


def groove_consistency(sequence: NoteSequence) -> float:
    """Returns the similarity of the onsets of successive bars, 1 if all are equal.

    It is 1 minus the fraction of steps that differ: GS of Wu & Yang 2020 (The Jazz
    Transformer, arXiv:2008.01307, 4.2), including drums. Only bars of equal length are
    compared.
    """
    table = note_table(sequence)
    bar, step = table.bar_positions(GROOVE_RATE)
    quarters = np.diff(table.bars, axis=1)[:, 0]
    sizes = np.rint(quarters * GROOVE_RATE).astype(np.int64)
    onsets = np.zeros((len(sizes), sizes.max(initial=0) + 1), bool)
    onsets[bar, step] = True
    differences = (onsets[1:] != onsets[:-1]).sum(axis=1)
    equal = sizes[1:] == sizes[:-1]
    return _mean(1 - differences[equal] / sizes[1:][equal])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


STATISTICS: Mapping[str, Callable[[NoteSequence], float]] = {
    "empty_bars": empty_bars,
    "used_pitch_classes": used_pitch_classes,
    "qualified_notes": qualified_notes,
    "polyphonicity": polyphonicity,
    "drum_pattern": drum_pattern,
    "tonal_distance": tonal_distance,
    "scale_consistency": scale_consistency,
    "groove_consistency": groove_consistency,
}


def statistics_table(pieces: Iterable[NoteSequence]) -> np.ndarray:
    """Returns all statistics, float [pieces, a], in the order of `STATISTICS`."""
    rows = [[statistic(piece) for statistic in STATISTICS.values()] for piece in pieces]
    return np.array(rows).reshape(-1, len(STATISTICS))
