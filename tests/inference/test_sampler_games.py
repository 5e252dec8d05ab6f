"""What samples of games are asked for: a critic's choice, a style, what is fixed, what
is given."""

import dataclasses

import jax
import numpy as np
import pytest
from small_models import score, trained

from zoo.errors import UsageError
from zoo.inference.sampler import Request


@pytest.mark.parametrize("name", ["musegan", "seqgan"])
def test_the_best_of_several_is_what_the_critic_holds_most_real(name):
    model = trained(name)
    asked = {"length": model.family.length, "style": 1}
    rows = model.sampler.draw(12, 5, Request(**asked))
    best = model.sampler.draw(3, 5, Request(best_of=4, judge="critic", **asked))
    verdicts = np.asarray(model.family.verdict(model.params, rows, np.ones(12, int)))
    for i, row in enumerate(best):
        group = slice(4 * i, 4 * i + 4)
        np.testing.assert_array_equal(row, rows[group][verdicts[group].argmax()])
    assert model.sample(2, best_of=3, judge="critic", style="reel")


def test_pieces_may_each_be_of_their_own_style():
    model = trained("musegan")
    styles = np.array([1, 0, 1])
    best = model.sampler.draw(3, 5, Request(best_of=4, judge="critic", style=styles))
    for style in (0, 1):
        same = model.sampler.draw(3, 5, Request(best_of=4, judge="critic", style=style))
        np.testing.assert_array_equal(best[styles == style], same[styles == style])


def test_a_style_is_drawn_where_none_is_asked_for_and_the_critic_knows_which():
    model = trained("musegan")
    told = {}

    def drawn(params, rng, n, **given):
        told.update(given)
        return np.zeros((n, 8, 2, 14))

    vars(model.sampler).update(
        _draw=drawn, _verdict=lambda params, rows, style: np.asarray(style)
    )
    rows = model.sampler.draw(4, 0, Request(best_of=3, judge="critic"))
    assert len(rows) == 4
    assert set(np.asarray(told["style"])) == {0, 1}


def test_what_has_no_critic_or_style_says_so():
    lstm = trained("lstm")
    with pytest.raises(UsageError, match="LSTM has no critic"):
        lstm.sample(1, best_of=2, judge="critic")
    with pytest.raises(UsageError, match="knows no style 'jig': it knows none"):
        lstm.sample(1, style="jig")
    with pytest.raises(UsageError, match="knows no style 'waltz': it knows jig, reel"):
        trained("seqgan").sample(1, style="waltz")
    with pytest.raises(UsageError, match="has no metre to fix"):
        lstm.sample(1, fixed={"metre": "3/4"})


def test_values_of_notes_are_fixed_by_name():
    model = trained("seqgan")
    pieces = model.sample(3, fixed={"metre": "3/4", "instrument": "flute"})
    for piece in pieces:
        assert {note.program for note in piece.notes} == {73}
        assert {(x.numerator, x.denominator) for x in piece.time_signatures} == {(3, 4)}
    with pytest.raises(UsageError, match="there is no instrument called 'kazoo'"):
        model.sample(1, fixed={"instrument": "kazoo"})


def test_a_track_that_is_given_is_accompanied():
    model = trained("musegan")
    family = dataclasses.replace(model.family, conditioning=("melody",))
    params = family.init(jax.random.key(0), family.example(1))
    model = dataclasses.replace(model, family=family, params=params)
    line = score("62 63", beats=1)
    line.instrument_infos.add(instrument=0, name="melody")
    piece = model.sample(1, primer=line)[0]
    (own,) = [x.instrument for x in piece.instrument_infos if x.name == "melody"]
    assert [note.pitch for note in piece.notes if note.instrument == own] == [62, 63]
    assert len({note.instrument for note in piece.notes}) == 2
    with pytest.raises(UsageError, match="pass rolls with melody"):
        model.sample(1)
