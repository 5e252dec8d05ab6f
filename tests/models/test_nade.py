"""NADE against its definition, a key at a time."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.models.polyphonic_rnn import NADE, nade_logits, sample_nade

N, K, D = 7, 9, 5


def numbers(n=N, k=K, d=D, seed=0):
    """Returns weights w, v, biases b, c, and frames x, one silent and one full."""
    rng = np.random.default_rng(seed)
    shapes = (k, d), (k, d), (n, k), (n, d)
    reals = [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]
    x = rng.integers(0, 2, (n, k)).astype(np.uint8)
    x[0], x[1] = 0, 1
    return *reals, jnp.asarray(x)


def by_key(w, v, b, c, x):
    """Computes Larochelle & Murray 2011, algorithm 1."""
    a, logits = c, []
    for i in range(x.shape[1]):
        logits.append(b[:, i] + jax.nn.sigmoid(a) @ v[i])
        a = a + x[:, i, None] * w[i][None]
    return jnp.stack(logits, axis=1)


def test_logits_equal_the_definition():
    np.testing.assert_allclose(
        nade_logits(*numbers()), by_key(*numbers()), rtol=1e-5, atol=1e-5
    )


def test_gradients_equal_those_of_the_definition():
    *reals, x = numbers()
    weight = jnp.asarray(np.random.default_rng(1).normal(size=(N, K)), jnp.float32)
    ours, theirs = (
        jax.grad(lambda reals, f=f: (f(*reals, x) * weight).sum())(reals)
        for f in (nade_logits, by_key)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_probabilities_of_all_frames_sum_to_one():
    frames = np.array(list(itertools.product((0, 1), repeat=4)), np.uint8)
    w, v, b, c, _ = numbers(k=4)
    b, c = (jnp.repeat(bias[:1], len(frames), axis=0) for bias in (b, c))
    logits = nade_logits(w, v, b, c, jnp.asarray(frames))
    chances = jax.nn.sigmoid(jnp.where(frames > 0, logits, -logits)).prod(axis=1)
    assert chances.sum() == pytest.approx(1, abs=1e-5)


def test_sampling_equals_sampling_key_by_key():
    w, v, b, c, _ = numbers(40)
    u = np.random.default_rng(2).random((40, K)).astype(np.float32)
    sounds = sample_nade(lambda logits: jax.nn.sigmoid(logits) > u, w, v, b=b, c=c)
    x = np.zeros((40, K), np.uint8)
    for i in range(K):
        x[:, i] = jax.nn.sigmoid(by_key(w, v, b, c, x)[:, i]) > u[:, i]
    np.testing.assert_array_equal(sounds, x)
    assert 0.2 < x.mean() < 0.8


def test_matmuls_in_bfloat16_and_weights_in_float32():
    b, c, x = numbers()[2:]
    layer = NADE(K, D, dtype=jnp.bfloat16)
    params = layer.init(jax.random.key(0), b, c, x)
    near = layer.apply(params, b, c, x)
    assert (
        {p.dtype for p in jax.tree.leaves(params)}
        == {near.dtype}
        == {jnp.dtype(jnp.float32)}
    )
    np.testing.assert_allclose(near, NADE(K, D).apply(params, b, c, x), atol=0.05)
