"""Both forms of attention, and their gradients, against every score under an explicit mask."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.nn.sequence import attention, flash_attention
from zoo.nn.sequence.flash_attention import reach

B, H, D = 2, 2, 4
FORMS = (flash_attention.attend, attention.whole, attention.attend)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def resets(t):
    """Pieces that begin in different places in each row; the first is no beginning."""
    reset = np.random.default_rng(3).random((B, t)) < 0.1
    reset[0, : t // 2] = False
    return jnp.asarray(reset)


def plain(qkv, reset, window, table):
    """Softmax over all keys, but for a mask made of three comparisons."""
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
def test_forms_and_gradients_are_the_definition(
    monkeypatch, t, block, window, relative
):
    """The last is cut as it really is, into two blocks of 80; its padding is not seen."""
    monkeypatch.setattr(flash_attention, "BLOCK", block)
    assert flash_attention.blocks(t)[1] == -(-t // block) > 1
    qkv, dout, reset = 2 * normal(0, B, t, H, 3, D), normal(1, B, t, H, D), resets(t)
    table = normal(2, H, window, D) if relative else None

    @jax.jit
    def both(qkv, table):
        seen, results = reach(reset, window), []
        forms = [lambda qkv, table, f=f: f(qkv, seen, table) for f in FORMS]
        for f in (lambda qkv, table: plain(qkv, reset, window, table), *forms):
            out, slopes = jax.vjp(f, qkv, table)
            results.append((out, slopes(dout)))
        return results

    expected, *found = both(qkv, table)
    for one in found:
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


def test_one_block_is_enough_for_a_short_row():
    qkv, reset = normal(0, B, 5, H, 3, D), resets(5)
    assert flash_attention.blocks(5) == (5, 1)
    found = jax.jit(flash_attention.attend)(qkv, reach(reset))
    np.testing.assert_allclose(found, plain(qkv, reset, 5, None), atol=1e-5)


@pytest.mark.parametrize("window", [None, 20])
def test_reach_is_the_first_event_seen(monkeypatch, window):
    monkeypatch.setattr(flash_attention, "BLOCK", 16)
    reset = np.asarray(resets(75))
    start, first = reach(jnp.asarray(reset), window)
    size, count = flash_attention.blocks(75)
    assert len(first) == count
    for row, found in zip(reset, np.asarray(start), strict=True):
        for t, earliest in enumerate(found):
            begin = max([i for i in range(t + 1) if row[i]], default=0)
            assert earliest == max(begin, 0 if window is None else t - window + 1)
    for i, block in enumerate(np.asarray(first)):
        assert block == start[:, i * size : (i + 1) * size].min() // size


def test_blocks_that_nobody_sees_are_not_read(monkeypatch):
    """What is masked counts nothing, yet 0 times NaN is NaN: so it shows whether it was read."""
    monkeypatch.setattr(flash_attention, "BLOCK", 16)
    qkv, none = normal(0, B, 64, H, 3, D), jnp.zeros((B, 64), bool)
    qkv = qkv.at[:, :16].set(jnp.nan)
    attend = jax.jit(lambda qkv, reset: flash_attention.attend(qkv, reach(reset, 16)))
    assert jnp.isfinite(attend(qkv, none)[:, 32:]).all()
    assert jnp.isfinite(attend(qkv, none.at[:, 16].set(True))[:, 16:]).all()


def test_half_precision_goes_in_and_comes_out():
    qkv = normal(0, B, 37, H, 3, D)
    halves, seen = qkv.astype(jnp.bfloat16), reach(resets(37))
    for form in FORMS:
        found = jax.jit(form)(halves, seen, None)
        assert found.dtype == jnp.bfloat16
        np.testing.assert_allclose(
            found.astype(jnp.float32), jax.jit(form)(qkv, seen, None), atol=0.05
        )
