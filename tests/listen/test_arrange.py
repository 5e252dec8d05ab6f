"""Other tempos and instruments."""

import numpy as np
import pytest
from pieces import line, metre, piece

from zoo.data.proto import NoteSequence, quarters
from zoo.errors import UsageError
from zoo.listen.arrange import with_instruments, with_tempo


def times(sequence):
    return np.array([(n.start_time, n.end_time) for n in sequence.notes])


@pytest.mark.parametrize("stated", [None, 120.0, 90.0])
def test_a_tempo_scales_all_times(stated):
    sequence = metre(line([60, 62, 64, 65, 67]), (0, 1, 4), (0.5, 4, 4))
    if stated:
        sequence.tempos.add(qpm=stated)
        sequence.tempos.add(time=1.0, qpm=2 * stated)
    sequence.control_changes.add(time=1.0, control_number=64, control_value=127)
    before, factor = quarters(sequence)(times(sequence)), (stated or 120.0) / 60
    slow = with_tempo(sequence, 60)
    np.testing.assert_allclose(times(slow), factor * times(sequence))
    np.testing.assert_allclose(quarters(slow)(times(slow)), before, atol=1e-9)
    assert slow.tempos[0].qpm == 60
    assert slow.time_signatures[1].time == factor * 0.5
    assert slow.control_changes[0].time == factor
    assert slow.total_time == factor * sequence.total_time
    assert sequence.notes[1].start_time == 0.5  # the piece itself is not changed


@pytest.mark.parametrize("tempo", [0, -1, 5, 1e6, float("nan"), float("inf")])
def test_a_tempo_has_a_range(tempo):
    with pytest.raises(UsageError, match=r"`tempo` is .*from 10 to 1,000"):
        with_tempo(line([60]), tempo)


def test_instruments_go_to_parts_in_order():
    sequence = NoteSequence()
    for i in range(3):
        piece((0, 1, 60 + i), instrument=i, into=sequence)
    piece((0, 1, 38), instrument=9, drum=True, into=sequence)
    one = with_instruments(sequence, ["Violin"])
    assert [n.program for n in one.notes] == [40, 40, 40, 0]
    two = with_instruments(sequence, ["flute", "42"])
    assert [n.program for n in two.notes] == [73, 42, 42, 0]
    assert two.notes[3].is_drum
    assert {n.program for n in sequence.notes} == {0}


@pytest.mark.parametrize("name", ["flut", "128", "-1", "", "drums"])
def test_an_unknown_instrument_is_refused(name):
    with pytest.raises(UsageError, match="no instrument called"):
        with_instruments(line([60]), [name])
