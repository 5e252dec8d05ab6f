"""Row indices, random numbers of rows, and dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.rng import (
    Dropout,
    hashed_bits,
    row_indices,
    row_keys,
    stratified_uniforms,
)
from zoo.train import sharding

KEY = jax.random.key(0)


@pytest.mark.usefixtures("eight")
def test_row_indices_have_the_sharding_of_the_rows():
    batch = sharding.shard_batch(sharding.mesh(), {"x": np.ones((16, 3))})
    rows = jax.jit(row_indices)(batch["x"])
    np.testing.assert_array_equal(rows, np.arange(16))
    where = lambda x: {s.device: s.index[0].indices(16) for s in x.addressable_shards}
    assert where(rows) == where(batch["x"])
    assert len({*where(rows).values()}) == 8


def test_row_indices_without_a_mesh():
    np.testing.assert_array_equal(row_indices(np.ones((3, 2, 2), bool)), [0, 1, 2])


def test_row_keys_depend_on_the_row_alone():
    rng = jax.random.key(0)
    many, few = row_keys(rng, 5), row_keys(rng, jnp.array([3, 1]))
    data = jax.random.key_data
    np.testing.assert_array_equal(data(few), data(many)[np.array([3, 1])])
    assert len({tuple(row) for row in np.asarray(data(many))}) == 5


def test_stratified_uniforms_have_one_number_per_stratum():
    u = np.asarray(stratified_uniforms(jax.random.key(0), 7))
    assert sorted(np.floor(7 * u)) == list(range(7))


def test_hashed_bits_are_uniform_and_uncorrelated():
    x = np.asarray(hashed_bits(KEY, (64, 64, 16)), np.float64) / 2**32
    assert abs(x.mean() - 0.5) < 0.01
    counts, _ = np.histogram(x, 16, (0, 1))
    assert abs(counts / x.size - 1 / 16).max() < 0.003
    for axis in range(3):
        a, b = np.take(x, range(15), axis), np.take(x, range(1, 16), axis)
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02
    assert not np.array_equal(x, hashed_bits(jax.random.key(1), x.shape))


def test_dropout_keeps_the_mean():
    x = jnp.ones((100, 100))
    dropped = Dropout(0.3).apply({}, x, False, rngs={"dropout": KEY})
    np.testing.assert_allclose((dropped == 0).mean(), 0.3, atol=0.02)
    np.testing.assert_allclose(dropped.max(), 1 / 0.7, rtol=1e-6)
    assert Dropout(0.3).apply({}, x, True) is x
