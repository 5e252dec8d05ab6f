"""Exact causal attention in blocks, in linear memory, without the masked blocks.

Logits are computed for a block of queries and a block of keys at a time, under a
running softmax (Dao et al. 2022, arXiv:2205.14135), and recomputed for the gradient.
Axes: b row, t query, s key, h head, d width of a head; x, distances within a pair of
blocks.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float
from zoo.nn.bfloat16 import pack, unpack
from zoo.nn.dense import NEG_INF
from zoo.nn.sequence.positional import pad_distances, skew, unskew

BLOCK = 128  # queries, and keys, in a block

dot = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)
slice_in_dim = jax.lax.dynamic_slice_in_dim


class CausalMask(NamedTuple):
    """A causal mask within the pieces of a row, and within a window."""

    start: Array  # int [b, t], the earliest event that each query attends to
    first_block: Array  # int [blocks], the earliest block of keys, over all rows


def causal_mask(reset: Bool[Array, "b t"], window: int | None = None) -> CausalMask:
    """Returns the mask of rows of several pieces.

    Args:
      reset: True where a piece begins.
      window: the most events that a query attends to, itself included.
    """
    position = jnp.arange(reset.shape[1])[None]
    start = jax.lax.cummax(jnp.where(reset, position, 0), axis=1)
    if window is not None:
        start = jnp.maximum(start, position - (window - 1))
    size, count = block_sizes(reset.shape[1])
    padded = jnp.pad(start, ((0, 0), (0, size * count - reset.shape[1])), mode="edge")
    first_block = padded.reshape(-1, count, size).min(axis=(0, 2)) // size
    return CausalMask(start, first_block)


def block_sizes(t: int) -> tuple[int, int]:
    """Returns the size and the number of the blocks of `t` events."""
    count = -(-t // BLOCK)
    return (t if count == 1 else -(-t // (16 * count)) * 16), count


def flash_attention(
    qkv: Float[Array, "b t h 3 d"],
    mask: CausalMask,
    table: Float[Array, "h l d"] | None = None,
) -> Float[Array, "b t h d"]:
    """Returns the softmax attention of every head.

    Args:
      qkv: queries, keys and values.
      mask: the keys that each query attends to.
      table: relative position embeddings, one for each distance from 0, added to the
        keys; at least as long as the longest distance in the mask.
    """
    (b, t, heads, _, d), (size, count) = qkv.shape, block_sizes(qkv.shape[1])
    pad = ((0, 0), (0, size * count - t))
    if table is None:
        distances = jnp.zeros((heads, 0, d), jnp.float32)
    else:
        distances = pad_distances(table, size * count, size)
    start = jnp.pad(mask.start, pad, mode="edge")
    qkv = jnp.pad(qkv.reshape(b, t, heads * 3, d), (*pad, (0, 0), (0, 0)))
    padded_mask = CausalMask(start, mask.first_block)
    return _blockwise(qkv, distances.astype(qkv.dtype), padded_mask)[:, :t]


def read_block(x: Array, i: Array, row: Array | int, size: int) -> Array:
    """Returns block `i` of row `row` of x [b, t, row, d], packed: [b, size, d]."""
    return unpack(slice_in_dim(slice_in_dim(x, i * size, size, 1), row, 1, 2)[:, :, 0])


def write_block(x: Array, new: Array, i: Array, row: Array) -> Array:
    """Returns `x`, packed, with `new` [b, size, d] in place of its block `i`."""
    packed = pack(new[:, :, None].astype(unpack(x).dtype))
    return jax.lax.dynamic_update_slice(x, packed, (0, i * new.shape[1], row, 0))


def add_slice(x: Array, new: Array, at: Array) -> Array:
    """Returns `x` [.., l] with `new` [.., size] added from index `at` on."""
    new = new + slice_in_dim(x, at, new.shape[-1], x.ndim - 1)
    return jax.lax.dynamic_update_slice_in_dim(x, new, at, x.ndim - 1)


def distance_offset(table: Array, i: Array, j: Array, size: int) -> Array:
    """Returns where in `table` [x, d] the distances from block `i` to `j` begin."""
    return (table.shape[0] // size - 2 - (i - j)) * size


def block_logits(
    q: Array, k: Array, table: Array, start: Array, *, i: Array, j: Array
) -> Array:
    """Returns the masked logits [b, t, s] of query block `i` and key block `j`."""
    size, d = q.shape[1:]
    s = dot("btd,bsd->bts", q, k)
    if len(table):
        offset = distance_offset(table, i, j, size)
        s += skew(dot("btd,xd->btx", q, slice_in_dim(table, offset, 2 * size)))
    key = j * size + jnp.arange(size)[None, None]
    query = i * size + jnp.arange(size)[None, :, None]
    visible = (key >= start[:, :, None]) & (key <= query)
    return jnp.where(visible, s * d**-0.5, NEG_INF)


@jax.custom_vjp
def _blockwise(qkv: Array, table: Array, mask: CausalMask) -> Array:
    """Computes `flash_attention` of qkv [b, t, 3 h, d] in whole blocks."""
    return _forward(qkv, table, mask)[0]


def _forward(
    qkv: Array, table: Array, mask: CausalMask
) -> tuple[Array, tuple[Any, ...]]:
    (b, t, _, d), heads, count = qkv.shape, len(table), len(mask.first_block)
    size, qkv = t // count, pack(qkv)

    def head(h: Array, outputs: tuple[Array, Array]) -> tuple[Array, Array]:
        kv = slice_in_dim(qkv, 3 * h + 1, 2, 2)

        def queries(i: Array, outputs: tuple[Array, Array]) -> tuple[Array, Array]:
            q = read_block(qkv, i, 3 * h, size)
            start = slice_in_dim(mask.start, i * size, size, 1)

            def pair(j: Array, sums: tuple[Array, Array, Array]):
                out, top, total = sums
                k, v = (read_block(kv, j, row, size) for row in (0, 1))
                s = block_logits(q, k, table[h], start, i=i, j=j)
                higher = jnp.maximum(top, s.max(axis=-1))
                p, decay = jnp.exp(s - higher[..., None]), jnp.exp(top - higher)
                new = dot("bts,bsd->btd", p.astype(v.dtype), v)
                out = out * decay[..., None] + new
                return out, higher, total * decay + p.sum(axis=-1)

            zero = jnp.zeros((b, size), jnp.float32)
            begin = (
                jnp.zeros((b, size, d), jnp.float32),
                jnp.full_like(zero, NEG_INF),
                zero,
            )
            first = mask.first_block[i]
            out, top, total = jax.lax.fori_loop(first, i + 1, pair, begin)
            log_sum = (top + jnp.log(total))[..., None]
            return (
                write_block(outputs[0], out / total[..., None], i, h),
                write_block(outputs[1], log_sum, i, h),
            )

        return jax.lax.fori_loop(0, count, queries, outputs)

    # The initial values are overwritten. XLA would allocate zeros early and keep them.
    begin = qkv[:, :, ::3], jnp.zeros((b, t, heads, 1), jnp.float32)
    out, log_sum = jax.lax.fori_loop(0, heads, head, begin)
    return unpack(out), (qkv, table, mask, out, log_sum)


def _backward(saved: tuple[Any, ...], dout: Array) -> tuple[Any, ...]:
    qkv, table, mask, out, log_sum = saved
    (b, t, _, d), heads, count = qkv.shape, len(table), len(mask.first_block)
    size = t // count

    def head(h, gradients):
        qkv, dtables = gradients
        kv = slice_in_dim(qkv, 3 * h + 1, 2, 2)

        def queries(i, gradients):
            qkv, *dkeys = gradients
            q = read_block(qkv, i, 3 * h, size)
            start = slice_in_dim(mask.start, i * size, size, 1)
            arrays = pack(dout), out, log_sum
            g, o, total = (read_block(x, i, h, size) for x in arrays)
            rest = (g * o).sum(axis=-1, keepdims=True)
            # products over queries are twice as fast with the queries last
            qt, gt = q.swapaxes(1, 2), g.swapaxes(1, 2)

            def pair(j, gradients):
                dq, dk, dv, dtable = gradients
                k, v = (read_block(kv, j, row, size) for row in (0, 1))
                p = jnp.exp(block_logits(q, k, table[h], start, i=i, j=j) - total)
                ds = p * (dot("btd,bsd->bts", g, v) - rest) * d**-0.5
                p, ds = p.astype(v.dtype), ds.astype(q.dtype)
                dq += dot("bts,bsd->btd", ds, k)
                dk = add_slice(dk, dot("bdt,bts->bds", qt, ds), j * size)
                dv = add_slice(dv, dot("bdt,bts->bds", gt, p), j * size)
                if table.shape[1]:
                    at, dx = distance_offset(table[h], i, j, size), unskew(ds)
                    dq += dot("btx,xd->btd", dx, slice_in_dim(table[h], at, 2 * size))
                    dtable = add_slice(dtable, dot("bdt,btx->bdx", qt, dx), at)
                return dq, dk, dv, dtable

            begin = jnp.zeros((b, size, d), jnp.float32), *dkeys
            dq, *dkeys = jax.lax.fori_loop(mask.first_block[i], i + 1, pair, begin)
            # the gradient takes the place of the queries, which have been read
            return write_block(qkv, dq, i, 3 * h), *dkeys

        # one sum per row, so that no pair of blocks waits for another device
        zeros = (jnp.zeros((b, d, x), jnp.float32) for x in (t, t, table.shape[1]))
        qkv, dk, dv, dtable = jax.lax.fori_loop(0, count, queries, (qkv, *zeros))
        dkv = pack(jnp.stack([dk, dv]).transpose(1, 3, 0, 2).astype(dout.dtype))
        qkv = jax.lax.dynamic_update_slice_in_dim(qkv, dkv, 3 * h + 1, 2)
        dtable = dtable.sum(axis=0).T.astype(table.dtype)
        return qkv, jax.lax.dynamic_update_index_in_dim(dtables, dtable, h, 0)

    dqkv, dtable = jax.lax.fori_loop(0, heads, head, (qkv, jnp.zeros_like(table)))
    return unpack(dqkv), dtable, None


_blockwise.defvjp(_forward, _backward)
