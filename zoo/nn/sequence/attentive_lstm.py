"""An LSTM that attends to its own last outputs (Bahdanau et al. 2015; Waite 2016).

At step t the layer has a memory of its last k outputs h_i. Its state (h_t, c_t) is the
query; the attended summary s_t is concatenated with h_t in the output, and in the
recurrent input of the next step's gates:

    u_i = v . tanh(W1 h_i + W2 (h_t, c_t)),    a = softmax(u),    s_t = sum_i a_i h_i.

Axes: t step, b batch, k slot of the memory, d input width, h state width. Inside
`unroll` the memory is a ring buffer [k, b, h]: step t is written to slot t mod k, and
nothing else moves.

Speed. tanh(x + y) = 1 - 2 / (1 + e^2x e^2y), and the softmax ignores the constant. With
e^2x kept for each output and e^2y computed once per step, a logit is a product and a
quotient. Reverse mode keeps no copy of the memory and recomputes the quotients; weight
gradients are matmuls after the scan; `sum_last` and `sum_slots` write sums out, at
which XLA is slow on a CPU. The layer alone, h 128, k 40, batch 128 x 511, CPU seconds
forward and backward: by the definition 6.6, in 4.6 GB; with weight gradients after the
scan 3.9, in 0.6 GB; with quotients and sums written out 2.4.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float, Key
from zoo.nn.bfloat16 import dot, outer, pack, unpack
from zoo.nn.sequence.lstm import (
    Carry,
    forget_gate_bias,
    gate_activations,
    matmul_transposed,
    orthogonal_gates,
    reset_rows,
    update_carry,
    update_carry_backward,
    zero_carry,
)

LANES = 16  # float32 numbers in the widest register of a CPU
MAX_EXPONENT = (
    20.0  # keys and queries are clipped to it: e^2x e^2y is finite, tanh is 1
)


class Weights(NamedTuple):
    """The weights of the layer, except those of its input."""

    u: Array  # [2h, 4h], from (h, s) of the step before to the gates
    b: Array  # [4h]
    w1: Array  # [h, h], outputs to keys
    w2: Array  # [2h, h], (h, c) to the query
    v: Array  # [h]


class AttentiveState(NamedTuple):
    """The state between steps; the first axis of every leaf is the row."""

    carry: Carry  # [b, h] each
    summary: Array  # [b, h], s of the step before
    outputs: Array  # [b, k, h]
    keys: Array  # [b, k, h], e^(2 W1 h_i)
    age: Array  # int [b], steps since the piece began: the next goes to slot age mod k


def initial_state(n: int, slots: int, width: int) -> AttentiveState:
    """Returns the state of `n` rows before a piece begins."""
    memory, summary = (
        jnp.zeros((n, slots, width), jnp.float32),
        jnp.zeros((n, width), jnp.float32),
    )
    age = jnp.zeros(n, jnp.int32)
    return AttentiveState(
        carry=zero_carry(n, width),
        summary=summary,
        outputs=memory,
        keys=memory,
        age=age,
    )


def exp_double(x: Array) -> Array:
    """Returns e^2x, clipped so that products of two are finite."""
    return jnp.exp(2 * jnp.clip(x, -MAX_EXPONENT, MAX_EXPONENT))


def sum_last(terms: Callable[[slice], Array], width: int) -> Array:
    """Returns the sum of an array [.., width] over its last axis.

    It is folded to the width of a register, then summed_gates by a matmul.

    Args:
      terms: slice of the last axis -> that slice of the array.
      width: of the last axis.
    """
    if width % LANES:
        return terms(slice(width)).sum(axis=-1)
    folded = sum(terms(slice(i, i + LANES)) for i in range(0, width, LANES))
    return jnp.dot(folded, jnp.ones(LANES, jnp.float32))


def sum_slots(terms: Callable[[int], Array], slots: int) -> Array:
    """Returns the sum of `terms(slot)` over the slots, without a loop."""
    return functools.reduce(jnp.add, map(terms, range(slots)))


def attention_weights(
    v: Array, keys: Array, query: Array, filled: Array, *, axis: int
) -> Array:
    """Returns the softmax over the slots of v . tanh(log(keys) / 2 + log(query) / 2).

    Args:
      v: [h].
      keys: e^2x of the keys, [.., h], with the slots as their `axis`.
      query: e^2y of the query, [.., h] without that axis.
      filled: bool, the slots to attend to; the weights are 0 where there are none.
      axis: of the slots.
    """
    query, v = jnp.expand_dims(query, axis), v[None, None]

    def terms(i: slice) -> Array:
        return -2 * v[..., i] / (1 + keys[..., i] * query[..., i])

    logits = jnp.where(filled, sum_last(terms, keys.shape[-1]), -jnp.inf)
    top = logits.max(axis=axis, keepdims=True)
    mass = jnp.exp(logits - jnp.maximum(top, -jnp.finfo(logits.dtype).max))
    total = mass.sum(axis=axis, keepdims=True)
    return mass / jnp.maximum(total, jnp.finfo(mass.dtype).tiny)


def attentive_step(
    weights: Weights, state: AttentiveState, gates: Array, reset: Bool[Array, " b"]
) -> tuple[AttentiveState, Float[Array, "b outputs"], Float[Array, "b k"]]:
    """Computes one step, by the definition.

    Args:
      weights: of the layer.
      state: after the step before.
      gates: the input's share of the gates [b, 4h].
      reset: where True, a piece begins and the state is reset.

    Returns:
      The state, the output (h, s) [b, 2h], and the attention weights of the slots.
    """
    before, summary = reset_rows((state.carry, state.summary), reset)
    age = jnp.where(reset, 0, state.age)
    slots = jnp.arange(state.keys.shape[1])[None]
    joined = jnp.concatenate([before.h, summary], axis=-1)
    gates = gates + joined @ weights.u + weights.b[None]
    carry = update_carry(before, gate_activations(gates))
    query = exp_double(jnp.concatenate(carry, axis=-1) @ weights.w2)
    filled = slots < age[:, None]
    attention = attention_weights(weights.v, state.keys, query, filled, axis=1)
    summary = jnp.einsum("bk,bkh->bh", attention, state.outputs)
    here = (slots == age[:, None] % slots.size)[..., None]
    outputs = jnp.where(here, carry.h[:, None], state.outputs)
    keys = jnp.where(here, exp_double(carry.h @ weights.w1)[:, None], state.keys)
    after = AttentiveState(
        carry=carry,
        summary=summary,
        outputs=outputs,
        keys=keys,
        age=age + 1,
    )
    return after, jnp.concatenate([carry.h, summary], axis=-1), attention


def unroll(
    weights: Weights,
    gates: Float[Array, "t b gates"],
    reset: Bool[Array, "t b"],
    slots: int,
) -> Float[Array, "t b outputs"]:
    """Runs the layer over whole rows: `attentive_step` in a loop, with a fast gradient.

    Args:
      weights: of the layer.
      gates: the input's share of the gates [t, b, 4h], whose dtype is that of the
        matmuls and of the outputs.
      reset: where True, a piece begins.
      slots: k, the number of last outputs that the layer attends to.

    Returns:
      The outputs (h, s) [t, b, 2h].
    """
    return _unroll(slots, weights, gates, reset)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _unroll(slots: int, weights: Weights, gates: Array, reset: Array) -> Array:
    return _forward(slots, weights, gates, reset)[0]


class _Saved(NamedTuple):
    """The values of each step [t, b, ..] that the backward scan needs."""

    h: Array
    summary: Array
    key: Array
    query: Array
    attention: Array  # [t, k, b]
    c: Array  # before the step


def _forward(
    slots: int, weights: Weights, gates: Array, reset: Array
) -> tuple[Array, tuple[Any, ...]]:
    n, width, dtype = gates.shape[1], gates.shape[2] // 4, gates.dtype
    u, w1, w2 = (w.T.astype(dtype) for w in (weights.u, weights.w1, weights.w2))

    def step(state, inputs):
        (carry, summary, outputs, keys, age), gates = state
        t, reset = inputs
        before, summary = reset_rows((carry, summary), reset)
        age = jnp.where(reset, 0, age)
        summed_gates = unpack(jax.lax.dynamic_index_in_dim(gates, t, keepdims=False))
        summed_gates += matmul_transposed(
            jnp.concatenate([before.h, summary], axis=-1), u
        )
        activated = gate_activations(summed_gates + weights.b[None])
        carry = update_carry(before, activated)
        gates = jax.lax.dynamic_update_index_in_dim(
            gates, pack(activated.astype(dtype)), t, 0
        )
        query = exp_double(matmul_transposed(jnp.concatenate(carry, axis=-1), w2))
        ago = (t - 1 - jnp.arange(slots)) % slots
        attention = attention_weights(
            weights.v, keys, query, ago[:, None] < age[None], axis=0
        )
        summary = sum_slots(lambda i: attention[i][:, None] * outputs[i], slots)
        key = exp_double(matmul_transposed(carry.h, w1))
        outputs = jax.lax.dynamic_update_index_in_dim(outputs, carry.h, t % slots, 0)
        keys = jax.lax.dynamic_update_index_in_dim(keys, key, t % slots, 0)
        after = AttentiveState(
            carry=carry,
            summary=summary,
            outputs=outputs,
            keys=keys,
            age=age + 1,
        )
        saved = _Saved(
            h=carry.h,
            summary=summary,
            key=key,
            query=query,
            attention=attention,
            c=before.c,
        )
        return (after, gates), saved

    begin = initial_state(n, slots, width)
    ring = jnp.zeros((slots, n, width), jnp.float32)
    begin = begin._replace(outputs=ring, keys=ring)
    inputs = jnp.arange(len(gates)), reset
    (end, activated), saved_steps = jax.lax.scan(step, (begin, pack(gates)), inputs)
    output = jnp.concatenate([saved_steps.h, saved_steps.summary], axis=-1).astype(
        dtype
    )
    return output, (weights, activated, reset, end.outputs, end.keys, saved_steps)


def _backward(
    slots: int, saved: tuple[Any, ...], doutput: Array
) -> tuple[Weights, Array, None]:
    weights, activated, reset, outputs, keys, saved_steps = saved
    width, dtype = doutput.shape[-1] // 2, doutput.dtype
    u, w1, w2 = (w.astype(dtype) for w in (weights.u, weights.w1, weights.w2))
    at = functools.partial(jax.lax.dynamic_index_in_dim, keepdims=False)
    put = functools.partial(jax.lax.dynamic_update_index_in_dim, axis=0)

    def step(state, inputs):
        (
            (dcarry, dsummary),
            (outputs, keys),
            rings,
            (dh_memory, dkey),
            dv,
            gates,
            buffer,
        ) = state
        t, doutput, query, attention, c, reset = inputs
        # the memory before this step overwrote the slot
        oldest = jnp.maximum(t - slots, 0)
        outputs = put(outputs, at(saved_steps.h, oldest), t % slots)
        keys = put(keys, at(saved_steps.key, oldest), t % slots)
        dkey, doutput = 4 * weights.v[None] * dkey, doutput.astype(jnp.float32)
        dsummary += doutput[:, width:]
        dattention = sum_last(lambda i: outputs[..., i] * dsummary[None, :, i], width)
        dlogits = attention * (
            dattention - (attention * dattention).sum(axis=0, keepdims=True)
        )
        quotient = 1 / (1 + keys * query[None])
        slope = lambda i: (
            dlogits[i][:, None] * (quotient[i] - quotient[i] * quotient[i])
        )
        dquery = 4 * weights.v[None] * sum_slots(slope, slots)
        dv -= 2 * sum_slots(lambda i: dlogits[i][:, None] * quotient[i], slots)
        other = (jnp.arange(slots) != t % slots)[:, None, None]
        rings = (
            jnp.where(other, rings[0], 0.0) + attention[..., None] * dsummary[None],
            jnp.where(other, rings[1], 0.0)
            + dlogits[..., None] * (quotient - quotient * quotient),
        )
        # Read after the write, for the step before: XLA copies a buffer that is read on
        # both sides of a write.
        next_rings = tuple(at(ring, (t - 1) % slots) for ring in rings)
        dstate = matmul_transposed(dquery, w2)
        dh = (
            dcarry.h
            + doutput[:, :width]
            + dh_memory
            + matmul_transposed(dkey, w1)
            + dstate[:, :width]
        )
        gates = unpack(gates).astype(jnp.float32)
        dgates, dc = update_carry_backward(
            gates, c, Carry(dh, dcarry.c + dstate[:, width:])
        )
        buffer = put(buffer, pack(dgates.astype(dtype)), t)
        gates = at(buffer, jnp.maximum(t - 1, 0))
        djoined = matmul_transposed(dgates, u)
        dbefore = reset_rows((Carry(djoined[:, :width], dc), djoined[:, width:]), reset)
        return (dbefore, (outputs, keys), rings, next_rings, dv, gates, buffer), (
            dkey,
            dquery,
        )

    zero = jnp.zeros(saved_steps.h.shape[1:], jnp.float32)
    begin = (
        (Carry(zero, zero), zero),
        (outputs, keys),
        (jnp.zeros_like(outputs), jnp.zeros_like(keys)),
        (zero, zero),
        zero,
        activated[-1],
        activated,
    )
    inputs = (
        jnp.arange(len(reset)),
        doutput,
        saved_steps.query,
        saved_steps.attention,
        saved_steps.c,
        reset,
    )
    (*_, dv, _, dgates), (dkey, dquery) = jax.lax.scan(
        step, begin, inputs, reverse=True
    )

    dgates = unpack(dgates)
    outer_product = lambda x, y: outer(x.astype(dtype), y.astype(dtype))
    i, f, g, _ = jnp.split(unpack(activated), 4, axis=-1)
    joined = jnp.concatenate([saved_steps.h, saved_steps.summary], axis=-1)
    before = jnp.pad(joined[:-1], ((1, 0), (0, 0), (0, 0)))
    before *= (~reset[..., None]).astype(before.dtype)
    state = jnp.concatenate([saved_steps.h, f * saved_steps.c + i * g], axis=-1)
    dweights = Weights(
        u=outer_product(before, dgates),
        b=dgates.sum(axis=(0, 1), dtype=jnp.float32),
        w1=outer_product(saved_steps.h, dkey),
        w2=outer_product(state, dquery),
        v=dv.sum(axis=0),
    )
    return dweights, dgates, None


_unroll.defvjp(_forward, _backward)


def recurrent_weights(
    rng: Key, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32
) -> Array:
    """Initialises recurrent weights [2h, 4h]: orthogonal for h, 0 for the summary."""
    recurrent = orthogonal_gates(rng, (shape[0] // 2, shape[1]), dtype)
    return jnp.concatenate([recurrent, jnp.zeros_like(recurrent)])


class AttentiveLSTM(nn.Module):
    """An attentive layer with weights w [d, 4h] of its input, and `Weights`.

    Attributes:
      width: of the state.
      slots: the number of last outputs that the layer attends to.
      dtype: of the matmuls; all else is float32.
      matmul: marks the layer for mixed precision, which sets its `dtype`.
    """

    width: int
    slots: int
    dtype: jnp.dtype | None = None
    matmul = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "t b d"], reset: Bool[Array, "t b"]
    ) -> Float[Array, "t b outputs"]:
        """Returns the outputs (h, s) [t, b, 2h]; a piece begins where `reset`."""
        h, init = self.width, nn.initializers.lecun_normal()
        w = self.param("w", init, (x.shape[-1], 4 * h), jnp.float32)
        weights = Weights(
            u=self.param("u", recurrent_weights, (2 * h, 4 * h), jnp.float32),
            b=self.param("b", forget_gate_bias, (4 * h,), jnp.float32),
            w1=self.param("w1", init, (h, h), jnp.float32),
            w2=self.param("w2", init, (2 * h, h), jnp.float32),
            v=self.param("v", nn.initializers.normal(h**-0.5), (h,), jnp.float32),
        )
        x = x.astype(self.dtype or x.dtype)
        return unroll(weights, dot(x, w.astype(x.dtype)), reset, self.slots)
