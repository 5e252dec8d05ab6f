"""Sampled tokens against exact probabilities, and rows against their guarantees."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zoo.core import BOUNDARY
from zoo.errors import UsageError
from zoo.nn.rng import uniforms
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.sampling import Draw, bucket, generate, invert_cdf

V = 6
LOGITS = np.array(
    [math.log(p) if p else -math.inf for p in (0.05, 0.4, 0.1, 0.25, 0.0, 0.2)]
)
POINTS = 6000
jit = functools.cache(jax.jit)
kept = jax.jit(Draw.filter, static_argnums=0)


def frequencies(draw, logits=LOGITS):
    """Returns the frequency of each token for u evenly spaced from 0 to 1."""
    u = (np.arange(POINTS) + 0.5) / POINTS
    tokens = jit(draw)(np.broadcast_to(logits, (POINTS, logits.shape[-1])), u)
    return np.bincount(tokens, minlength=logits.shape[-1]) / POINTS


@pytest.mark.parametrize(
    ("draw", "expected"),
    [  #                      p = .05  .4   .1   .25  0   .2
        (Draw(), [0.05, 0.4, 0.1, 0.25, 0, 0.2]),
        (Draw(top_k=0), [0.05, 0.4, 0.1, 0.25, 0, 0.2]),
        (Draw(top_k=99), [0.05, 0.4, 0.1, 0.25, 0, 0.2]),
        (Draw(top_k=2), [0, 40 / 65, 0, 25 / 65, 0, 0]),
        (Draw(top_p=0.6), [0, 40 / 65, 0, 25 / 65, 0, 0]),
        (Draw(top_p=0.7), [0, 40 / 85, 0, 25 / 85, 0, 20 / 85]),
        (Draw(top_p=1e-9), [0, 1, 0, 0, 0, 0]),
        (Draw(min_p=0.2), [0, 40 / 95, 10 / 95, 25 / 95, 0, 20 / 95]),
        (Draw(min_p=1.0), [0, 1, 0, 0, 0, 0]),
        (Draw(top_k=3, top_p=0.7), [0, 40 / 65, 0, 25 / 65, 0, 0]),
        (Draw(temperature=0), [0, 1, 0, 0, 0, 0]),
        (Draw(top_k=1), [0, 1, 0, 0, 0, 0]),
        (Draw(temperature=0.5), np.square([0.05, 0.4, 0.1, 0.25, 0, 0.2]) / 0.275),
        (Draw(temperature=1e-4), [0, 1, 0, 0, 0, 0]),
    ],
    ids=repr,
)
def test_frequencies_are_probabilities(draw, expected):
    np.testing.assert_allclose(frequencies(draw), expected, atol=1.5 / POINTS)


@given(
    st.lists(st.floats(-9, 9, width=32), min_size=2, max_size=40), st.integers(1, 40)
)
@settings(max_examples=30, deadline=None)
def test_filters_keep_what_sorting_keeps(logits, k):
    mass = np.exp(np.array(logits, np.float32) - np.float32(max(logits)))
    falling, row = np.sort(mass)[::-1], np.pad(mass, (0, 40 - len(mass)))
    top_k, top_p = (
        np.asarray(kept(x, row)) > 0 for x in (Draw(top_k=k), Draw(top_p=0.8))
    )
    assert not top_k[len(mass) :].any()
    assert not top_p[len(mass) :].any()
    top_k, top_p = top_k[: len(mass)], top_p[: len(mass)]
    np.testing.assert_array_equal(top_k, mass >= falling[min(k, len(mass)) - 1])
    assert mass[top_p].sum() >= (0.8 - 1e-5) * mass.sum()
    without_last = mass[mass > mass[top_p].min()].sum()
    assert without_last < (0.8 + 1e-5) * mass.sum()


@given(
    st.lists(st.sampled_from([0.0, 0.0, 1e-30, 1e-7, 0.3, 1.0]), max_size=70).map(
        lambda m: [*m, 1.0]
    ),
    st.sampled_from([0.0, 1e-9, 0.3, 0.999999, 1 - 2**-24, 1.0]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_tokens_without_mass_are_never_drawn(mass, u, random):
    mass = np.pad(np.array(mass, np.float32), (0, 71 - len(mass)))
    random.shuffle(mass)
    assert mass[jit(invert_cdf)(mass, np.float32(u))] > 0


def test_a_large_vocabulary_is_sampled_like_a_small_one():
    rng = np.random.default_rng(0)
    mass = rng.exponential(size=(50, 1501)) * (rng.random((50, 1501)) < 0.1)
    u = np.append(rng.random(48), [0.0, 1.0])
    tokens = np.asarray(jit(invert_cdf)(mass, u))
    assert (np.take_along_axis(mass, tokens[:, None], 1) > 0).all()
    share = mass.cumsum(axis=1) / mass.sum(axis=1, keepdims=True)
    exact = (share > np.minimum(u, 1 - 1e-9)[:, None]).argmax(axis=1)
    assert (tokens == exact).mean() > 0.95  # the others differ by rounding


def test_ties_and_one_token():
    same, u = np.zeros((2, 3), np.float32), np.array([0.1, 0.9])
    assert jit(Draw(temperature=0))(same, u).tolist() == [0, 0]
    assert jit(Draw(top_k=1))(same, u).tolist() == [0, 0]
    assert jit(Draw())(same[:1, :1], u[1:]).tolist() == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"temperature": np.nan},
        {"temperature": np.inf},
        {"top_k": -2},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_p": np.nan},
        {"min_p": -0.1},
        {"min_p": 2.0},
        {"no_repeat": 1},
    ],
    ids=repr,
)
def test_refuses(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Draw(**wrong)


def test_is_a_value():
    assert Draw(top_k=3) == Draw(top_k=3)
    assert len({Draw(), Draw(), Draw(top_p=0.5)}) == 2


def test_uniforms_depend_on_row_and_step_alone():
    draw = jax.jit(
        functools.partial(uniforms, jax.random.key(3)), static_argnums=(0, 1)
    )
    many, one, few = (np.asarray(draw(*size)) for size in ((16, 40), (1, 40), (16, 8)))
    np.testing.assert_array_equal(one[:, 0], many[:, 0])
    np.testing.assert_array_equal(few, many[:8])
    assert len(np.unique(many)) == many.size
    assert stats.kstest(np.ravel(many), "uniform").pvalue > 0.001


CHAIN = np.array(
    [
        [0.0, 0.5, 0.3, 0.2],
        [0.1, 0.2, 0.3, 0.4],
        [0.05, 0.6, 0.3, 0.05],
        [0.2, 0, 0, 0.8],
    ]
)


def chain(state, token):
    return state + 1, jnp.log(CHAIN)[token]


@functools.partial(jax.jit, static_argnames=("n", "length", "draw"))
def rolled(key, n, length, **kwargs):
    return generate(chain, jnp.zeros(n), key, n, length=length, **kwargs)


def roll(n, length, seed=0, **kwargs):
    return np.asarray(rolled(jax.random.key(seed), n, length, **kwargs))


def test_samples_follow_the_chain():
    rows = roll(1500, 12)
    before = np.pad(rows[:, :-1], ((0, 0), (1, 0)))
    for state in range(4):
        live = before == state
        live[:, 1:] &= before[:, 1:] != BOUNDARY
        seen = np.bincount(rows[live], minlength=4)
        possible = CHAIN[state] > 0
        assert not seen[~possible].any()
        expected = seen.sum() * CHAIN[state][possible]
        assert stats.chisquare(seen[possible], expected, sum_check=False).pvalue > 0.001


def test_nothing_follows_the_end():
    rows = roll(200, 70)
    ended = np.cumsum(rows == BOUNDARY, axis=1) > 0
    assert ended.any()
    assert not rows[ended].any()


def test_rows_do_not_depend_on_the_batch_or_the_length():
    many = roll(64, 40)
    np.testing.assert_array_equal(roll(1, 40), many[:1])
    np.testing.assert_array_equal(roll(7, 40), many[:7])
    np.testing.assert_array_equal(roll(64, 33), many[:, :33])
    assert not np.array_equal(many, roll(64, 40, seed=1))


def test_primers_of_any_length_are_forced():
    primer = np.array([[1, 2, 3], [3, 0, 0], [0, 0, 0]])
    rows = roll(3, 20, primer=primer)
    assert rows[0, :3].tolist() == [1, 2, 3]
    assert rows[1, 0] == 3
    np.testing.assert_array_equal(rows[2], roll(3, 20)[2])
    assert (roll(5, 20, primer=np.array([2, 2]))[:, :2] == 2).all()
    assert roll(2, 2, primer=np.array([1, 2, 3])).tolist() == [[1, 2], [1, 2]]


def grammar_of(follow, needs, none, no, limit):
    return Grammar(
        follow,
        needs,
        none,
        lifts=none,
        passes=no,
        heralds=no,
        limit=np.int32(limit),
        keys=0,
    )


def test_forbidden_tokens_are_never_drawn():
    follow, none, no = np.array([[-1, 0, -1, 0]]), np.full(4, -1), np.zeros(4, bool)
    needs = np.where(follow < 0, 99, 0)
    rows = roll(50, 40, grammar=grammar_of(follow, needs, none, no, 40))
    assert set(np.unique(rows)) == {1, 3}


def ngrams(row, size):
    row = row[: np.argmax(row == BOUNDARY)] if BOUNDARY in row else row
    return [tuple(row[i : i + size]) for i in range(len(row) - size + 1)]


@pytest.mark.parametrize("size", [2, 3, 5])
def test_no_ngram_is_repeated(size):
    bound = np.array([-1e9, 0.0, 0.0, 0.0])  # no piece ends
    endless = lambda state, token: (state, jnp.log(CHAIN)[token] + bound[None])
    sample = lambda draw: generate(
        endless, (), jax.random.key(0), 40, length=8 + size, draw=draw
    )
    draws = Draw(), Draw(no_repeat=size)
    free, fresh = map(np.asarray, jax.jit(lambda: tuple(map(sample, draws)))())
    again = [len(set(ngrams(row, size))) < len(ngrams(row, size)) for row in free]
    assert any(again)
    for before, after, repeated in zip(free, fresh, again, strict=True):
        assert len(set(ngrams(after, size))) == len(ngrams(after, size))
        assert repeated or np.array_equal(before, after)


def test_a_repeat_is_drawn_if_nothing_else_is_legal():
    """One token is legal, so every n-gram is a repeat."""
    follow, none, no = np.array([[-1, 0, -1, -1]]), np.full(4, -1), np.zeros(4, bool)
    needs = np.where(follow < 0, 99, 0)
    grammar = grammar_of(follow, needs, none, no, 9)
    rows = roll(3, 9, grammar=grammar, draw=Draw(no_repeat=2))
    assert (rows == 1).all()


@pytest.mark.parametrize("length", [1, 31, 32, 33])
def test_rows_have_the_length(length):
    assert roll(2, length).shape == (2, length)


def test_stops_when_all_have_ended():
    counted = []

    def ends(state, token):
        jax.debug.callback(lambda _: counted.append(1), state)
        return state, jnp.zeros((1, 2)).at[:, BOUNDARY].set(99.0)

    generate(ends, jnp.zeros(1), jax.random.key(0), 1, length=256).block_until_ready()
    jax.effects_barrier()
    assert len(counted) < 64


def test_buckets():
    assert [bucket(x) for x in (1, 32, 33, 256, 300)] == [32, 32, 64, 256, 512]
