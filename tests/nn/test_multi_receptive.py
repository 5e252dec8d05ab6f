"""Multi-receptive field fusion."""

import jax
import numpy as np

from zoo.nn.audio.multi_receptive import MultiReceptive


def test_stacks_of_all_kernels_are_averaged():
    x = np.random.default_rng(0).normal(size=(1, 12, 2)).astype(np.float32)
    both = MultiReceptive((3, 5), (1, 2))
    params = jax.jit(both.init)(jax.random.key(0), x)["params"]
    apply = lambda net, params: jax.jit(net.apply)({"params": params}, x)
    alone = []
    for size in (3, 5):
        own = {k: w for k, w in params.items() if k.startswith(f"conv_{size}")}
        alone.append(apply(MultiReceptive((size,), (1, 2)), own))
    np.testing.assert_allclose(apply(both, params), sum(alone) / 2, atol=1e-6)
