"""Row indices and random numbers of rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.rng import row_indices, row_keys, stratified_uniforms
from zoo.train import sharding


@pytest.mark.usefixtures("eight")
def test_row_indices_have_the_sharding_of_the_rows():
    batch = sharding.spread(sharding.mesh(), {"x": np.ones((16, 3))})
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
