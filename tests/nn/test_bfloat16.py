"""bfloat16 against float32, and in compiled loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn import bfloat16
from zoo.nn.sequence import flash_attention
from zoo.nn.sequence.attentive_lstm import AttentiveLSTM
from zoo.nn.sequence.lstm import LSTMLayer, unroll_plain, zero_carry

T, B, D, H = 7, 3, 4, 8
BF16 = jnp.bfloat16


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_packing_is_lossless_and_ignores_float32():
    every = jnp.arange(2**16, dtype=jnp.uint16)
    assert (bfloat16.pack(bfloat16.unpack(every)) == every).all()
    x = normal(0, 5)
    assert bfloat16.pack(x) is x
    assert bfloat16.unpack(x) is x


@pytest.mark.parametrize("rows", [(6,), (5, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [jnp.float32, BF16])
def test_outer_sums_over_rows(rows, dtype):
    x, y = normal(0, *rows, 2).astype(dtype), normal(1, *rows, 3).astype(dtype)
    total = bfloat16.outer(x, y)
    assert total.dtype == jnp.float32
    x, y = (np.asarray(a, np.float64).reshape(-1, a.shape[-1]) for a in (x, y))
    np.testing.assert_allclose(total, x.T @ y, atol=1e-5)


def test_dot_accumulates_in_float32():
    ones = jnp.ones((1, 4096), BF16)
    assert (
        bfloat16.dot(ones, ones.T).astype(jnp.float32) == 4096
    )  # in bfloat16, 256 + 1 is 256


def recurrent(x):
    layer, reset = LSTMLayer(H, dtype=BF16), jnp.zeros((T, B), bool)
    params = layer.init(jax.random.key(0), x)
    return jax.grad(lambda p, x: layer.apply(p, x, None, reset)[1].sum(), (0, 1))(
        params, x
    )


def plain(x):
    w, u, b = normal(0, D, 4 * H), normal(1, H, 4 * H), normal(2, 4 * H)
    return unroll_plain(w, u, b, x.astype(BF16), zero_carry(B, H))[1]


def attentive(x):
    layer, reset = AttentiveLSTM(H, 2, dtype=BF16), jnp.zeros((T, B), bool)
    params = layer.init(jax.random.key(0), x, reset)
    return jax.grad(lambda p, x: layer.apply(p, x, reset).sum(), (0, 1))(params, x)


def attention(x):
    qkv = jnp.broadcast_to(
        x.reshape(T * B * D)[:, None, None, None], (1, T * B * D, 2, 3, D)
    )
    mask = flash_attention.causal_mask(jnp.zeros(qkv.shape[:2], bool))
    return jax.grad(lambda qkv: flash_attention.flash_attention(qkv, mask).sum())(
        qkv.astype(BF16)
    )


@pytest.mark.parametrize("run", [recurrent, plain, attentive, attention])
def test_loops_write_bfloat16_buffers_in_place(run):
    """Otherwise XLA's CPU compiler copies the whole buffer to float32 at every step."""
    program = jax.jit(run).lower(normal(3, T, B, D)).compile().as_text()
    assert "dynamic-update-slice(" in program
    assert "dynamic-update-slice(%convert" not in program
