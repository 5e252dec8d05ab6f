"""Long short-term memory, unrolled fast (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

Axes: t step, b batch, d input width, h state width. Everything is time-major, [t, b, ...]: a step
is then one contiguous slice, and nothing is transposed on the way in, out or back.

The input's share of the gates, x W + b, needs no recurrence: one matmul makes it for all steps, and
the scan keeps h U alone. Reverse-mode differentiation of such a scan would add up dU step by step,
reading and writing all of it each time; `unroll` saves its gates, scans back for their gradient
alone, and makes dU afterwards in one matmul. Second-order gradients go through it in reverse mode
(`grad` of `grad`); for forward mode (`jvp`, `linearize`) use `unroll_plain`, which is the same
function without the custom rule.
"""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Key

UNROLL = 2


class Carry(NamedTuple):
    """What one step hands to the next, float32: output `h` and memory `c`, each [b, h]."""

    h: Array
    c: Array


def zeros(n: int, width: int) -> Carry:
    """The state before a piece begins."""
    return Carry(jnp.zeros((n, width)), jnp.zeros((n, width)))


def keep(carry: Carry, reset: Array) -> Carry:
    """`carry` with the rows where `reset` [b] holds put back to the start."""
    return jax.tree.map(lambda x: jnp.where(reset[:, None], 0.0, x), carry)


def cell(carry: Carry, gates: Array) -> tuple[Carry, Array]:
    """One step from its summed gates [b, 4h] in the order i, f, g, o; also returns them squashed."""
    i, f, g, o = jnp.split(gates.astype(jnp.float32), 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    c = f * carry.c + i * g
    return Carry(o * jnp.tanh(c), c), jnp.concatenate([i, f, g, o], axis=-1)


def _dot(x: Array, u: Array) -> Array:
    return jnp.dot(x.astype(u.dtype), u, preferred_element_type=jnp.float32)


def _forward(u: Array, gates: Array, carry: Carry, reset: Array | None):
    u = u.astype(gates.dtype)

    def step(carry: Carry, now):
        gates, reset = now
        before = carry if reset is None else keep(carry, reset)
        carry, squashed = cell(before, gates + _dot(before.h, u))
        return carry, (carry.h.astype(gates.dtype), before, squashed.astype(gates.dtype))

    return jax.lax.scan(step, carry, (gates, reset), unroll=UNROLL)


def unroll_plain(u: Array, gates: Array, carry: Carry, reset: Array | None = None):
    """`unroll` as the definition reads, differentiable in every mode and slower in reverse."""
    carry, (outputs, _, _) = _forward(u, gates, carry, reset)
    return carry, outputs


@jax.custom_vjp
def unroll(
    u: Array, gates: Array, carry: Carry, reset: Array | None = None
) -> tuple[Carry, Array]:
    """Runs an LSTM over the input's share of its gates.

    Args:
      u: recurrent weights [h, 4h], gates in the order i, f, g, o.
      gates: x W + b, [t, b, 4h]; its dtype is that of the recurrent matmul and of the outputs.
      carry: the state before the first step.
      reset: bool [t, b]; where it holds, the state is zeroed before that step.

    Returns:
      The state after the last step, and the outputs [t, b, h].
    """
    return unroll_plain(u, gates, carry, reset)


def _unroll_forward(u, gates, carry, reset):
    carry, (outputs, before, squashed) = _forward(u, gates, carry, reset)
    return (carry, outputs), (u, before, squashed, reset)


def _unroll_backward(saved, cotangents):
    u, before, squashed, reset = saved
    dtype = squashed.dtype
    back = u.T.astype(dtype)

    def step(carry: Carry, now):
        dy, c, squashed, reset = now
        i, f, g, o = jnp.split(squashed.astype(jnp.float32), 4, axis=-1)
        tanh = jnp.tanh(f * c + i * g)
        dh = carry.h + dy.astype(jnp.float32)
        dc = carry.c + dh * o * (1 - tanh * tanh)
        dgates = jnp.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c * f * (1 - f),
                dc * i * (1 - g * g),
                dh * tanh * o * (1 - o),
            ],
            axis=-1,
        ).astype(dtype)
        carry = Carry(_dot(dgates, back), dc * f)
        return (carry if reset is None else keep(carry, reset)), dgates

    dcarry, doutputs = cotangents
    inputs = (doutputs, before.c, squashed, reset)
    dcarry, dgates = jax.lax.scan(step, dcarry, inputs, reverse=True, unroll=UNROLL)
    du = jnp.einsum(
        "tbh,tbg->hg", before.h.astype(dtype), dgates, preferred_element_type=jnp.float32
    )
    return du.astype(u.dtype), dgates, dcarry, None


unroll.defvjp(_unroll_forward, _unroll_backward)


def orthogonal_gates(rng: Key, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32) -> Array:
    """Recurrent weights [h, 4h], orthogonal for each gate."""
    one = functools.partial(nn.initializers.orthogonal(), shape=(shape[0], shape[0]), dtype=dtype)
    return jnp.concatenate([one(key) for key in jax.random.split(rng, 4)], axis=-1)


def remember(rng: Key, shape: tuple[int], dtype: jnp.dtype = jnp.float32) -> Array:
    """Gate biases [4h]: zero, but one for the forget gate (Jozefowicz et al. 2015)."""
    return jnp.zeros(shape, dtype).reshape(4, -1).at[1].set(1.0).reshape(shape)


class LSTMLayer(nn.Module):
    """One layer: x [t, b, d] -> [t, b, width]. The dtype is that of both matmuls; gates are float32."""

    width: int
    dtype: jnp.dtype | None = None

    def setup(self) -> None:
        self.input = nn.Dense(4 * self.width, bias_init=remember, dtype=self.dtype)
        self.u = self.param("u", orthogonal_gates, (self.width, 4 * self.width))

    def __call__(
        self, x: Array, carry: Carry | None = None, reset: Array | None = None
    ) -> tuple[Carry, Array]:
        carry = zeros(x.shape[1], self.width) if carry is None else carry
        return unroll(self.u, self.input(x), carry, reset)

    def mixed(self) -> tuple[Array, Array]:
        """Weights [d + h, 4h] and bias [4h] for x and h side by side: one matmul a step."""
        dense = self.input.variables["params"]
        return jnp.concatenate([dense["kernel"], self.u]), dense["bias"]
