"""An LSTM that attends over its own last outputs, unrolled fast (Bahdanau et al. 2015; Waite 2016).

At step t the layer has a memory of its last k outputs h_i. It weighs them by what its state
(h_t, c_t) asks for; their weighted sum goes out beside h_t, and into the next step's gates:

    u_i = v . tanh(W1 h_i + W2 (h_t, c_t)),    a = softmax(u),    s_t = sum_i a_i h_i.

Axes: t step, b batch, k slot of the memory, d input width, h state width. Inside `unroll` the
memory is a ring [k, b, h]: step t is written to slot t mod k, and nothing else moves.

Speed. tanh(x + y) = 1 - 2 / (1 + e^2x e^2y), and the softmax does not see the 1: with e^2x kept
for each output and e^2y made once a step, a score is a product and a quotient. Reverse mode keeps
no copy of the memory and works the quotients out again; weight gradients are matmuls after the
scan; `over_slots` and `over_last` write sums out, which XLA is slow at on a CPU. The layer alone, h
128, k 40, batch 128 x 511, CPU seconds forward and backward: as the definition reads 6.6, in 4.6
GB; weight gradients after the scan 3.9, 0.6 GB; quotients and sums written out 2.4.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Key
from zoo.nn.bfloat16 import dot, outer, pack, unpack
from zoo.nn.sequence.lstm import (
    Carry,
    advance,
    keep,
    orthogonal_gates,
    recede,
    remember,
    squash,
    times,
    zeros,
)

LANES = 16  # float32 numbers in the widest register of a CPU
MOST = (
    20.0  # to which keys and queries are clipped: e^2x e^2y stays finite, tanh(20) is 1
)


class Weights(NamedTuple):
    """What an attending layer multiplies by; its input weights are its caller's."""

    u: Array  # [2h, 4h], from (h, s) of the step before to the gates
    b: Array  # [4h]
    w1: Array  # [h, h], outputs to keys
    w2: Array  # [2h, h], (h, c) to the query
    v: Array  # [h]


class Attending(NamedTuple):
    """What one step hands to the next; rows come first, so that rows can be picked."""

    carry: Carry  # [b, h] each
    summary: Array  # [b, h], s of the step before
    outputs: Array  # [b, k, h]
    keys: Array  # [b, k, h], e^(2 W1 h_i)
    age: Array  # int [b], steps since the piece began: the next goes to slot age mod k


def start(n: int, slots: int, width: int) -> Attending:
    """The state of `n` rows before a piece begins."""
    nothing = jnp.zeros((n, slots, width))
    age = jnp.zeros(n, jnp.int32)
    return Attending(zeros(n, width), jnp.zeros((n, width)), nothing, nothing, age)


def grow(x: Array) -> Array:
    return jnp.exp(2 * jnp.clip(x, -MOST, MOST))


def over_last(terms: Callable[[slice], Array], width: int) -> Array:
    """The sum over the last axis of `terms`, given a slice of it: [.., width] to [..].

    Folded into one register's width, then summed by a matmul.
    """
    if width % LANES:
        return terms(slice(width)).sum(axis=-1)
    folded = sum(terms(slice(i, i + LANES)) for i in range(0, width, LANES))
    return jnp.dot(folded, jnp.ones(LANES))


def over_slots(terms: Callable[[int], Array], slots: int) -> Array:
    """The sum of what `terms` gives for each slot, written out."""
    return functools.reduce(jnp.add, map(terms, range(slots)))


def weigh(v: Array, keys: Array, query: Array, known: Array, axis: int) -> Array:
    """The softmax over the slots of v . tanh(log(keys) / 2 + log(query) / 2), of those `known`.

    Keys [.., h] have the slots as their `axis`, which weights and `known` share and `query` lacks.
    Where nothing is known every weight is 0.
    """
    query, v = jnp.expand_dims(query, axis), v[None, None]
    score = over_last(
        lambda i: -2 * v[..., i] / (1 + keys[..., i] * query[..., i]), keys.shape[-1]
    )
    score = jnp.where(known, score, -jnp.inf)
    top = jnp.maximum(score.max(axis=axis, keepdims=True), -jnp.finfo(score.dtype).max)
    mass = jnp.exp(score - top)
    return mass / jnp.maximum(
        mass.sum(axis=axis, keepdims=True), jnp.finfo(mass.dtype).tiny
    )


def step(
    weights: Weights, state: Attending, gates: Array, reset: Array
) -> tuple[Attending, Array, Array]:
    """One step, as the definition reads.

    Args:
      state: what the step before left.
      gates: the input's share of them [b, 4h].
      reset: bool [b]; where it holds, the state is that before a piece begins.

    Returns:
      The state, the output (h, s) [b, 2h], and the weights [b, k] of the slots.
    """
    before, summary = keep((state.carry, state.summary), reset)
    age = jnp.where(reset, 0, state.age)
    slots = jnp.arange(state.keys.shape[1])[None]
    joined = jnp.concatenate([before.h, summary], axis=-1)
    carry = advance(before, squash(gates + joined @ weights.u + weights.b[None]))
    query = grow(jnp.concatenate(carry, axis=-1) @ weights.w2)
    share = weigh(weights.v, state.keys, query, slots < age[:, None], 1)
    summary = jnp.einsum("bk,bkh->bh", share, state.outputs)
    here = (slots == age[:, None] % slots.size)[..., None]
    outputs = jnp.where(here, carry.h[:, None], state.outputs)
    keys = jnp.where(here, grow(carry.h @ weights.w1)[:, None], state.keys)
    after = Attending(carry, summary, outputs, keys, age + 1)
    return after, jnp.concatenate([carry.h, summary], axis=-1), share


def unroll(weights: Weights, gates: Array, reset: Array, slots: int) -> Array:
    """Runs the layer from the beginning: `step` after step, but differentiable at speed.

    Args:
      gates: the input's share of them [t, b, 4h], whose dtype is that of matmuls and outputs.
      reset: bool [t, b]; where it holds, a piece begins.
      slots: k, how many of its last outputs the layer attends over.

    Returns:
      The outputs (h, s) [t, b, 2h].
    """
    return _unroll(slots, weights, gates, reset)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _unroll(slots: int, weights: Weights, gates: Array, reset: Array) -> Array:
    return _forward(slots, weights, gates, reset)[0]


class _Seen(NamedTuple):
    """What the scan forward leaves of each step [t, b, ..] for the scan back."""

    h: Array
    summary: Array
    key: Array
    query: Array
    share: Array  # [t, k, b]
    c: Array  # before the step


def _forward(
    slots: int, weights: Weights, gates: Array, reset: Array
) -> tuple[Array, tuple[Any, ...]]:
    n, width, dtype = gates.shape[1], gates.shape[2] // 4, gates.dtype
    u, w1, w2 = (w.T.astype(dtype) for w in (weights.u, weights.w1, weights.w2))

    def one(now, inputs):
        (carry, summary, outputs, keys, age), gates = now
        t, reset = inputs
        before, summary = keep((carry, summary), reset)
        age = jnp.where(reset, 0, age)
        summed = unpack(jax.lax.dynamic_index_in_dim(gates, t, keepdims=False))
        summed += times(jnp.concatenate([before.h, summary], axis=-1), u)
        squashed = squash(summed + weights.b[None])
        carry = advance(before, squashed)
        gates = jax.lax.dynamic_update_index_in_dim(
            gates, pack(squashed.astype(dtype)), t, 0
        )
        query = grow(times(jnp.concatenate(carry, axis=-1), w2))
        ago = (t - 1 - jnp.arange(slots)) % slots
        share = weigh(weights.v, keys, query, ago[:, None] < age[None], 0)
        summary = over_slots(lambda i: share[i][:, None] * outputs[i], slots)
        key = grow(times(carry.h, w1))
        outputs = jax.lax.dynamic_update_index_in_dim(outputs, carry.h, t % slots, 0)
        keys = jax.lax.dynamic_update_index_in_dim(keys, key, t % slots, 0)
        after = Attending(carry, summary, outputs, keys, age + 1)
        return (after, gates), _Seen(carry.h, summary, key, query, share, before.c)

    begin = start(n, slots, width)
    ring = jnp.zeros((slots, n, width))
    begin = begin._replace(outputs=ring, keys=ring)
    inputs = jnp.arange(len(gates)), reset
    (end, squashed), seen = jax.lax.scan(one, (begin, pack(gates)), inputs)
    output = jnp.concatenate([seen.h, seen.summary], axis=-1).astype(dtype)
    return output, (weights, squashed, reset, end.outputs, end.keys, seen)


def _backward(
    slots: int, saved: tuple[Any, ...], doutput: Array
) -> tuple[Weights, Array, None]:
    weights, squashed, reset, outputs, keys, seen = saved
    width, dtype = doutput.shape[-1] // 2, doutput.dtype
    u, w1, w2 = (w.astype(dtype) for w in (weights.u, weights.w1, weights.w2))
    at = functools.partial(jax.lax.dynamic_index_in_dim, keepdims=False)
    put = functools.partial(jax.lax.dynamic_update_index_in_dim, axis=0)

    def one(now, inputs):
        (
            (dcarry, dsummary),
            (outputs, keys),
            rings,
            (drecalled, dkey),
            dv,
            gates,
            buffer,
        ) = now
        t, doutput, query, share, c, reset = inputs
        # the memory as it was before this step overwrote the slot
        long_ago = jnp.maximum(t - slots, 0)
        outputs = put(outputs, at(seen.h, long_ago), t % slots)
        keys = put(keys, at(seen.key, long_ago), t % slots)
        dkey, doutput = 4 * weights.v[None] * dkey, doutput.astype(jnp.float32)
        dsummary += doutput[:, width:]
        dshare = over_last(lambda i: outputs[..., i] * dsummary[None, :, i], width)
        dscore = share * (dshare - (share * dshare).sum(axis=0, keepdims=True))
        quotient = 1 / (1 + keys * query[None])
        slope = lambda i: dscore[i][:, None] * (quotient[i] - quotient[i] * quotient[i])
        dquery = 4 * weights.v[None] * over_slots(slope, slots)
        dv -= 2 * over_slots(lambda i: dscore[i][:, None] * quotient[i], slots)
        other = (jnp.arange(slots) != t % slots)[:, None, None]
        rings = (
            jnp.where(other, rings[0], 0.0) + share[..., None] * dsummary[None],
            jnp.where(other, rings[1], 0.0)
            + dscore[..., None] * (quotient - quotient * quotient),
        )
        # read after the write, for the step before: XLA copies a ring that is read on both sides
        later = tuple(at(ring, (t - 1) % slots) for ring in rings)
        dasked = times(dquery, w2)
        dh = (
            dcarry.h
            + doutput[:, :width]
            + drecalled
            + times(dkey, w1)
            + dasked[:, :width]
        )
        gates = unpack(gates).astype(jnp.float32)
        dgates, dc = recede(gates, c, Carry(dh, dcarry.c + dasked[:, width:]))
        buffer = put(buffer, pack(dgates.astype(dtype)), t)
        gates = at(buffer, jnp.maximum(t - 1, 0))
        dentered = times(dgates, u)
        dbefore = keep((Carry(dentered[:, :width], dc), dentered[:, width:]), reset)
        return (dbefore, (outputs, keys), rings, later, dv, gates, buffer), (
            dkey,
            dquery,
        )

    nothing = jnp.zeros(seen.h.shape[1:])
    begin = (
        (Carry(nothing, nothing), nothing),
        (outputs, keys),
        (jnp.zeros_like(outputs), jnp.zeros_like(keys)),
        (nothing, nothing),
        nothing,
        squashed[-1],
        squashed,
    )
    inputs = (jnp.arange(len(reset)), doutput, seen.query, seen.share, seen.c, reset)
    (*_, dv, _, dgates), (dkey, dquery) = jax.lax.scan(one, begin, inputs, reverse=True)

    dgates = unpack(dgates)
    total = lambda x, y: outer(x.astype(dtype), y.astype(dtype))
    i, f, g, _ = jnp.split(unpack(squashed), 4, axis=-1)
    joined = jnp.concatenate([seen.h, seen.summary], axis=-1)
    before = jnp.pad(joined[:-1], ((1, 0), (0, 0), (0, 0))) * ~reset[..., None]
    state = jnp.concatenate([seen.h, f * seen.c + i * g], axis=-1)
    dweights = Weights(
        u=total(before, dgates),
        b=dgates.sum(axis=(0, 1), dtype=jnp.float32),
        w1=total(seen.h, dkey),
        w2=total(state, dquery),
        v=dv.sum(axis=0),
    )
    return dweights, dgates, None


_unroll.defvjp(_forward, _backward)


def plain_at_first(
    rng: Key, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32
) -> Array:
    """Recurrent weights [2h, 4h]: an LSTM's for h, and none yet for the summary."""
    own = orthogonal_gates(rng, (shape[0] // 2, shape[1]), dtype)
    return jnp.concatenate([own, jnp.zeros_like(own)])


class AttendingLSTM(nn.Module):
    """One such layer: w [d, 4h] and `Weights`. `dtype` is that of matmuls; all else is float32."""

    width: int
    slots: int
    dtype: jnp.dtype | None = None
    matmul = True  # mixed precision may set `dtype` from outside

    @nn.compact
    def __call__(self, x: Array, reset: Array) -> Array:
        """Outputs (h, s) [t, b, 2h] for x [t, b, d]; begins anew where `reset` [t, b] holds."""
        h, draw = self.width, nn.initializers.lecun_normal()
        w = self.param("w", draw, (x.shape[-1], 4 * h))
        weights = Weights(
            u=self.param("u", plain_at_first, (2 * h, 4 * h)),
            b=self.param("b", remember, (4 * h,)),
            w1=self.param("w1", draw, (h, h)),
            w2=self.param("w2", draw, (2 * h, h)),
            v=self.param("v", nn.initializers.normal(h**-0.5), (h,)),
        )
        x = x.astype(self.dtype or x.dtype)
        return unroll(weights, dot(x, w.astype(x.dtype)), reset, self.slots)
