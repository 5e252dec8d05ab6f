"""Notation: keys, pitch names, accidentals, values, tuplets, ties, bars and staves."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pieces import line, metre, piece

from zoo.data.proto import NoteSequence
from zoo.errors import ZooError
from zoo.listen.score.notation import notate
from zoo.listen.score.shape import QUARTER, WHOLE, Tuplet, events
from zoo.listen.score.spelling import inferred_key, spell, stated_key
from zoo.listen.timeline import bars, has_pickup, pitch_name, voices

MAJOR = [0, 2, 4, 5, 7, 9, 11, 12]


def layer(bar, staff=0, place=0):
    """Returns the events of a layer of a bar."""
    return events(bar.staves[staff][place])


def heads(sequence):
    """Returns (step, printed accidental) of every head, per bar of the first staff."""
    return [
        [(head.step, head.shown) for event in layer(bar) for head in event.heads]
        for bar in notate(sequence).bars
    ]


def values(sequence, staff=0):
    """Returns the values of notes per bar, such as "4." or "8", with rests as "r4"."""
    return [
        ["r" * (not e.heads) + str(e.kind) + "." * e.dots for e in layer(bar, staff)]
        for bar in notate(sequence).bars
    ]


def quarters(*notes, metre_of=(4, 4), **options):
    """Returns a piece of (onset, offset, pitch) in quarters, at 120 to the minute."""
    timed = [(start / 2, end / 2, pitch) for start, end, pitch in notes]
    return metre(piece(*timed, **options), (0, *metre_of))


def rhythm(*lengths, metre_of=(4, 4)):
    """Returns a line of notes of lengths in quarters; rests are negative."""
    edges = np.cumsum([0, *map(abs, map(float, lengths))])
    notes = [
        (a, b, 60)
        for a, b, length in zip(edges, edges[1:], lengths, strict=False)
        if length > 0
    ]
    return quarters(*notes, metre_of=metre_of)


@pytest.mark.parametrize("fifths", range(-5, 7))
def test_a_scale_in_its_key_needs_no_accidental(fifths):
    tonic = 60 + fifths * 7 % 12
    scale = line([tonic + step for step in MAJOR])
    assert inferred_key(note.pitch for note in scale.notes) == fifths
    assert notate(scale).bars[0].fifths == fifths
    printed = list(itertools.chain(*heads(scale)))
    # each letter in turn
    assert [step - printed[0][0] for step, _ in printed] == list(range(8))
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
    ("tonic", "mode", "fifths", "name"),
    [
        (9, 1, 0, "minor"),
        (2, 4, 0, "dorian"),
        (7, 3, 0, "mixolydian"),
        (4, 0, 4, "major"),
    ],
)
def test_stated_keys(tonic, mode, fifths, name):
    sequence = line([60, 61])
    signature = sequence.key_signatures.add(key=tonic, mode=mode)
    assert stated_key(signature) == (fifths, name)
    bar = notate(sequence).bars[0]
    assert (bar.fifths, bar.mode, bar.keyed) == (fifths, name, True)


def test_a_key_changes_at_its_bar():
    sequence = metre(line([60] * 12), (0, 4, 4))
    sequence.key_signatures.add(key=0)
    sequence.key_signatures.add(time=4.0, key=2)
    assert [(bar.fifths, bar.keyed) for bar in notate(sequence).bars] == [
        (0, True),
        (0, False),
        (2, True),
    ]


def test_an_accidental_holds_for_its_bar():
    sequence = line([66, 66, 65, 66, 66])
    sequence.key_signatures.add(key=0)
    assert heads(sequence) == [[(31, 1), (31, None), (31, 0), (31, 1)], [(31, 1)]]


def test_an_accidental_holds_in_both_layers_of_a_staff():
    sequence = quarters((0, 4, 72), (0, 1, 66), (1, 2, 66))
    sequence.key_signatures.add(key=0)
    (bar,) = notate(sequence).bars
    assert len(bar.staves[0]) == 2
    shown = [h.shown for place in (0, 1) for e in layer(bar, 0, place) for h in e.heads]
    assert shown == [None, 1, None]


@pytest.mark.parametrize(
    ("sequence", "written"),
    [
        (rhythm(1.5, 0.5, 2), ["4.", "8", "2"]),
        (rhythm(0.5, 1, 0.5, 2), ["8", "4", "8", "2"]),
        (rhythm(1, 2, 1), ["4", "2", "4"]),
        # a note over the middle of the bar that begins off the beat is tied
        (rhythm(1.5, 1, 1.5), ["4.", "8", "8", "8", "4"]),
        (rhythm(2.5, 1.5), ["2", "8", "8", "4"]),
        (rhythm(0.75, 0.25, 0.25, 0.5, 0.25, 2), ["8.", "16", "16", "8", "16", "2"]),
        (rhythm(4), ["1"]),
        (rhythm(1, -2, 1), ["4", "r4", "r4", "4"]),
        (rhythm(2, -2), ["2", "r2"]),
        (rhythm(0.5, -1.5, 2), ["8", "r8", "r4", "2"]),
        (rhythm(3, metre_of=(3, 4)), ["2."]),
        (rhythm(1.5, 1, 0.5, metre_of=(6, 8)), ["4.", "4", "8"]),
        (rhythm(2, 1, metre_of=(6, 8)), ["4.", "8", "4"]),
        (rhythm(0.5, 1, -1, 0.5, metre_of=(6, 8)), ["8", "4", "r4", "8"]),
        (rhythm(3, 1.5, metre_of=(9, 8)), ["2.", "4."]),
        (rhythm(1, 1.5, metre_of=(5, 8)), ["4", "4."]),
        (rhythm(3.5, metre_of=(7, 8)), ["2", "4."]),
        (rhythm(0.125, 0.125, 0.75, 3), ["32", "32", "8.", "2."]),
    ],
)
def test_values(sequence, written):
    assert values(sequence) == [written]


THIRD = Fraction(1, 3)


@pytest.mark.parametrize(
    ("sequence", "tuplets"),
    [
        (rhythm(THIRD, THIRD, THIRD, 3), [(3, 2, "888")]),
        (rhythm(2 * THIRD, THIRD, 3), [(3, 2, "48")]),
        (rhythm(2 * THIRD, 2 * THIRD, 2 * THIRD, 2), [(3, 2, "444")]),
        (rhythm(THIRD / 2, THIRD / 2, THIRD / 2, 0.5, 3), [(3, 2, "16 16 16")]),
        (rhythm(*[THIRD / 2] * 6, 3), [(3, 2, "16 16 16")] * 2),
        (rhythm(*[Fraction(1, 5)] * 5, 3), [(5, 4, "16 16 16 16 16")]),
        (rhythm(*[Fraction(1, 7)] * 7, 3), [(7, 4, "16 16 16 16 16 16 16")]),
        (rhythm(THIRD, -THIRD, THIRD, 3), [(3, 2, "8r88")]),
        # a note that ends within a triplet is tied into it
        (rhythm(2 + THIRD, 2 * THIRD, 1), [(3, 2, "84")]),
        # three eighths in the time of two, after one eighth of 6/8
        (rhythm(0.5, *[THIRD] * 3, 1.5, metre_of=(6, 8)), [(3, 2, "888")]),
    ],
)
def test_tuplets(sequence, tuplets):
    (bar,) = notate(sequence).bars
    kinds = lambda x: "".join("r" * (not e.heads) + str(e.kind) for e in x.events)
    found = [x for x in bar.staves[0][0] if isinstance(x, Tuplet)]
    assert [(x.count, x.normal, kinds(x)) for x in found] == [
        (count, normal, written.replace(" ", "")) for count, normal, written in tuplets
    ]


@pytest.mark.parametrize(
    ("sequence", "groups"),
    [
        (rhythm(*[0.5] * 8), [4, 4]),
        (rhythm(*[0.5] * 6, metre_of=(3, 4)), [2, 2, 2]),
        (rhythm(*[0.5] * 6, metre_of=(6, 8)), [3, 3]),
        (rhythm(0.5, 0.25, 0.25, 0.5, 0.5, 2), [3, 2]),
        (rhythm(0.5, -0.5, 0.5, 0.5, 2), [2]),
        (rhythm(1, 0.5, 0.5, 0.5, 0.5, 1), [2, 2]),
        (rhythm(*[0.5] * 5, metre_of=(5, 8)), [2, 3]),
        (rhythm(THIRD, THIRD, THIRD, 0.5, 0.5, 2), [3, 2]),
        (rhythm(2 * THIRD, THIRD, 3), []),
    ],
)
def test_beams(sequence, groups):
    (bar,) = notate(sequence).bars
    numbers = [event.beam for event in layer(bar) if event.beam]
    assert [len(list(run)) for _, run in itertools.groupby(numbers)] == groups


def test_notes_tie_over_the_bar():
    sequence = metre(piece((0, 1.0, 60), (1.0, 2.5, 62)), (0, 3, 4))
    bar, after = notate(sequence).bars
    ties = lambda bar: [(e.ticks // QUARTER, e.held, e.tied) for e in layer(bar)]
    assert ties(bar) == [(2, False, False), (1, False, True)]
    assert ties(after)[0] == (2, True, False)
    assert after.staves[0][0][0].heads == bar.staves[0][0][1].heads


def test_a_pickup_is_a_short_first_bar_of_the_metre_that_follows():
    sequence = metre(line([67, 60, 62, 64, 65]), (0, 1, 4), (0.5, 3, 4))
    np.testing.assert_allclose(bars(sequence), [0, 1, 4, 7])
    assert has_pickup(sequence)
    assert not has_pickup(metre(line([60] * 8), (0, 3, 4), (1.5, 2, 4)))
    score = notate(sequence)
    assert score.pickup
    *_, third = score.bars
    assert {bar.metre for bar in score.bars} == {(3, 4)}
    assert [bar.stated for bar in score.bars] == [True, False, False]
    assert [bar.partial for bar in score.bars] == [True, False, True]
    assert third.end - third.start == 2 * QUARTER  # the pickup's complement


def test_bars_follow_changes_of_tempo_and_metre():
    sequence = piece((0, 7.0, 60))
    sequence.tempos.add(qpm=60)
    sequence.tempos.add(time=4.0, qpm=120)
    metre(sequence, (0, 4, 4), (4.0, 6, 8))
    np.testing.assert_allclose(bars(sequence), [0, 4, 7, 10])
    score = notate(sequence)
    assert [bar.stated for bar in score.bars] == [True, True, False]
    assert score.tempos == ((0, 60.0), (4 * QUARTER, 120.0))


def test_chords_and_clefs():
    sequence = piece((0, 2, 60), (0, 2, 64), (0, 2, 67), program=40)
    piece((0, 2, 36), instrument=1, program=40, into=sequence)
    piece((0, 2, 60), instrument=2, program=41, into=sequence)
    score = notate(sequence)
    assert [part.clefs for part in score.parts] == [("treble",), ("bass",), ("alto",)]
    (chord,) = layer(score.bars[0])
    assert [head.step for head in chord.heads] == [28, 30, 32]


def test_a_piano_has_two_staves_with_layers_where_notes_overlap():
    sequence = quarters((0, 4, 72), (0, 2, 64), (2, 4, 65), (0, 4, 48), (0, 4, 43))
    score = notate(sequence)
    assert [part.clefs for part in score.parts] == [("treble", "bass")]
    right, left = score.bars[0].staves
    assert [[e.ticks // QUARTER for e in events(x)] for x in right] == [[4], [2, 2]]
    assert [[len(e.heads) for e in events(x)] for x in left] == [[2]]
    one_line = notate(quarters(*((i, i + 1, 48 + 4 * i) for i in range(8))))
    assert [len(part.clefs) for part in one_line.parts] == [1]


@pytest.mark.parametrize("by_voice", [False, True])
def test_four_voices_share_two_staves(by_voice):
    sequence = NoteSequence()
    for i, pitch in enumerate((72, 67, 60, 48)):
        for beat in range(4):
            sequence.notes.add(
                start_time=beat / 2,
                end_time=(beat + 1) / 2,
                pitch=pitch + beat,
                velocity=80,
                program=52,
                instrument=0 if by_voice else i,
                voice=i if by_voice else 0,
            )
    score = notate(sequence)
    (part,) = score.parts
    assert part.choir
    assert part.clefs == ("treble", "bass")
    lowest = [
        [layer(score.bars[0], staff, place)[0].heads[0].pitch for place in (0, 1)]
        for staff in (0, 1)
    ]
    assert lowest == [[72, 67], [60, 48]]


def test_drums_have_a_percussion_staff():
    hits = [(0, 0.1, 36), (0, 0.1, 42), (0.25, 0.3, 42), (0.5, 0.55, 38)]
    score = notate(piece(*hits, drum=True, instrument=9))
    (part,) = score.parts
    assert part.drums
    first, second, third, *rests = layer(score.bars[0])
    assert [(h.step, h.cross) for h in first.heads] == [(31, False), (39, True)]
    assert [e.kind for e in (first, second, third)] == [8, 8, 4]
    assert not any(rest.heads for rest in rests)
    assert third.heads[0].step == 35  # a snare is in the space of C5


def test_performed_notes_become_16ths_and_triplets():
    rng = np.random.default_rng(3)
    jitter = lambda: rng.normal(0, 0.012)
    onsets = [0, 0.5, 1, 1.25, 1.5, 1.75, 2, 2 + 1 / 3, 2 + 2 / 3, 3]
    notes = [(x + jitter(), x + 0.15 + jitter(), 60 + i) for i, x in enumerate(onsets)]
    (bar,) = notate(quarters(*[(max(a, 0), b, p) for a, b, p in notes])).bars
    starts = [e.start / QUARTER for e in layer(bar) if e.heads and not e.held]
    np.testing.assert_allclose(starts, onsets)
    # short gaps are not rests
    assert all(event.heads for event in layer(bar) if event.start < 3 * QUARTER)


music = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(30, 95)), st.integers(1, 20)),
    min_size=1,
    max_size=20,
).filter(lambda notes: any(pitch for pitch, _ in notes))


@given(
    music,
    st.sampled_from([(2, 4), (3, 4), (4, 4), (6, 8), (9, 8), (5, 8), (2, 2)]),
    st.sampled_from([4, 3, 8, 6, 5, 7]),
)
def test_values_fill_every_bar_and_keep_every_note(notes, signature, division):
    sequence = metre(NoteSequence(), (0, *signature))
    edges = np.cumsum([0, *[length for _, length in notes]]) / division / 2
    for (pitch, _), start, end in zip(notes, edges, edges[1:], strict=False):
        if pitch:
            piece((start, end, pitch), into=sequence, program=40)
    written = notate(sequence).bars
    sounding, open_note = [], False
    for bar in written:
        inside = layer(bar)
        assert sum(e.ticks for e in inside) == (bar.end - bar.start) * bool(inside)
        for item in bar.staves[0][0]:
            ratio = (item.count, item.normal) if isinstance(item, Tuplet) else (1, 1)
            for e in item.events if isinstance(item, Tuplet) else (item,):
                value = Fraction(WHOLE, e.kind) * (Fraction(3, 2) if e.dots else 1)
                assert value * ratio[1] / ratio[0] == e.ticks
                assert e.held == (open_note and bool(e.heads))
                if e.heads and not e.held:
                    sounding.append([e.heads[0].pitch, e.ticks])
                elif e.heads:
                    sounding[-1][1] += e.ticks
                open_note = e.tied
    step = QUARTER // division
    assert sounding == [[p, step * length] for p, length in notes if p]


def test_a_sequence_without_notes_is_refused():
    for read in (voices, notate):
        with pytest.raises(ZooError, match="no notes to plot"):
            read(NoteSequence())
