"""Blockwise and full attention, and their gradients, against explicit masking."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.sequence import attention, flash_attention
from zoo.nn.sequence.flash_attention import causal_mask

B, H, D = 2, 2, 4
FORMS = (
    flash_attention.flash_attention,
    attention.full_attention,
    attention.causal_attention,
)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def resets(t):
    """Draws where pieces begin; the first row begins amid a piece."""
    reset = np.random.default_rng(3).random((B, t)) < 0.1
    reset[0, : t // 2] = False
    return jnp.asarray(reset)


def plain(qkv, reset, window, table):
    """Computes attention by the definition, with an explicit mask."""
    t, piece = qkv.shape[1], jnp.cumsum(reset, axis=1)
    q, k, v = (qkv[:, :, :, part] for part in range(3))
    age = np.arange(t)[:, None] - np.arange(t)[None]
    s = jnp.einsum("bthd,bshd->bhts", q, k)
    if table is not None:
        s += jnp.einsum(
            "bthd,htsd->bhts", q, table[:, np.clip(age, 0, table.shape[1] - 1)]
        )
    seen = (piece[:, :, None] == piece[:, None]) & ((age >= 0) & (age < window))[None]
    p = jax.nn.softmax(jnp.where(seen[:, None], s / np.sqrt(D), -jnp.inf))
    return jnp.einsum("bhts,bshd->bthd", p, v)


@pytest.mark.parametrize(
    ("t", "block", "window", "relative"),
    [
        (37, 16, 37, False),
        (37, 16, 11, True),
        (64, 16, 64, True),
        (130, 128, 90, False),
    ],
)
def test_attention_and_gradients_equal_the_definition(
    monkeypatch, t, block, window, relative
):
    """The last case has the real block size: two blocks of 80, with padding."""
    monkeypatch.setattr(flash_attention, "BLOCK", block)
    assert flash_attention.block_sizes(t)[1] == -(-t // block) > 1
    qkv, dout, reset = 2 * normal(0, B, t, H, 3, D), normal(1, B, t, H, D), resets(t)
    table = normal(2, H, window, D) if relative else None

    @jax.jit
    def both(qkv, table):
        mask, results = causal_mask(reset, window), []
        forms = [lambda qkv, table, f=f: f(qkv, mask, table) for f in FORMS]
        for f in (lambda qkv, table: plain(qkv, reset, window, table), *forms):
            out, slopes = jax.vjp(f, qkv, table)
            results.append((out, slopes(dout)))
        return results

    expected, *results = both(qkv, table)
    for result in results:
        for a, b in zip(
            jax.tree.leaves(result), jax.tree.leaves(expected), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-4)


def test_a_short_row_is_one_block():
    qkv, reset = normal(0, B, 5, H, 3, D), resets(5)
    assert flash_attention.block_sizes(5) == (5, 1)
    out = jax.jit(flash_attention.flash_attention)(qkv, causal_mask(reset))
    np.testing.assert_allclose(out, plain(qkv, reset, 5, None), atol=1e-5)


@pytest.mark.parametrize("window", [None, 20])
def test_mask_starts_at_the_first_visible_event(monkeypatch, window):
    monkeypatch.setattr(flash_attention, "BLOCK", 16)
    reset = np.asarray(resets(75))
    start, first = causal_mask(jnp.asarray(reset), window)
    size, count = flash_attention.block_sizes(75)
    assert len(first) == count
    for row, starts in zip(reset, np.asarray(start), strict=True):
        for t, earliest in enumerate(starts):
            begin = max([i for i in range(t + 1) if row[i]], default=0)
            assert earliest == max(begin, 0 if window is None else t - window + 1)
    for i, block in enumerate(np.asarray(first)):
        assert block == start[:, i * size : (i + 1) * size].min() // size


def test_masked_blocks_are_skipped(monkeypatch):
    """NaN shows whether a masked block was read, since 0 times NaN is NaN."""
    monkeypatch.setattr(flash_attention, "BLOCK", 16)
    qkv, none = normal(0, B, 64, H, 3, D), jnp.zeros((B, 64), bool)
    qkv = qkv.at[:, :16].set(jnp.nan)
    attend = jax.jit(
        lambda qkv, reset: flash_attention.flash_attention(qkv, causal_mask(reset, 16))
    )
    assert jnp.isfinite(attend(qkv, none)[:, 32:]).all()
    assert jnp.isfinite(attend(qkv, none.at[:, 16].set(True))[:, 16:]).all()


def test_bfloat16_inputs_give_bfloat16_outputs():
    qkv = normal(0, B, 37, H, 3, D)
    halves, mask = qkv.astype(jnp.bfloat16), causal_mask(resets(37))
    for form in FORMS:
        out = jax.jit(form)(halves, mask, None)
        assert out.dtype == jnp.bfloat16
        np.testing.assert_allclose(
            out.astype(jnp.float32), jax.jit(form)(qkv, mask, None), atol=0.05
        )
