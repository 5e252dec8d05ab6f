"""Beam search against exhaustive search."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.core import BOUNDARY
from zoo.models import LSTM
from zoo.nn.sequence.beam_search import beam_search
from zoo.nn.sequence.grammar import Grammar
from zoo.nn.sequence.sampling import Draw, generate

V, LENGTH = 4, 5
TABLE = np.log(np.random.default_rng(0).dirichlet(np.ones(V), (V, V)))


def chain(state, token):
    """Steps a second-order Markov chain whose state is the previous token."""
    return token, jnp.asarray(TABLE, jnp.float32)[state, token]


def likelihood(row):
    past = np.concatenate([[BOUNDARY, BOUNDARY], row])
    return TABLE[past[:-2], past[1:-1], past[2:]].sum()


def all_pieces():
    """Yields every piece: ended by BOUNDARY, or cut at LENGTH."""
    for size in range(1, LENGTH + 1):
        for row in itertools.product(range(1, V), repeat=size - 1):
            yield np.array([*row, BOUNDARY])
    yield from (np.array(row) for row in itertools.product(range(1, V), repeat=LENGTH))


def search(width, length=LENGTH, **kwargs):
    tokens, log_prob = beam_search(
        chain, jnp.zeros(1, jnp.int32), width, length, **kwargs
    )
    return np.asarray(tokens), np.asarray(log_prob)


def ranked(pieces, key=likelihood):
    return sorted(pieces, key=key, reverse=True)


def padded(piece):
    return np.pad(piece, (0, LENGTH - len(piece)))


def test_a_wide_enough_beam_is_exhaustive():
    pieces = ranked(all_pieces())
    tokens, log_prob = search(V**LENGTH)
    np.testing.assert_allclose(
        log_prob[: len(pieces)], [likelihood(x) for x in pieces], atol=1e-4
    )
    assert np.isneginf(log_prob[len(pieces) :]).all()
    np.testing.assert_array_equal(tokens[:20], [padded(x) for x in pieces[:20]])


@pytest.mark.parametrize("alpha", [0.6, 1.0])
def test_length_penalty(alpha):
    penalised = lambda piece: likelihood(piece) / ((5 + len(piece)) / 6) ** alpha
    best = ranked(all_pieces(), penalised)[:20]
    tokens, log_prob = search(V**LENGTH, alpha=alpha)
    np.testing.assert_array_equal(tokens[:20], [padded(x) for x in best])
    np.testing.assert_allclose(log_prob[:20], [likelihood(x) for x in best], atol=1e-4)


def pruned(width):
    """Returns the best continuations of the beams kept, by the definition."""
    kept = [np.array([], int)]
    for _ in range(LENGTH):
        ended = [x for x in kept if len(x) and x[-1] == BOUNDARY]
        longer = [
            np.append(x, v)
            for x in kept
            for v in range(V)
            if not (len(x) and not x[-1])
        ]
        kept = ranked(ended + longer)[:width]
    return kept


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_narrow_beam_keeps_the_best_continuations(width):
    tokens, log_prob = search(width)
    expected = pruned(width)
    np.testing.assert_array_equal(tokens, [padded(x) for x in expected])
    np.testing.assert_allclose(log_prob, [likelihood(x) for x in expected], atol=1e-4)


def test_a_beam_of_one_is_greedy():
    greedy = generate(
        chain,
        jnp.zeros(1, jnp.int32),
        jax.random.key(0),
        1,
        length=LENGTH,
        draw=Draw(temperature=0),
    )
    np.testing.assert_array_equal(search(1)[0], greedy)


def test_every_beam_begins_with_the_primer():
    primer = np.array([3, 1])
    pieces = ranked(x for x in all_pieces() if x[:2].tolist() == [3, 1])
    tokens, log_prob = search(V**LENGTH, primer=jnp.array(primer))
    np.testing.assert_array_equal(tokens[: len(pieces)], [padded(x) for x in pieces])
    assert np.isneginf(log_prob[len(pieces) :]).all()


def test_beams_obey_the_grammar():
    """Tokens must rise, and a piece may end only after a 3."""
    follow = np.array(
        [[-1, 1, 2, 3], [-1, -1, 2, 3], [-1, -1, -1, 3], [4, -1, -1, -1], [-1] * 4]
    )
    after = np.array([2, 1, 1, 0, 0])  # events until a 3
    needs = np.where(follow < 0, 99, after[follow])
    none, no = jnp.full(V, -1), jnp.zeros(V, bool)
    grammar = Grammar(
        jnp.array(follow),
        jnp.array(needs),
        none,
        lifts=none,
        passes=no,
        heralds=no,
        limit=jnp.int32(99),
        keys=0,
    )
    legal = [[1, 2, 3, 0], [1, 3, 0], [2, 3, 0], [3, 0]]
    pieces = ranked(np.array(x) for x in legal)
    tokens, log_prob = search(16, grammar=grammar)
    np.testing.assert_array_equal(tokens[:4], [padded(x) for x in pieces])
    np.testing.assert_allclose(log_prob[:4], [likelihood(x) for x in pieces], atol=1e-4)
    assert np.isneginf(log_prob[4:]).all()
    cut, _ = search(16, length=2, grammar=grammar)
    assert {tuple(x) for x in cut[:3].tolist()} == {(1, 3), (2, 3), (3, 0)}


def test_no_bigram_is_repeated():
    def fresh(piece):
        pairs = list(itertools.pairwise(piece.tolist()))
        return len(set(pairs)) == len(pairs)

    pieces = ranked(x for x in all_pieces() if fresh(x))
    tokens, log_prob = search(V**LENGTH, no_repeat=2)
    np.testing.assert_array_equal(tokens[:50], [padded(x) for x in pieces[:50]])
    assert np.isfinite(log_prob).sum() == len(pieces)


def test_the_model_state_follows_its_beams():
    model = LSTM(vocab=V, embed=4, width=8, layers=2, length=8)
    params = model.init(jax.random.key(1), model.example(1))
    params = jax.tree.map(lambda x: 3 * x, params)
    tokens, log_prob = beam_search(model.stepper(params), model.start(1), 6, 8)
    mask = jnp.cumsum(tokens == BOUNDARY, axis=1) - (tokens == BOUNDARY) == 0
    np.testing.assert_allclose(
        model.log_prob(params, tokens, mask), log_prob, atol=1e-4
    )
    assert (np.diff(log_prob) <= 0).all()
    assert len({tuple(row) for row in tokens.tolist()}) == 6
