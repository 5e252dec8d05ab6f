"""Grammars: encoded streams are legal, and legal streams decode to music."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scores import sequence, textures, tunes

from zoo.data.codecs import Chorale, Melody, Performance, Pianoroll, Voices
from zoo.data.codecs.grammar import BOUNDARY, explore, intersection
from zoo.data.refusal import Refused

MELODY, PERFORMANCE = Melody(), Performance(velocity_bins=8, max_shift=20)
TWO = Melody(low=60, high=60, metres=("1/4", "3/8"), steps_per_quarter=2, min_notes=1)
MANY = Melody(
    low=60, high=62, metres=("3/8", "7/8", "2/4", "4/4", "1/8", "9/16"), min_notes=3
)
CODECS = (MELODY, PERFORMANCE, Melody(bars=2), Melody(min_notes=0), TWO, MANY)
GRAMMARS = {codec: codec.grammar() for codec in CODECS}


def spell(codec, words):
    """Returns tokens by name; `C4*3` is three of them."""
    names = {codec.describe(token): token for token in range(codec.vocab)}
    parts = (word.partition("*") for word in words.split(", "))
    return np.array([names[name] for name, _, n in parts for _ in range(int(n or 1))])


@given(tunes())
def test_every_encoded_tune_is_legal(tune):
    try:
        array = MELODY.encode(sequence(tune))
    except Refused:
        return
    assert GRAMMARS[MELODY].first_illegal(array) is None
    for window in Melody(bars=2).crops(array):
        assert GRAMMARS[Melody(bars=2)].first_illegal(window) is None


@given(textures())
def test_every_encoded_texture_is_legal(score):
    assert GRAMMARS[PERFORMANCE].first_illegal(PERFORMANCE.encode(score)) is None


@given(
    hnp.arrays(
        np.int32, st.integers(0, 80), elements=st.integers(1, PERFORMANCE.vocab - 1)
    )
)
def test_decoded_noise_encodes_to_a_legal_performance(array):
    try:
        array = PERFORMANCE.encode(PERFORMANCE.decode(array))
    except Refused:
        return
    assert GRAMMARS[PERFORMANCE].first_illegal(array) is None


def test_metres_are_legal_if_and_only_if_they_can_be_encoded():
    """All layouts of three metres, from one step to more than two bars each."""
    grammar, kept, refused = GRAMMARS[TWO], 0, 0
    strike, *metres = spell(TWO, "C4, 1/4, 3/8")
    spans = [[metre, *[strike] * n] for metre in metres for n in range(1, 9)]
    for layout in itertools.product(spans, [[], *spans], [[], *spans]):
        stream = np.array([*itertools.chain(*layout), BOUNDARY])
        legal = grammar.first_illegal(stream) is None
        try:
            again = TWO.encode(TWO.decode(stream))
        except Refused:
            refused += 1
            assert not legal
        else:
            assert legal or not np.array_equal(again, stream)
            kept += legal
    assert kept > 2000
    assert refused > 50


@st.composite
def walks(draw, codec, grammar):
    """A legal stream of a melody codec with many metres, ended or cut."""
    room, node, stream = draw(st.integers(grammar.min_length(np.array([])), 90)), 0, []
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    while len(stream) < room and BOUNDARY not in stream:
        legal = np.flatnonzero(grammar.needs[node] < room - len(stream))
        metres = legal[(legal > 2) & (legal < len(codec.metres) + 3)]
        rich = metres.size and rng.random() < 0.25
        stream.append(int(rng.choice(metres if rich else legal)))
        node = grammar.follow[node, stream[-1]]
    return np.array(stream)


@pytest.mark.parametrize("codec", [MELODY, TWO, MANY], ids=["default", "two", "many"])
@settings(max_examples=200)
@given(st.data())
def test_legal_melodies_are_music_that_can_be_written_again(codec, data):
    grammar = GRAMMARS[codec]
    score = codec.decode(data.draw(walks(codec, grammar)))
    assert len(score.notes) >= codec.min_notes
    again = codec.encode(score)
    assert grammar.first_illegal(again) is None
    pitches = [[x.pitch for x in y.notes] for y in (score, codec.decode(again))]
    assert pitches[0] == pitches[1]


@settings(max_examples=50)
@given(st.data())
def test_legal_windows_have_full_bars(data):
    codec = Melody(bars=2)
    stream = data.draw(walks(codec, GRAMMARS[codec]))
    crops = codec.crops(stream)
    assert len(crops) == 1
    body = stream[: np.argmax(stream == BOUNDARY)] if BOUNDARY in stream else stream
    np.testing.assert_array_equal(crops[0][:-1], body)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("4/4, C4*2, boundary", None),
        ("4/4, C4, hold*9, rest*3, C4, boundary", None),
        ("4/4, C4*3, 4/4, hold*16, C4, boundary", None),  # a pickup
        ("4/4, C4*16, 3/4, C4*2, boundary", None),
        ("4/4, C4*20, 3/4, C4*12, boundary", None),  # a bar cut short
        ("C4, C4, boundary", 0),  # no metre
        ("4/4, 3/4", 1),
        ("4/4, hold", 1),  # without a note before it
        ("4/4, C4, rest, hold", 3),
        ("4/4, C4, boundary", 2),  # a note too few
        ("4/4, boundary", 1),
        ("4/4, C4*16, 4/4", 17),  # stated twice
        ("4/4, C4*3, 3/4", 4),  # no bar of 4/4 yet
        ("4/4, C4*3, 4/4, C4*3, 4/4", 8),
        ("4/4, C4*24, 4/4, C4*8, 4/4", 34),  # would be two bars of 2/4
        ("4/4, C4*2, boundary, C4", 4),
    ],
)
def test_legal_and_illegal_melodies(words, wrong):
    assert GRAMMARS[MELODY].first_illegal(spell(MELODY, words)) == wrong


SHIFT, LONG = "shift 0.05 s", "shift 0.2 s"


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (f"velocity 49, on 60, {SHIFT}, off 60, boundary", None),
        (
            f"{LONG}*3, {SHIFT}, velocity 49, on 60, on 64, "
            f"{LONG}*2, off 60, off 64, boundary",
            None,
        ),
        (f"velocity 49, on 60, velocity 33, on 64, {SHIFT}, off 60, on 60", None),
        (f"on 60, {SHIFT}", 0),  # at no velocity
        ("velocity 49, velocity 33", 1),
        ("velocity 49, on 60, velocity 49", 2),  # as it was
        (f"velocity 49, {SHIFT}", 1),
        ("velocity 49, on 60, off 60", 2),  # at once
        ("velocity 49, on 60, on 60", 2),
        ("velocity 49, on 64, on 60", 2),  # from below
        (f"velocity 49, on 60, {SHIFT}, on 60", 3),
        (
            f"velocity 49, on 60, on 64, {SHIFT}, off 64, off 60",
            5,
        ),  # the earlier one first
        (f"velocity 49, on 60, {SHIFT}, on 64, off 60", 4),
        (f"velocity 49, on 60, {SHIFT}, {SHIFT}", 3),  # in one
        (f"velocity 49, on 60, {LONG}, boundary", 3),  # one still sounds
        ("boundary", 0),
        (f"{LONG}, boundary", 1),
        (f"off 60, {LONG}", 0),
    ],
)
def test_legal_and_illegal_performances(words, wrong):
    assert GRAMMARS[PERFORMANCE].first_illegal(spell(PERFORMANCE, words)) == wrong


@pytest.mark.parametrize(
    ("codec", "words", "room"),
    [
        (MELODY, "", 3),
        (MELODY, "4/4", 3),
        (MELODY, "4/4, rest*7", 10),
        (MELODY, "4/4, C4, hold, C4", 4),
        (Melody(bars=2), "4/4, C4*20", 33),
        (Melody(min_notes=0), "4/4", 2),  # never silence
        (PERFORMANCE, "", 3),
        (PERFORMANCE, "velocity 49, on 60", 3),
    ],
)
def test_minimum_length_of_a_piece_by_its_beginning(codec, words, room):
    begun = spell(codec, words) if words else np.array([], int)
    assert GRAMMARS[codec].min_length(begun) == room


@pytest.mark.parametrize("codec", [Pianoroll(), Chorale(), Voices()])
def test_frames_have_no_grammar(codec):
    assert codec.grammar() is None


def test_the_intersection_has_the_streams_legal_in_both():
    """Multiples of two and of three in unary, over every stream of up to 12 events."""

    def count(n):
        def transitions(state):
            if state is None:
                return {}
            if state == 0:
                return {0: None, 1: 1 % n}
            return {1: (state + 1) % n}

        return explore(0, transitions, lambda state: not state, np.arange(2))

    two, three = count(2), count(3)
    six = intersection(two, three)
    for size in range(13):
        stream = np.array([1] * size + [BOUNDARY])
        assert (six.first_illegal(stream) is None) == (size % 6 == 0)
    assert six.needs[0].tolist() == [0, 5]
