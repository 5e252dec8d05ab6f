"""What is recalled, against counting by hand, and that it stays a probability."""

import collections

import jax.numpy as jnp
import numpy as np
import pytest

from zoo.evaluation.ngram_cache import (
    OWN,
    Chain,
    concatenated,
    fit,
    interpolated,
    lengths,
    tally,
)

CHAINS = (
    Chain((1, 3), (0, OWN)),
    Chain((1,), relative=True),
    Chain((1, 2), own=True),
    Chain((2,), (OWN,), relative=True, own=True),
)


def piece(seed: int, frames: int = 12) -> np.ndarray:
    """Two voices of few notes, so that passages come back."""
    return np.random.default_rng(seed).integers(0, 3, (frames, 2))


TRAIN = [piece(seed) for seed in range(4)]
HELD = [piece(seed, 6) for seed in (7, 8)]


def context(notes, t, slot, chain, length):
    """As the docstring of `Chain` has it; None where there is none."""
    base = int(notes[t - 1, 0]) if t else 0
    lags = chain.lags[:length]
    if t < max(lags, default=0) - 1 or (chain.relative and not base):
        return None
    shift = base if chain.relative else 0
    seen = lambda note: note - shift if note > 0 else None
    voices = [slot if v == OWN else v for v in chain.voices or range(2)]
    past = [
        tuple(seen(notes[t - ago, v]) for v in voices) if t >= ago else "start"
        for ago in lags
    ]
    return tuple(seen(note) for note in notes[t, :slot]), tuple(past), shift


def by_hand(slot, chain, length):
    """n(c x), N(c), u(c) of every frame that is held out."""
    key = lambda c: c[:2]
    bare = lambda notes, t, c: notes[t, slot] - c[2] if notes[t, slot] else None
    learnt = collections.defaultdict(collections.Counter)
    for notes in TRAIN:
        for t in range(len(notes)):
            if c := context(notes, t, slot, chain, length):
                learnt[key(c)][bare(notes, t, c)] += 1
    for notes in HELD:
        table = collections.defaultdict(collections.Counter) if chain.own else learnt
        for t in range(len(notes)):
            c = context(notes, t, slot, chain, length)
            counter = table[key(c)] if c else collections.Counter()
            x = bare(notes, t, c) if c else None
            yield counter[x], counter.total(), len(+counter)
            if chain.own and c:
                counter[x] += 1


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_counts_are_those_by_hand(slot, chain):
    found = tally(concatenated(TRAIN), concatenated(HELD), slot, [chain])
    for length, counts in enumerate(found):
        assert counts.tolist() == [list(row) for row in by_hand(slot, chain, length)]


def test_contexts_are_gone_through_from_the_shortest():
    found = tally(concatenated(TRAIN), concatenated(HELD), 1, CHAINS)
    apart = np.concatenate(
        [tally(concatenated(TRAIN), concatenated(HELD), 1, [chain]) for chain in CHAINS]
    )
    np.testing.assert_array_equal(
        found, apart[np.argsort(lengths(CHAINS), kind="stable")]
    )


@pytest.mark.parametrize("slot", [0, 1])
def test_probabilities_sum_to_one(slot):
    """Over every note that the last frame may hold, some of them seen and some not."""
    *past, _ = HELD[0]
    chains = [chain for chain in CHAINS if not chain.relative]
    total = 0.0
    for note in range(5):
        last = np.array([note, 0] if slot == 0 else [1, note])
        music = concatenated([np.array([*past, last])])
        counts = jnp.asarray(tally(concatenated(TRAIN), music, slot, chains))
        weights = jnp.tile(jnp.array([[0.3, -0.5, 0.7]]), (len(counts), 1))
        total += float(
            jnp.exp(interpolated(jnp.log(jnp.full(6, 0.2)), counts, weights))[-1]
        )
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_what_was_never_seen_changes_nothing():
    log_p = jnp.log(jnp.array([0.5, 0.1]))
    weights = jnp.zeros((3, 3))
    np.testing.assert_allclose(
        interpolated(log_p, jnp.zeros((3, 2, 3)), weights), log_p, rtol=1e-6
    )


def test_one_context_is_its_formula():
    found = interpolated(
        jnp.log(jnp.array([0.25])), jnp.array([[[3.0, 7.0, 2.0]]]), jnp.zeros((1, 3))
    )
    np.testing.assert_allclose(
        jnp.exp(found), (0.25 + (2.5 + 2 * 0.25) / 8) / 2, rtol=1e-6
    )


def test_what_is_impossible_stays_so():
    found = interpolated(
        jnp.array([-jnp.inf]), jnp.array([[[3.0, 7.0, 2.0]]]), jnp.zeros((1, 3))
    )
    assert found[0] == -jnp.inf


def test_weights_are_fitted_to_what_helps():
    """Of two contexts one is always right and the other always wrong."""
    counts = jnp.array([[[9.0, 9.0, 1.0]] * 200, [[0.0, 9.0, 1.0]] * 200])
    log_p = jnp.log(jnp.full(200, 0.1))
    weights = fit(log_p, counts)
    assert interpolated(log_p, counts, weights).mean() > jnp.log(0.8)
    assert weights[1, 2] < weights[0, 2]
