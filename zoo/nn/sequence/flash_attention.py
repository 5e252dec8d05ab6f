"""Exact causal attention in blocks, without the blocks that nobody sees, in linear memory.

Scores are made a block of queries by a block of keys at a time, under a softmax kept running (Dao
et al. 2022, arXiv:2205.14135), and made again for the gradient. Axes: b row, t query, s key, h
head, d width of a head; x, distances within a pair of blocks.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zoo.core import Array
from zoo.nn.bfloat16 import pack, unpack
from zoo.nn.sequence.positional import relative, skew, unskew

BLOCK = 128  # queries, and keys, that are compared at a time
NEVER = -1e30

dot = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)
slab = jax.lax.dynamic_slice_in_dim


class Reach(NamedTuple):
    """How far back queries see. `start` int [b, t]: each one's earliest event.

    `first` int [blocks]: the earliest block of keys that a block of queries needs, in any row.
    """

    start: Array
    first: Array


def reach(reset: Array, window: int | None = None) -> Reach:
    """From `reset` bool [b, t], which holds where a piece begins; `window` counts the query too."""
    at = jnp.arange(reset.shape[1])[None]
    start = jax.lax.cummax(jnp.where(reset, at, 0), axis=1)
    start = start if window is None else jnp.maximum(start, at - (window - 1))
    size, count = blocks(reset.shape[1])
    padded = jnp.pad(start, ((0, 0), (0, size * count - reset.shape[1])), mode="edge")
    return Reach(start, padded.reshape(-1, count, size).min(axis=(0, 2)) // size)


def blocks(t: int) -> tuple[int, int]:
    """Size and number of the blocks that `t` events are cut into."""
    count = -(-t // BLOCK)
    return (t if count == 1 else -(-t // (16 * count)) * 16), count


def attend(qkv: Array, reach: Reach, table: Array | None = None) -> Array:
    """Softmax attention of every head.

    Args:
      qkv: queries, keys and values, [b, t, h, 3, d].
      reach: which keys each query sees.
      table: [h, l, d], what is added to a key at each distance from the query, 0 first; as long as
        any query reaches.

    Returns:
      [b, t, h, d].
    """
    (b, t, heads, _, d), (size, count) = qkv.shape, blocks(qkv.shape[1])
    pad = ((0, 0), (0, size * count - t))
    laid = (
        jnp.zeros((heads, 0, d))
        if table is None
        else relative(table, size * count, size)
    )
    start = jnp.pad(reach.start, pad, mode="edge")
    qkv = jnp.pad(qkv.reshape(b, t, heads * 3, d), (*pad, (0, 0), (0, 0)))
    return blockwise(qkv, laid.astype(qkv.dtype), Reach(start, reach.first))[:, :t]


def cell(x: Array, i: Array, row: Array | int, size: int) -> Array:
    """Events of block `i` in row `row` of x [b, t, row, d], packed: [b, size, d]."""
    return unpack(slab(slab(x, i * size, size, 1), row, 1, 2)[:, :, 0])


def put(x: Array, new: Array, i: Array, row: Array) -> Array:
    """`x`, packed, with `new` [b, size, d] for its `cell`."""
    new, at = (
        pack(new[:, :, None].astype(unpack(x).dtype)),
        (0, i * new.shape[1], row, 0),
    )
    return jax.lax.dynamic_update_slice(x, new, at)


def add(x: Array, new: Array, at: Array) -> Array:
    """`x` [.., l] with `new` [.., size] added from `at` on."""
    new = new + slab(x, at, new.shape[-1], x.ndim - 1)
    return jax.lax.dynamic_update_slice_in_dim(x, new, at, x.ndim - 1)


def near(table: Array, i: Array, j: Array, size: int) -> Array:
    """Where in `table` [x, d] the distances from query block `i` to key block `j` begin."""
    return (table.shape[0] // size - 2 - (i - j)) * size


def scores(q: Array, k: Array, table: Array, start: Array, i: Array, j: Array) -> Array:
    """Masked logits [b, t, s] of query block `i` against key block `j`, both [b, size, d]."""
    size, d = q.shape[1:]
    s = dot("btd,bsd->bts", q, k)
    if len(table):
        s += skew(dot("btd,xd->btx", q, slab(table, near(table, i, j, size), 2 * size)))
    key = j * size + jnp.arange(size)[None, None]
    query = i * size + jnp.arange(size)[None, :, None]
    return jnp.where((key >= start[:, :, None]) & (key <= query), s * d**-0.5, NEVER)


@jax.custom_vjp
def blockwise(qkv: Array, table: Array, reach: Reach) -> Array:
    """`attend` over qkv [b, t, 3 h, d] in whole blocks, with a table as `relative` lays it."""
    return _forward(qkv, table, reach)[0]


def _forward(qkv: Array, table: Array, reach: Reach) -> tuple[Array, tuple[Any, ...]]:
    (b, t, _, d), heads, count = qkv.shape, len(table), len(reach.first)
    size, qkv = t // count, pack(qkv)

    def head(h: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        kv = slab(qkv, 3 * h + 1, 2, 2)

        def queries(i: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            q, start = cell(qkv, i, 3 * h, size), slab(reach.start, i * size, size, 1)

            def pair(
                j: Array, now: tuple[Array, Array, Array]
            ) -> tuple[Array, Array, Array]:
                out, top, total = now
                k, v = (cell(kv, j, row, size) for row in (0, 1))
                s = scores(q, k, table[h], start, i, j)
                higher = jnp.maximum(top, s.max(axis=-1))
                p, decay = jnp.exp(s - higher[..., None]), jnp.exp(top - higher)
                new = dot("bts,bsd->btd", p.astype(v.dtype), v)
                return (
                    out * decay[..., None] + new,
                    higher,
                    total * decay + p.sum(axis=-1),
                )

            zero = jnp.zeros((b, size))
            begin = jnp.zeros((b, size, d)), jnp.full_like(zero, NEVER), zero
            out, top, total = jax.lax.fori_loop(reach.first[i], i + 1, pair, begin)
            log = (top + jnp.log(total))[..., None]
            return put(now[0], out / total[..., None], i, h), put(now[1], log, i, h)

        return jax.lax.fori_loop(0, count, queries, now)

    # whatever is overwritten: zeros XLA would make long before, and keep
    out, log = jax.lax.fori_loop(
        0, heads, head, (qkv[:, :, ::3], jnp.zeros((b, t, heads, 1)))
    )
    return unpack(out), (qkv, table, reach, out, log)


def _backward(saved: tuple[Any, ...], dout: Array) -> tuple[Any, ...]:
    qkv, table, reach, out, log = saved
    (b, t, _, d), heads, count = qkv.shape, len(table), len(reach.first)
    size = t // count

    def head(h, now):
        qkv, dtables = now
        kv = slab(qkv, 3 * h + 1, 2, 2)

        def queries(i, now):
            qkv, *dkeys = now
            q, start = cell(qkv, i, 3 * h, size), slab(reach.start, i * size, size, 1)
            g, o, total = (cell(x, i, h, size) for x in (pack(dout), out, log))
            rest = (g * o).sum(axis=-1, keepdims=True)
            # products over queries read a matrix that lies along them: twice as fast
            qt, gt = q.swapaxes(1, 2), g.swapaxes(1, 2)

            def pair(j, now):
                dq, dk, dv, dtable = now
                k, v = (cell(kv, j, row, size) for row in (0, 1))
                p = jnp.exp(scores(q, k, table[h], start, i, j) - total)
                ds = p * (dot("btd,bsd->bts", g, v) - rest) * d**-0.5
                p, ds = p.astype(v.dtype), ds.astype(q.dtype)
                dq += dot("bts,bsd->btd", ds, k)
                dk = add(dk, dot("bdt,bts->bds", qt, ds), j * size)
                dv = add(dv, dot("bdt,bts->bds", gt, p), j * size)
                if table.shape[1]:
                    at, dx = near(table[h], i, j, size), unskew(ds)
                    dq += dot("btx,xd->btd", dx, slab(table[h], at, 2 * size))
                    dtable = add(dtable, dot("bdt,btx->bdx", qt, dx), at)
                return dq, dk, dv, dtable

            begin = jnp.zeros((b, size, d)), *dkeys
            dq, *dkeys = jax.lax.fori_loop(reach.first[i], i + 1, pair, begin)
            return put(
                qkv, dq, i, 3 * h
            ), *dkeys  # in place of the queries, which have been read

        # rows apart, so that no pair waits for another device
        zeros = (jnp.zeros((b, d, x)) for x in (t, t, table.shape[1]))
        qkv, dk, dv, dtable = jax.lax.fori_loop(0, count, queries, (qkv, *zeros))
        dkv = pack(jnp.stack([dk, dv]).transpose(1, 3, 0, 2).astype(dout.dtype))
        qkv = jax.lax.dynamic_update_slice_in_dim(qkv, dkv, 3 * h + 1, 2)
        dtable = dtable.sum(axis=0).T.astype(table.dtype)
        return qkv, jax.lax.dynamic_update_index_in_dim(dtables, dtable, h, 0)

    dqkv, dtable = jax.lax.fori_loop(0, heads, head, (qkv, jnp.zeros_like(table)))
    return unpack(dqkv), dtable, None


blockwise.defvjp(_forward, _backward)
