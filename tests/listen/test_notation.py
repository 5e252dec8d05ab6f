"""Notation: pitch names, accidentals, values, ties and bars."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pieces import line, metre, piece
from zoo.listen.notation import VALUES, key, notate, spell

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.timeline import bars, has_pickup, pitch_name, voices

MAJOR = [0, 2, 4, 5, 7, 9, 11, 12]


def heads(sequence):
    """Returns (step, printed accidental) of every head, per bar of the first voice."""
    return [
        [(head.step, head.shown) for event in bar.parts[0] for head in event.heads]
        for bar in notate(sequence, 100).bars
    ]


def values(sequence, voice=0):
    """Returns the values of notes per bar, negative for rests."""
    return [
        [event.value if event.heads else -event.value for event in bar.parts[voice]]
        for bar in notate(sequence, 100).bars
    ]


@pytest.mark.parametrize("fifths", range(-5, 7))
def test_a_scale_in_its_key_needs_no_accidental(fifths):
    tonic = 60 + fifths * 7 % 12
    scale = line([tonic + step for step in MAJOR])
    assert key(scale) == fifths
    printed = list(itertools.chain(*heads(scale)))
    assert [step - printed[0][0] for step, _ in printed] == list(
        range(8)
    )  # each letter in turn
    assert all(shown is None for _, shown in printed)


@given(st.integers(0, 127), st.integers(-5, 6))
def test_spelling_keeps_the_pitch(pitch, fifths):
    step, alter = spell(pitch, fifths)
    octave, letter = divmod(step, 7)
    assert 12 * (octave + 1) + MAJOR[letter] + alter == pitch


def test_middle_c():
    assert spell(60, 0) == (28, 0)
    assert pitch_name(60) == "C4"


@pytest.mark.parametrize(
    ("tonic", "mode", "fifths"), [(9, 1, 0), (2, 4, 0), (7, 3, 0), (4, 0, 4)]
)
def test_stated_keys(tonic, mode, fifths):
    sequence = line([60, 61])
    sequence.key_signatures.add(key=tonic, mode=mode)
    assert key(sequence) == fifths


def test_an_accidental_holds_for_its_bar():
    sequence = line([66, 66, 65, 66, 66])
    sequence.key_signatures.add(key=0)
    assert heads(sequence) == [[(31, 1), (31, None), (31, 0), (31, 1)], [(31, 1)]]


def test_values_of_a_dotted_rhythm():
    at_quarters = piece((0, 0.75, 60), (0.75, 1.0, 62), (1.0, 2.0, 64))
    assert values(at_quarters) == [[18, 6, 24]]


def test_triplets():
    third = 0.5 / 3
    assert values(line([60, 62, 64, 65, 67, 69], seconds=third)) == [[4] * 6 + [-24]]


def test_notes_tie_over_the_bar():
    bar, after = notate(metre(piece((0, 1.0, 60), (1.0, 2.5, 62)), (0, 3, 4)), 9).bars[
        :2
    ]
    assert [(e.value, e.tied) for e in bar.parts[0]] == [(24, False), (12, True)]
    assert [(e.value, e.tied) for e in after.parts[0]] == [(24, False), (12, False)]


def test_a_pickup_is_a_short_first_bar():
    sequence = metre(line([67, 60, 62, 64, 65]), (0, 1, 4), (0.5, 3, 4))
    np.testing.assert_allclose(bars(sequence), [0, 1, 4, 7])
    assert has_pickup(sequence)
    assert not has_pickup(metre(line([60] * 8), (0, 3, 4), (1.5, 2, 4)))
    first, second, third = notate(sequence, 9).bars
    assert (first.metre, second.metre) == ((1, 4), (3, 4))
    assert [bar.stated for bar in (first, second, third)] == [True, True, False]


def test_bars_follow_changes_of_tempo_and_metre():
    sequence = piece((0, 7.0, 60))
    sequence.tempos.add(qpm=60)
    sequence.tempos.add(time=4.0, qpm=120)
    metre(sequence, (0, 4, 4), (4.0, 6, 8))
    np.testing.assert_allclose(bars(sequence), [0, 4, 7, 10])


def test_chords_and_clefs():
    sequence = piece((0, 2, 60), (0, 2, 64), (0, 2, 67))
    piece((0, 2, 36), instrument=1, into=sequence)
    notation = notate(sequence, 9)
    assert notation.bass == (False, True)
    (chord,) = notation.bars[0].parts[0]
    assert [head.step for head in chord.heads] == [28, 30, 32]


rhythm = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(30, 95)), st.integers(1, 20)),
    min_size=1,
    max_size=20,
).filter(lambda notes: any(pitch for pitch, _ in notes))


@given(
    rhythm, st.sampled_from([(2, 4), (3, 4), (4, 4), (6, 8), (9, 8), (5, 8), (2, 2)])
)
def test_values_fill_every_bar_and_keep_every_note(notes, signature):
    sequence = metre(NoteSequence(), (0, *signature))
    edges = np.cumsum([0, *[length for _, length in notes]]) / 8  # sixteenths at 120
    for (pitch, _), start, end in zip(notes, edges, edges[1:], strict=False):
        if pitch:
            piece((start, end, pitch), into=sequence)
    written = notate(sequence, 1000).bars
    assert all(
        sum(e.value for e in bar.parts[0]) == bar.end - bar.start for bar in written
    )
    events = [event for bar in written for event in bar.parts[0]]
    assert {event.value for event in events} <= set(VALUES)
    lengths, open_note = [], False
    for event in events:
        if event.heads:
            lengths = (
                [*lengths[:-1], lengths[-1] + event.value]
                if open_note
                else [*lengths, event.value]
            )
        open_note = event.tied
    assert lengths == [3 * length for pitch, length in notes if pitch]


def test_a_sequence_without_notes_is_refused():
    with pytest.raises(ZooError, match="no notes to plot"):
        voices(NoteSequence())
