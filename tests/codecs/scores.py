"""Small scores, sampled by hypothesis or written by hand."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from zoo.data.proto import NoteSequence, metres, quarters, seconds

# Onsets in 16ths that no pulse has.
FREE_TIME = [1.62 * i + 1.4 * (i * i * 0.381 % 1) for i in range(24)]

METRES = [(2, 4), (3, 4), (4, 4), (2, 2), (3, 8), (6, 8), (9, 8)]


class Tune(NamedTuple):
    """A line on a grid of 16ths; a note is (pitch or None for a rest, length)."""

    metre: tuple[int, int]
    pickup: int
    notes: list[tuple[int | None, int]]
    later: tuple[int, int] | None = None  # a metre from bar 2 on
    qpms: tuple[float, ...] = ()  # a tempo every three quarters

    @property
    def bar(self) -> int:
        return 16 * self.metre[0] // self.metre[1]

    @property
    def length(self) -> int:
        return sum(length for _, length in self.notes)


def sequence(tune: Tune) -> NoteSequence:
    score = NoteSequence()
    for i, qpm in enumerate(tune.qpms):
        before = seconds(score)(np.array(3.0 * i))
        score.tempos.add(time=float(before), qpm=qpm)
    clock = seconds(score)
    signatures = [(0, tune.metre)]
    if tune.pickup:
        signatures = [(0, (tune.pickup, 16)), (tune.pickup, tune.metre)]
    if tune.later and tune.length > tune.pickup + 2 * tune.bar:
        signatures.append((tune.pickup + 2 * tune.bar, tune.later))
    for at, (numerator, denominator) in signatures:
        time = float(clock(np.array(at / 4)))
        score.time_signatures.add(
            time=time, numerator=numerator, denominator=denominator
        )
    at = 0
    for pitch, length in tune.notes:
        onset, at = at, at + length
        if pitch is not None:
            times = clock(np.array([onset, at]) / 4).tolist()
            score.notes.add(
                start_time=times[0], end_time=times[1], pitch=pitch, velocity=80
            )
    score.total_time = float(clock(np.array(at / 4)))
    return score


def played(score: NoteSequence) -> list[tuple[int, int, int]]:
    """Returns all (pitch, onset, offset) in 16ths, sorted."""
    clock = quarters(score)
    times = clock(
        np.array([[x.start_time, x.end_time] for x in score.notes]).reshape(-1, 2)
    )
    grid = np.rint(4 * times).astype(int).tolist()
    return sorted((x.pitch, *row) for x, row in zip(score.notes, grid, strict=True))


def barred(score: NoteSequence) -> list[tuple[int, int, int]]:
    """Returns (start in 16ths, numerator, denominator) of every metre."""
    return [(round(4 * m.start), m.numerator, m.denominator) for m in metres(score)]


@st.composite
def tunes(draw) -> Tune:
    metre = draw(st.sampled_from(METRES))
    bar = 16 * metre[0] // metre[1]
    note = st.tuples(st.one_of(st.integers(36, 96), st.none()), st.integers(1, 20))
    notes = draw(st.lists(note, min_size=1, max_size=30))
    notes += draw(st.permutations([(60, 3), (62, 16)]))
    later = draw(st.sampled_from([None, *METRES]))
    qpms = draw(st.lists(st.floats(30, 300), max_size=4))
    return Tune(metre, draw(st.integers(0, bar - 1)), notes, later, tuple(qpms))


@st.composite
def textures(draw) -> NoteSequence:
    """Chords and overlaps on a grid of 10 ms, no two notes of one pitch at once."""
    score = NoteSequence()
    for pitch in draw(
        st.lists(st.integers(21, 108), min_size=1, max_size=6, unique=True)
    ):
        times = draw(st.lists(st.integers(0, 700), min_size=2, max_size=8, unique=True))
        times = sorted(times)
        for onset, offset in zip(times[::2], times[1::2], strict=False):
            score.notes.add(
                start_time=onset / 100,
                end_time=offset / 100,
                pitch=pitch,
                velocity=draw(st.integers(1, 127)),
            )
            score.total_time = max(score.total_time, offset / 100)
    return score
