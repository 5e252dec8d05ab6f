"""Tests of the networks of piano rolls: octaves, intervals and the critic."""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.nn.adversarial.pianoroll_gan import Critic, fold_octaves, interval_counts


def test_interval_counts_are_exact_and_invariant_to_transposition():
    chroma = jax.random.bernoulli(jax.random.key(0), 0.3, (2, 3, 12, 2)).astype(
        jnp.float32
    )
    counts = np.asarray(interval_counts(chroma)).reshape(2, 3, 12, 2, 2)
    for d in range(12):
        for i in range(2):
            for j in range(2):
                pairs = sum(
                    chroma[..., c, i] * chroma[..., (c + d) % 12, j] for c in range(12)
                )
                np.testing.assert_array_equal(np.rint(counts[:, :, d, i, j]), pairs)
    np.testing.assert_allclose(
        counts, np.rint(counts), atol=1e-5
    )  # counts, but for rounding
    moved = interval_counts(jnp.roll(chroma, 5, axis=2)).reshape(counts.shape)
    np.testing.assert_allclose(moved, counts, atol=1e-5)


def test_pitches_fold_into_octaves():
    rolls = np.zeros((1, 26, 2), np.float32)
    rolls[0, [3, 15, 24], [0, 1, 0]] = 1
    counts = np.asarray(fold_octaves(jnp.asarray(rolls))).reshape(3, 12, 2)
    assert np.argwhere(counts).tolist() == [[0, 3, 0], [1, 3, 1], [2, 0, 0]]


def test_an_initial_critic_weighs_styles_and_features_alike():
    rolls = jax.random.bernoulli(jax.random.key(0), 0.1, (64, 16, 4, 24)).astype(
        jnp.float32
    )
    style, critic = jax.nn.one_hot(jnp.arange(64) % 2, 2), Critic(16, 64)
    params = critic.init(jax.random.key(1), rolls, style)
    read = jax.jit(critic.apply)
    (conditional, _), (marginal, features) = (
        read(params, rolls, style),
        read(params, rolls, None),
    )
    bare = np.linalg.norm(features, axis=1) / np.sqrt(features.shape[1])
    for verdicts in (conditional - marginal, marginal):
        assert 0.3 < np.sqrt((verdicts**2).mean() / (bare**2).mean()) < 3
