"""Where rows that are drawn for a batch are."""

import jax
import numpy as np
import pytest

from zoo.nn.rng import numbered
from zoo.train import sharding


@pytest.mark.usefixtures("eight")
def test_numbers_lie_where_the_rows_do():
    batch = sharding.shard_batch(sharding.mesh(), {"x": np.ones((16, 3))})
    rows = jax.jit(numbered)(batch["x"])
    np.testing.assert_array_equal(rows, np.arange(16))
    where = lambda x: {s.device: s.index[0].indices(16) for s in x.addressable_shards}
    assert where(rows) == where(batch["x"])
    assert len({*where(rows).values()}) == 8


def test_without_a_mesh_they_are_numbers():
    np.testing.assert_array_equal(numbered(np.ones((3, 2, 2), bool)), [0, 1, 2])
