"""Phrases agree with the windows of the melody codec, and with their grammar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scores import Tune, played, sequence, tunes

from zoo.data.codecs import Melody, Phrase
from zoo.data.codecs.grammar import NONE
from zoo.data.refusal import Refused
from zoo.errors import UsageError

PHRASE = Phrase()
GRAMMAR = PHRASE.grammar()
REEL = Tune((4, 4), 2, [(60, 2), (62, 12), (None, 4), (64, 20), (65, 10), (67, 4)])


def test_a_phrase_has_a_token_for_each_step():
    first = PHRASE.encode(sequence(REEL))
    named = [PHRASE.describe(token) for token in first]
    assert named[:13] == ["D4"] + ["hold"] * 11 + ["rest"]
    assert named[16:18] == ["E4", "hold"]
    assert len(first) == PHRASE.length == 32
    again = played(PHRASE.decode(first))
    assert again == [(62, 0, 12), (64, 16, 32)]


def test_phrases_begin_at_every_bar_and_strike_sounding_notes():
    phrases = PHRASE.crops(PHRASE.source.encode(sequence(REEL)))
    assert len(phrases) == 2
    assert PHRASE.describe(phrases[1][0]) == "E4"
    np.testing.assert_array_equal(phrases[0], PHRASE.encode(sequence(REEL)))


@given(tunes())
def test_phrases_are_windows_without_metres(tune):
    codec = Phrase(bars=2, metres=("6/8", "3/4"))
    melody = Melody(bars=2, metres=("6/8", "3/4"), min_notes=1)
    try:
        windows = melody.windows(sequence(tune))
    except Refused as refused:
        with pytest.raises(Refused, match=refused.reason):
            codec.encode(sequence(tune))
        return
    phrases = codec.crops(codec.source.encode(sequence(tune)))
    for window, phrase in zip(windows, phrases, strict=True):
        assert codec.grammar().first_illegal(phrase) is None
        assert played(codec.decode(phrase)) == played(melody.decode(window))


@given(st.integers(0, 2**32))
def test_legal_streams_are_phrases(seed):
    rng, node, tokens = np.random.default_rng(seed), 0, []
    while len(tokens) < PHRASE.length:
        left = PHRASE.length - len(tokens)
        legal = np.flatnonzero(GRAMMAR.needs[node] < left)
        quiet = legal[legal < 3]
        tokens.append(
            int(rng.choice(quiet if quiet.size and rng.random() < 0.9 else legal))
        )
        node = GRAMMAR.follow[node, tokens[-1]]
        assert node != NONE
    score = PHRASE.decode(np.array(tokens))
    assert score.notes
    np.testing.assert_array_equal(PHRASE.encode(score), tokens)


@pytest.mark.parametrize(
    ("tune", "says"),
    [
        (
            Tune((6, 8), 0, [(60, 48)]),
            "A bar is in 6/8.* The codec reads 4/4 or 2/2 or 2/4",
        ),
        (Tune((4, 4), 0, [(60, 20)]), "no 2 full bars of 4/4 in a row"),
        (Tune((4, 4), 0, [(30, 32)]), r"transposed by \+6 it would fit"),
    ],
)
def test_refusals_state_their_reason(tune, says):
    with pytest.raises(Refused, match=says):
        PHRASE.encode(sequence(tune))


def test_bars_of_several_lengths_are_no_phrases():
    with pytest.raises(UsageError, match="do not make up bars of 4/4"):
        Phrase(metres=("4/4", "3/4"))
    with pytest.raises(UsageError, match="do not make up bars of 2/4"):
        Phrase(metres=("2/4", "4/4"))


def test_two_short_bars_are_one():
    polka = Tune((2, 4), 0, [(60 + i, 4) for i in range(14)])  # seven bars
    phrases = PHRASE.crops(PHRASE.source.encode(sequence(polka)))
    assert [played(PHRASE.decode(phrase))[0] for phrase in phrases] == [
        (60, 0, 4),
        (64, 0, 4),
    ]
    assert (
        PHRASE.fit(sequence(polka)).remarks[-1]
        == "cropped: the first of 2 windows of 2 bars"
    )


def test_a_piece_is_cut_where_its_bars_are_whatever_is_silent():
    """Seven bars, the third and fourth silent: phrases at the first and fifth bar."""
    tune = Tune(
        (4, 4), 0, [(60, 16), (62, 16), (None, 32), (64, 16), (65, 16), (67, 16)]
    )
    rows = PHRASE.phrases(sequence(tune))
    assert [[PHRASE.describe(row[0]), PHRASE.describe(row[16])] for row in rows] == [
        ["C4", "D4"],
        ["E4", "F4"],
    ]


def test_a_strain_after_a_bar_that_is_cut_begins_a_phrase():
    """In 4/4, three bars, a beat, two bars."""
    strains = np.repeat([58, 59, 60], 16), np.repeat([62, 63], 16)
    stream = np.concatenate([[5], strains[0], [61] * 4, [5], strains[1], [0]])
    found = [{*row.tolist()} - {0, 5} for row in Melody(bars=2).crops(stream, 2)]
    assert found == [{58, 59}, {62, 63}]
