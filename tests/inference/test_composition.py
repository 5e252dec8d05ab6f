"""Tunes to words."""

import dataclasses

import numpy as np
import pytest
from small_models import MELODY, trained

from zoo.data.lyrics import lyrics_of
from zoo.data.proto import metres
from zoo.errors import UsageError
from zoo.inference.composition import compose, ranking

STAR = "Twinkle, twinkle, little star,\nHow I wonder what you are!"
WORDS = [
    *("Twin-", "kle", "twin-", "kle", "lit-", "tle", "star"),
    *("How", "I", "won-", "der", "what", "you", "are"),
]
COMPASS = (60, 71)


@pytest.fixture(scope="module")
def lstm():
    return trained("lstm")


@pytest.fixture(scope="module")
def tunes(lstm):
    return compose(lstm, STAR, 2, seed=3, compass=COMPASS, candidates=2)


def test_every_syllable_has_a_note(tunes):
    assert len(tunes) == 2
    for tune in tunes:
        sung = [x.text + "-" * x.joined for x in lyrics_of(tune)]
        assert sung == WORDS
        assert not any(x.extends for x in lyrics_of(tune))
        assert tune.tempos[0].qpm == 100
        assert metres(tune)[0].bar == 4


def test_a_seed_writes_the_same_tunes(lstm, tunes):
    again = compose(lstm, STAR, 2, seed=3, compass=COMPASS, candidates=2)
    assert again == tunes
    other = compose(lstm, STAR, 2, seed=4, compass=COMPASS, candidates=2)
    assert other != tunes


def test_the_best_have_likely_notes_and_accents_on_stresses(lstm):
    """Of three rows, one is first by both criteria and one is last."""
    rates = np.array([-1.0, -3.0, -2.0])
    accents = np.array([[3, 0, 3], [0, 3, 0], [2, 1, 1]])

    class Setting:
        lines = ((True, False, True),)

        def onset_steps(self, row):
            return row

        def accent(self, steps):
            return steps

    class Sampler:
        def rates(self, rows):
            return rates

    assert ranking(Sampler(), Setting(), accents).tolist() == [0, 2, 1]


def test_other_models_say_so():
    with pytest.raises(UsageError, match="composes to no words"):
        compose(trained("coconet"), STAR)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("{" + "AH0 " * 200 + "}", {}, "200 syllables of a line do not fit 8 bars"),
        ("...", {}, "the text cannot be sung: "),
        ("Москва", {}, "the text cannot be sung: "),
        (STAR, {"metre": "7/8"}, "7/8"),
        (STAR, {"compass": (20, 30)}, "the model writes pitches from 60 to 71"),
    ],
)
def test_what_cannot_be_sung_is_said(lstm, text, options, message):
    with pytest.raises(UsageError, match=message):
        compose(lstm, text, **options)


def test_codecs_of_windows_compose_too(lstm):
    model = dataclasses.replace(lstm, codec=dataclasses.replace(MELODY, bars=2))
    (tune,) = compose(model, "one two three", compass=COMPASS, candidates=1)
    assert len(tune.notes) == 3
