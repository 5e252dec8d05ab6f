"""Networks of piano rolls: what a critic hears of harmony."""

import jax
import jax.numpy as jnp
import numpy as np

from zoo.nn.adversarial.pianoroll_gan import Reader, intervals, octaves


def test_intervals_are_counted_in_any_key():
    chroma = jax.random.bernoulli(jax.random.key(0), 0.3, (2, 3, 12, 2)).astype(
        jnp.float32
    )
    found = np.asarray(intervals(chroma)).reshape(2, 3, 12, 2, 2)
    for d in range(12):
        for i in range(2):
            for j in range(2):
                pairs = sum(
                    chroma[..., c, i] * chroma[..., (c + d) % 12, j] for c in range(12)
                )
                np.testing.assert_array_equal(np.rint(found[:, :, d, i, j]), pairs)
    np.testing.assert_allclose(
        found, np.rint(found), atol=1e-5
    )  # counts, but for rounding
    moved = intervals(jnp.roll(chroma, 5, axis=2)).reshape(found.shape)
    np.testing.assert_allclose(moved, found, atol=1e-5)


def test_an_octave_is_one_place():
    rolls = np.zeros((1, 26, 2), np.float32)
    rolls[0, [3, 15, 24], [0, 1, 0]] = 1
    found = np.asarray(octaves(jnp.asarray(rolls))).reshape(3, 12, 2)
    assert np.argwhere(found).tolist() == [[0, 3, 0], [1, 3, 1], [2, 0, 0]]


def test_a_style_weighs_no_more_than_the_features_when_a_critic_is_born():
    rolls = jax.random.bernoulli(jax.random.key(0), 0.1, (64, 16, 4, 24)).astype(
        jnp.float32
    )
    style, reader = jax.nn.one_hot(jnp.arange(64) % 2, 2), Reader(16, 64)
    params = reader.init(jax.random.key(1), rolls, style)
    read = jax.jit(reader.apply)
    (told, _), (untold, features) = (
        read(params, rolls, style),
        read(params, rolls, None),
    )
    bare = np.linalg.norm(features, axis=1) / np.sqrt(features.shape[1])
    for verdicts in (told - untold, untold):
        assert 0.3 < np.sqrt((verdicts**2).mean() / (bare**2).mean()) < 3
