"""Made music with known positions, and performances of it whose timing is known."""

from typing import NamedTuple

import numpy as np

from zoo.data.proto import NoteSequence

# Rhythms of a beat in 16ths, (onset, duration) each; the likelier ones twice.
SIMPLE = [
    [(0, 4)],
    [(0, 4)],
    [(0, 2), (2, 2)],
    [(0, 2), (2, 2)],
    [(0, 3), (3, 1)],
    [(0, 2), (2, 1), (3, 1)],
    [(0, 1), (1, 1), (2, 2)],
    [(0, 1), (1, 1), (2, 1), (3, 1)],
    [(2, 2)],
]
COMPOUND = [
    [(0, 6)],
    [(0, 4), (4, 2)],
    [(0, 4), (4, 2)],
    [(0, 2), (2, 2), (4, 2)],
    [(0, 2), (2, 2), (4, 2)],
    [(0, 3), (3, 1), (4, 2)],
    [(0, 2), (2, 2), (4, 1), (5, 1)],
]
SCALE = [0, 2, 4, 5, 7, 9, 11]
CHORDS = [0, 5, 7, 9, 2]  # roots of the chords of a key, in semitones
NAMES = ("MELODY", "BRIDGE", "PIANO")


class Music(NamedTuple):
    """Notes on a grid of 16ths, each (onset, duration, pitch, velocity, track)."""

    metre: tuple[int, int]
    pickup: int
    notes: list[tuple[int, int, int, int, int]]

    @property
    def bar(self) -> int:
        return 16 * self.metre[0] // self.metre[1]


def arrangement(
    rng: np.random.Generator,
    metre: tuple[int, int] = (4, 4),
    *,
    bars: int = 24,
    pickup: int = 0,
    finest: int = 1,
    parts: int = 3,
) -> Music:
    """Returns a melody over a bridge and an accompaniment of chords.

    Args:
      rng: the source of randomness.
      metre: the metre.
      bars: number of full bars.
      pickup: number of 16ths before the first full bar.
      finest: number of 16ths of which all onsets are multiples.
      parts: 1 for the melody alone, 3 for all.
    """
    bar = 16 * metre[0] // metre[1]
    compound = metre[1] == 8
    beat, cells = (6, COMPOUND) if compound else (4, SIMPLE)
    cells = [c for c in cells if all(x % finest == 0 for pair in c for x in pair)]
    favourites = [cells[i] for i in rng.integers(len(cells), size=3 * bar // beat)]
    key, degree = int(rng.integers(55, 67)), int(rng.integers(7, 12))
    root, notes = 0, []
    pattern = int(rng.integers(4))
    start = pickup
    if pickup:
        for at in range(0, pickup, 2):
            notes.append((at, 2, key + 12, 80, 0))
    for number in range(bars):
        root = CHORDS[int(rng.integers(len(CHORDS)))] if number % 4 else 0
        for at in range(0, bar, beat):
            which = int(rng.integers(len(favourites)))
            for onset, duration in favourites[which]:
                if rng.random() < 0.08:
                    continue
                degree += int(rng.integers(-2, 3))
                degree = min(max(degree, 5), 18)
                pitch = key + 12 * (degree // 7) + SCALE[degree % 7]
                loud = 78 + 10 * (onset == 0) + 8 * (at == 0 and onset == 0)
                velocity = loud + int(rng.integers(-6, 7))
                notes.append((start + at + onset, duration, pitch, velocity, 0))
        if parts > 1:
            notes += _accompaniment(rng, start, bar, beat, (key, root, pattern))
            if number % 8 > 5:
                for at in range(0, bar, beat):
                    notes.append((start + at, beat, key + 12 + root % 12, 70, 1))
        start += bar
    return Music(metre, pickup, sorted(set(notes)))


def _accompaniment(rng, start, bar, beat, harmony):
    """Returns a bar of chords and bass."""
    key, root, pattern = harmony
    low = key - 24 + root % 12
    chord = [low + 12, low + 12 + (3 if root in (9, 2) else 4), low + 19]
    notes = [(start, bar if pattern == 3 else beat, low, 82, 2)]
    unit = 2 if beat == 4 else beat // 3
    if pattern == 0:  # broken chords
        for i, at in enumerate(range(unit, bar, unit)):
            notes.append((start + at, unit, chord[(0, 1, 2, 1)[i % 4]], 68, 2))
    elif pattern == 1:  # chords on beats
        for at in range(0, bar, beat):
            notes += [(start + at, beat, p, 70 + 6 * (at == 0), 2) for p in chord]
        if bar == 16:
            notes.append((start + 8, 8, low + 7, 76, 2))
    elif pattern == 2:  # bass, then chords
        for at in range(beat, bar, beat):
            notes += [(start + at, beat // 2, p, 68, 2) for p in chord]
    else:  # held chords, with a push
        notes += [(start, beat + unit, p, 74, 2) for p in chord]
        notes += [(start + beat + unit, unit, p, 68, 2) for p in chord]
        if bar > 8 and rng.random() < 0.5:
            notes.append((start + bar - unit, unit, low + 7, 70, 2))
    return [x for x in notes if x[0] < start + bar]


class Timing(NamedTuple):
    """The timing of a performance, and what its file says.

    Attributes:
      qpm: true tempo.
      written: tempo of the file's event; None for the true one.
      start: time at which the music begins, in seconds.
      drift: the change of tempo from the first note to the last, as a share.
      rubato: amplitude of slow waves of tempo, as a share.
      jitter: standard deviation of onsets and offsets, in seconds.
      swing: position of the second eighth within its quarter.
    """

    qpm: float = 120.0
    written: float | None = None
    start: float = 0.0
    drift: float = 0.0
    rubato: float = 0.0
    jitter: float = 0.0
    swing: float = 0.5


def perform(
    music: Music,
    timing: Timing,
    rng: np.random.Generator,
    metre: tuple[int, int] | None = None,
) -> NoteSequence:
    """Performs music; the notes are in the order of `music.notes`.

    Args:
      music: the music.
      timing: the timing.
      rng: the source of randomness.
      metre: the time signature of the file, if any.
    """
    end = max(onset + duration for onset, duration, *_ in music.notes)
    steps = np.arange(end + 2)
    share, waves = steps / end, rng.uniform(0, 2 * np.pi, 2)
    rate = 1 + timing.drift * (share - 0.5)
    rate += timing.rubato * np.sin(steps / 32 * 2 * np.pi / 1.7 + waves[0])
    seconds = 15 / timing.qpm / rate
    clock = timing.start + np.append(0, np.cumsum(seconds[:-1]))

    def time(step):
        phase = step % 4 / 4
        swung = np.interp(phase, [0, 0.5, 1], [0, timing.swing, 1])
        moved = step - 4 * phase + 4 * swung
        return float(np.interp(moved, steps, clock))

    sequence = NoteSequence()
    sequence.source_info.encoding_type = sequence.source_info.MIDI
    sequence.tempos.add(qpm=timing.written or timing.qpm)
    if metre:
        sequence.time_signatures.add(numerator=metre[0], denominator=metre[1])
    for i, name in enumerate(NAMES):
        sequence.instrument_infos.add(instrument=i, name=name)
    for onset, duration, pitch, velocity, track in music.notes:
        begin = max(time(onset) + timing.jitter * rng.standard_normal(), 0.0)
        stop = time(onset + duration) - 0.02 + timing.jitter * rng.standard_normal()
        sequence.notes.add(
            start_time=begin,
            end_time=max(stop, begin + 0.03),
            pitch=pitch,
            velocity=velocity,
            instrument=track,
        )
    sequence.total_time = max(note.end_time for note in sequence.notes)
    return sequence


def right_share(steps: np.ndarray, truth: np.ndarray) -> float:
    """Returns the share of notes on the right step, up to a shift and an octave.

    Args:
      steps: the steps that notes were put on, as whole numbers.
      truth: the steps that they belong on.
    """
    shares = []
    for octave in (0.25, 0.5, 1, 2, 4):
        _, counts = np.unique(steps - octave * truth, return_counts=True)
        shares.append(counts.max() / len(truth))
    return max(shares)
