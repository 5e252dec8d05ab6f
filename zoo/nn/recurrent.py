"""Long short-term memory, unrolled fast (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

Axes: t step, b batch, d input width, h state width. Everything is time-major, [t, b, ...]: a step
is then one contiguous slice, and nothing is transposed on the way in, out or back.

The input's share of the gates, x W, needs no recurrence: one matmul makes it for all steps, and the
scan keeps h U alone. Reverse-mode differentiation of such a scan would add up dU step by step,
reading and writing all of it each time; `unroll` saves its gates, scans back for their gradient
alone, and makes dU afterwards in one matmul. It is differentiable in reverse mode to any order; for
forward mode (`jvp`), and for second order at speed, use `unroll_plain`: the same function without
the custom rule.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Key
from zoo.nn.embed import lookup


class Carry(NamedTuple):
    """What one step hands to the next, float32: output `h` and memory `c`, each [b, h]."""

    h: Array
    c: Array


def zeros(n: int, width: int) -> Carry:
    """The state before a piece begins."""
    return Carry(jnp.zeros((n, width)), jnp.zeros((n, width)))


def keep(carry: Carry, reset: Array | None) -> Carry:
    """`carry` with the rows where `reset` [b] holds put back to the start."""
    if reset is None:
        return carry
    return jax.tree.map(lambda x: jnp.where(reset[:, None], 0.0, x), carry)


def squash(gates: Array) -> Array:
    """Summed gates [b, 4h] in the order i, f, g, o: tanh for g, and for the others the sigmoid.

    Since sigmoid(x) = (tanh(x / 2) + 1) / 2, one tanh serves all four, with no seam between them.
    """
    width = gates.shape[-1] // 4
    scale = jnp.where(jnp.arange(4 * width) // width == 2, 1.0, 0.5)[None]
    return jnp.tanh(gates * scale) * scale + (1 - scale)


def advance(carry: Carry, squashed: Array) -> Carry:
    """One step from squashed gates [b, 4h]."""
    i, f, g, o = jnp.split(squashed, 4, axis=-1)
    c = f * carry.c + i * g
    return Carry(o * jnp.tanh(c), c)


def _dot(x: Array, u: Array) -> Array:
    return jnp.dot(x.astype(u.dtype), u, preferred_element_type=jnp.float32)


def unroll_plain(
    u: Array, b: Array, gates: Array, carry: Carry, reset: Array | None = None
) -> tuple[Carry, Array]:
    """`unroll` as the definition reads, differentiable in every mode and slower in reverse."""
    u = u.astype(gates.dtype)

    def step(carry: Carry, now: tuple[Array, Array | None]) -> tuple[Carry, Array]:
        gates, reset = now
        carry = keep(carry, reset)
        carry = advance(carry, squash(gates + _dot(carry.h, u) + b[None]))
        return carry, carry.h.astype(gates.dtype)

    return jax.lax.scan(step, carry, (gates, reset))


@jax.custom_vjp
def unroll(
    u: Array, b: Array, gates: Array, carry: Carry, reset: Array | None = None
) -> tuple[Carry, Array]:
    """Runs an LSTM over the input's share of its gates.

    Args:
      u: recurrent weights [h, 4h], gates in the order i, f, g, o.
      b: biases [4h].
      gates: x W, [t, b, 4h]; its dtype is that of the recurrent matmul and of the outputs.
      carry: the state before the first step.
      reset: bool [t, b]; where it holds, the state is zeroed before that step.

    Returns:
      The state after the last step, and the outputs [t, b, h].
    """
    return _unroll_forward(u, b, gates, carry, reset)[0]


def _unroll_forward(u: Array, b: Array, gates: Array, carry: Carry, reset: Array | None):
    weights = u.astype(gates.dtype)

    def step(now: tuple[Carry, Array], inputs: tuple[Array, Array | None]):
        carry, gates = now
        t, reset = inputs
        before = keep(carry, reset)
        summed = jax.lax.dynamic_index_in_dim(gates, t, keepdims=False) + _dot(before.h, weights)
        squashed = squash(summed + b[None])
        carry = advance(before, squashed)
        # squashed gates take the place of summed ones: no second buffer of this size, which XLA
        # would fill with zeros first
        gates = jax.lax.dynamic_update_index_in_dim(gates, squashed.astype(gates.dtype), t, 0)
        return (carry, gates), (carry.h.astype(gates.dtype), before.c)

    start = carry
    inputs = (jnp.arange(gates.shape[0]), reset)
    (carry, squashed), (outputs, c) = jax.lax.scan(step, (carry, gates), inputs)
    return (carry, outputs), (u, squashed, start.h, outputs, c, reset)


def _unroll_backward(saved, cotangents):
    u, squashed, h, outputs, c, reset = saved
    dtype = squashed.dtype
    back = u.T.astype(dtype)
    steps = jnp.arange(squashed.shape[0])

    def step(now, inputs):
        dcarry, db, gates, buffer = now
        t, dy, c, reset = inputs
        i, f, g, o = jnp.split(gates.astype(jnp.float32), 4, axis=-1)
        tanh = jnp.tanh(f * c + i * g)
        dh = dcarry.h + dy.astype(jnp.float32)
        dc = dcarry.c + dh * o * (1 - tanh * tanh)
        di, df, dg, do = dc * g, dc * c, dc * i, dh * tanh
        summed = [di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)]
        dgates = jnp.concatenate(summed, axis=-1)
        # again in place. The next step's gates are read here, after the write: XLA copies the
        # whole buffer at every step where it cannot see that all reads of it come before
        buffer = jax.lax.dynamic_update_index_in_dim(buffer, dgates.astype(dtype), t, 0)
        gates = jax.lax.dynamic_index_in_dim(buffer, jnp.maximum(t - 1, 0), keepdims=False)
        dcarry = keep(Carry(_dot(dgates, back), dc * f), reset)
        return (dcarry, db + dgates, gates, buffer), None

    dcarry, doutputs = cotangents
    start = (dcarry, jnp.zeros(squashed.shape[1:]), squashed[-1], squashed)
    (dcarry, db, _, dgates), _ = jax.lax.scan(
        step, start, (steps, doutputs, c, reset), reverse=True
    )
    before = jnp.concatenate([h.astype(dtype)[None], outputs[:-1]])
    if reset is not None:
        before = jnp.where(reset[:, :, None], jnp.zeros((), dtype), before)
    return _weights_gradient(before, dgates, u), db.sum(axis=0), dgates, dcarry, None


unroll.defvjp(_unroll_forward, _unroll_backward)


def _weights_gradient(x: Array, dy: Array, w: Array) -> Array:
    axes = tuple(range(x.ndim - 1))
    over = (axes, axes), ((), ())
    return jax.lax.dot_general(x, dy, over, preferred_element_type=jnp.float32).astype(w.dtype)


@jax.custom_vjp
def project(x: Array, w: Array) -> Array:
    """x @ w for x [..., d], in the dtype of x.

    Its own gradient, because the order in which JAX would write dw makes XLA transpose dy, the
    largest array in sight, before it multiplies.
    """
    return jnp.dot(x, w.astype(x.dtype))


def _project_forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    return project(x, w), (x, w)


def _project_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, w = saved
    return jnp.dot(dy, w.astype(dy.dtype).T), _weights_gradient(x, dy, w)


project.defvjp(_project_forward, _project_backward)


def orthogonal_gates(rng: Key, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32) -> Array:
    """Recurrent weights [h, 4h], orthogonal for each gate."""
    draw = nn.initializers.orthogonal()
    gates = [draw(key, (shape[0], shape[0]), dtype) for key in jax.random.split(rng, 4)]
    return jnp.concatenate(gates, axis=-1)


def remember(rng: Key, shape: tuple[int], dtype: jnp.dtype = jnp.float32) -> Array:
    """Gate biases [4h]: zero, but one for the forget gate (Jozefowicz et al. 2015)."""
    return jnp.zeros(shape, dtype).reshape(4, -1).at[1].set(1.0).reshape(shape)


class LSTMLayer(nn.Module):
    """One layer: w [d, 4h], u [h, 4h], b [4h]. `dtype` is that of matmuls; gates are float32."""

    width: int
    dtype: jnp.dtype | None = None
    matmul = True  # mixed precision may set `dtype` from outside

    @nn.compact
    def __call__(
        self,
        x: Array,
        carry: Carry | None = None,
        reset: Array | None = None,
        rows: Array | None = None,
    ) -> tuple[Carry, Array]:
        """Runs over x [t, b, d]; with `rows` int [t, b], over the rows of a table x [v, d].

        The latter multiplies the table by the input weights, instead of each occurrence of a row.
        """
        w = self.param("w", nn.initializers.lecun_normal(), (x.shape[-1], 4 * self.width))
        u = self.param("u", orthogonal_gates, (self.width, 4 * self.width))
        b = self.param("b", remember, (4 * self.width,))
        gates = project(x.astype(self.dtype or x.dtype), w)
        gates = gates if rows is None else lookup(gates, rows)
        carry = zeros(gates.shape[1], self.width) if carry is None else carry
        return unroll(u, b, gates, carry, reset)
