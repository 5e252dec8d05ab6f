"""Bar lines, parts of a piece, and its tempo."""

import numpy as np
import pytest

from zoo.data.bars import (
    at_tempo,
    bar_lines,
    copy_metres,
    excerpt,
    main_tempo,
    mark_model,
    model_begins,
    stop_after,
)
from zoo.data.proto import NoteSequence, metres


def tune(metre_changes=((0.0, 3, 4),), notes=12, qpm=120.0):
    """Quarters at `qpm`, in metres (seconds, numerator, denominator)."""
    sequence = NoteSequence()
    sequence.tempos.add(time=0, qpm=qpm)
    for time, numerator, denominator in metre_changes:
        sequence.time_signatures.add(
            time=time, numerator=numerator, denominator=denominator
        )
    for i in range(notes):
        times = {"start_time": i * 60 / qpm, "end_time": (i + 1) * 60 / qpm}
        sequence.notes.add(pitch=60 + i, velocity=80, **times)
    sequence.total_time = notes * 60 / qpm
    return sequence


@pytest.mark.parametrize(
    ("changes", "end", "lines"),
    [
        (((0.0, 3, 4),), 12, [0, 3, 6, 9, 12]),
        (((0.0, 3, 4),), 10, [0, 3, 6, 9, 12]),
        (((0.0, 6, 8),), 6, [0, 3, 6]),
        (((0.0, 1, 4), (0.5, 4, 4)), 9, [0, 1, 5, 9]),
        (((0.0, 4, 4), (2.0, 3, 4)), 10, [0, 4, 7, 10]),
        ((), 8, [0, 4, 8]),
    ],
)
def test_bar_lines(changes, end, lines):
    np.testing.assert_allclose(bar_lines(tune(changes), end), lines)


def test_an_excerpt_begins_at_nought_and_keeps_what_is_in_force():
    piece = tune(((0.0, 4, 4), (2.0, 3, 4)))
    piece.key_signatures.add(time=0, key=2)
    piece.tempos.add(time=1.0, qpm=60)  # of which the metre knows nothing
    mark_model(piece, 4.0)
    part = excerpt(piece, 3.25, 5.0)
    notes = [(x.pitch, x.start_time, x.end_time) for x in part.notes]
    assert notes == [
        (66, 0.0, 0.25),
        (67, 0.25, 0.75),
        (68, 0.75, 1.25),
        (69, 1.25, 1.75),
    ]
    assert part.total_time == 1.75
    assert [(x.time, x.numerator) for x in part.time_signatures] == [(0.0, 3)]
    assert [(x.time, x.qpm) for x in part.tempos] == [(0.0, 60)]
    assert [(x.time, x.key) for x in part.key_signatures] == [(0.0, 2)]
    assert model_begins(part) == 0.75
    assert model_begins(piece) == 4.0


def test_an_excerpt_of_all_is_the_piece():
    piece = tune(((0.0, 1, 4), (0.5, 4, 4)))
    assert excerpt(piece) == piece


def test_the_main_tempo_is_the_median():
    piece = tune(qpm=80.0)
    assert main_tempo(piece) == 80.0
    piece.tempos.add(time=6.0, qpm=70.0)
    piece.tempos.add(time=7.0, qpm=40.0)
    assert main_tempo(piece) == 80.0
    rubato = tune(notes=24)
    for i in range(24):
        rubato.tempos.add(time=i / 2, qpm=90 + i % 3)
    assert main_tempo(rubato) == 91
    assert main_tempo(NoteSequence()) == 120.0
    assert main_tempo(excerpt(piece, 9.0)) == 40.0


def test_another_tempo_keeps_the_quarters():
    piece = tune(((0.0, 1, 4), (0.5, 4, 4)))
    mark_model(piece, 2.5)
    slow = at_tempo(piece, 60)
    assert [x.end_time for x in slow.notes] == [2 * x.end_time for x in piece.notes]
    assert (slow.total_time, model_begins(slow)) == (12.0, 5.0)
    assert metres(slow) == metres(piece)
    assert at_tempo(slow, 120) == piece


def test_metres_are_copied_at_their_quarters():
    piece, slow = tune(()), tune(((0.0, 2, 4), (2.0, 3, 4)), qpm=60.0)
    copy_metres(piece, slow)
    assert [(x.time, x.numerator) for x in piece.time_signatures] == [(0, 2), (1, 3)]


@pytest.mark.parametrize(
    ("time", "bars", "stop"),
    [
        (0.0, 2, 3.0),
        (1.5, 1, 3.0),
        (1.0, 1, 3.0),  # the rest of a bar is not counted
        (3.0, 2, 6.0),
        (3.0, 3, None),
        (5.0, 1, None),
    ],
)
def test_bars_are_counted_from_a_bar_line(time, bars, stop):
    assert stop_after(tune(), time, bars) == pytest.approx(stop)
