"""What a piece is like in numbers, whatever wrote it: those that papers on many tracks report.

Each is of a NoteSequence, and NaN where the piece has nothing it could be told of. Bars are those
of its time signatures. Where the papers count steps, 96 to a bar of 4/4, these are 24 to a quarter
in any metre. Axes: m bars, n notes, t step, p pitch, k track.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from zoo.data.proto import NoteSequence
from zoo.metrics.note_table import STEPS_PER_QUARTER, TOLERANCE, note_table

QUALIFIED = 1 / 8  # quarters: a 32nd, three steps
SIXTEENTH = STEPS_PER_QUARTER // 4
GROOVE = 16  # steps per quarter: 64 to a bar of 4/4, as Wu & Yang have it
MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])  # and natural minor, from its third on

# the circles of fifths, of minor and of major thirds, on which pitch classes lie, [c, 6]
_ANGLES = np.arange(12)[:, None] * np.pi * np.array([7 / 6, 3 / 2, 2 / 3])
CIRCLES = np.concatenate([np.sin(_ANGLES), np.cos(_ANGLES)], axis=1) * [
    1,
    1,
    0.5,
    1,
    1,
    0.5,
]


def empty_bars(sequence: NoteSequence) -> float:
    """The share of bars in which nothing sounds (EB of Dong et al. 2018, MuseGAN, 5.3)."""
    return _mean(np.all(note_table(sequence).within() == 0, axis=1))


def used_pitch_classes(sequence: NoteSequence) -> float:
    """Pitch classes that sound in a bar, 1 to 12, the mean over bars with any (MuseGAN's UPC)."""
    score = note_table(sequence).pitched
    used = (score.within() @ np.eye(12)[score.pitch % 12] > 0).sum(axis=1)
    return _mean(used[used > 0])


def qualified_notes(sequence: NoteSequence) -> float:
    """The share of pitched notes that last a 32nd or longer: three steps (MuseGAN's QN)."""
    score = note_table(sequence).pitched
    return _mean(score.offset - score.onset >= QUALIFIED - TOLERANCE)


def polyphonicity(sequence: NoteSequence) -> float:
    """The share of steps with more than two pitches, of those with any.

    PP of Dong & Yang 2018 (arXiv:1804.09399, 4), where silent steps count as well.
    """
    score = note_table(sequence).pitched
    steps = np.floor(
        np.stack([score.onset, score.offset]) * STEPS_PER_QUARTER + 0.5
    ).astype(np.int64)
    roll = np.zeros((steps.max(initial=0), 128), bool)  # [t, p]
    for start, stop, pitch in zip(*steps.tolist(), score.pitch.tolist(), strict=True):
        roll[start:stop, pitch] = True
    count = roll.sum(axis=1)
    return _mean(count[count > 0] > 2)


def drum_pattern(sequence: NoteSequence) -> float:
    """The share of drum notes on the 16ths of a bar, and so on its 8ths (MuseGAN's DP).

    Of 24 steps to a quarter a note is on the nearest. MuseGAN has a tenth for those next to a 16th.
    """
    score = note_table(sequence)
    _, step = score.take(score.drum).places(STEPS_PER_QUARTER)
    return _mean(step % SIXTEENTH == 0)


def tonal_distance(sequence: NoteSequence) -> float:
    """How far two tracks are apart in harmony: the mean over bars and pairs that sound (TD).

    In a bar a track is at the mean of its pitch classes, each for as long as it sounds, in the six
    dimensions of `CIRCLES` (Harte, Sandler & Gasser 2006, Detecting harmonic change in musical
    audio, equations 2 and 3).
    """
    score = note_table(sequence).pitched
    sounds, classes = score.within(), np.eye(12)[score.pitch % 12]
    centroids = []
    for track in np.unique(score.track):
        chroma = sounds @ (classes * (score.track == track)[:, None])
        total = chroma.sum(axis=1, keepdims=True)
        centroids.append(
            chroma / np.where(total > 0, total, np.nan) @ CIRCLES
        )  # [m, 6]
    pairs = itertools.combinations(centroids, 2)
    apart = np.array([np.linalg.norm(one - other, axis=1) for one, other in pairs])
    return _mean(apart[~np.isnan(apart)])


def scale_consistency(sequence: NoteSequence) -> float:
    """The share of pitched notes in the major or natural minor scale that has most of them.

    Of Mogren 2016 (C-RNN-GAN, arXiv:1611.09904, 4.2). A minor scale has the notes of its relative
    major.
    """
    count = np.bincount(note_table(sequence).pitched.pitch % 12, minlength=12)
    best = max(count[(MAJOR + tonic) % 12].sum() for tonic in range(12))
    return float(best / count.sum()) if count.any() else np.nan


def groove_consistency(sequence: NoteSequence) -> float:
    """How alike successive bars are in which of their steps have an onset: 1 if all are the same.

    1 - the share of steps in which they differ, GS of Wu & Yang 2020 (The Jazz Transformer,
    arXiv:2008.01307, 4.2), drums included. Bars of different lengths are not compared.
    """
    score = note_table(sequence)
    bar, step = score.places(GROOVE)
    sizes = np.rint(np.diff(score.bars, axis=1)[:, 0] * GROOVE).astype(np.int64)
    struck = np.zeros((len(sizes), sizes.max(initial=0) + 1), bool)
    struck[bar, step] = True
    differ = (struck[1:] != struck[:-1]).sum(axis=1)
    alike = sizes[1:] == sizes[:-1]
    return _mean(1 - differ[alike] / sizes[1:][alike])


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
    """All of them, float [pieces, a] in the order of `STATISTICS`."""
    rows = [[measure(piece) for measure in STATISTICS.values()] for piece in pieces]
    return np.array(rows).reshape(-1, len(STATISTICS))
