"""An LSTM that attends to a memory by content and by location.

J. Chorowski et al.: Attention-based models for speech recognition, arXiv:1506.07503,
2015; J. Shen et al. (Tacotron 2), arXiv:1712.05884, 2018. Guided attention: H.
Tachibana et al., arXiv:1710.08969, 2018.

The output h_u of the layer is the query. The logit of token i is

    e_ui = v . tanh(W h_u + V m_i + F f_ui),

where f are convolutions of the weights of the step before and of their sum over all
steps. The context, which is the mean of the memory m by the weights, is an input of the
next step. Axes: u step, b row, t token, d width of inputs, c width of the memory, h
width of the state, a width of the attention.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float, Int, Tree
from zoo.nn.bfloat16 import dot
from zoo.nn.dense import NEG_INF
from zoo.nn.sequence.lstm import (
    Carry,
    forget_gate_bias,
    gate_activations,
    orthogonal_gates,
    update_carry,
    zero_carry,
)


class Memory(NamedTuple):
    """The encoded tokens that are attended to."""

    values: Float[Array, "b t c"]
    keys: Float[Array, "b t a"]
    mask: Bool[Array, "b t"]


class LocationState(NamedTuple):
    """The state between steps; the first axis of every leaf is the row."""

    carry: Carry
    context: Float[Array, "b c"]
    weights: Float[Array, "b t"]  # of the step before
    total: Float[Array, "b t"]  # of all steps


def initial_state(memory: Memory, width: int) -> LocationState:
    """Returns the state before the first step."""
    (n, tokens, size) = memory.values.shape
    none = jnp.zeros((n, tokens), jnp.float32)
    context = jnp.zeros((n, size), jnp.float32)
    return LocationState(zero_carry(n, width), context, weights=none, total=none)


def location_features(state: LocationState, taps: int) -> Float[Array, "b t taps"]:
    """Returns the weights around each token, those of the last step and their sum."""
    pad = ((0, 0), (taps // 2, taps - 1 - taps // 2))
    count = state.weights.shape[1]
    both = [jnp.pad(x, pad) for x in (state.weights, state.total)]
    return jnp.stack([x[:, i : i + count] for x in both for i in range(taps)], axis=-1)


def location_step(
    layer: Tree,
    state: LocationState,
    gates: Float[Array, "b gates"],
    memory: Memory,
    *,
    ahead: int | None = None,
) -> LocationState:
    """Computes one step.

    Args:
      layer: the parameters of a `LocationLSTM`.
      state: after the step before.
      gates: the input's share of the gates [b, 4h].
      memory: the tokens.
      ahead: tokens by which the attention may advance in a step, and then it never goes
        back; None for no limits.
    """
    joined = jnp.concatenate([state.carry.h, state.context], axis=-1)
    gates = gates + joined @ layer["u"] + layer["b"][None]
    carry = update_carry(state.carry, gate_activations(gates))
    near = location_features(state, len(layer["location"]) // 2) @ layer["location"]
    hidden = (carry.h @ layer["query"])[:, None] + memory.keys + near
    logits = jnp.tanh(hidden) @ layer["v"]
    open_ = memory.mask
    if ahead is not None:
        last = state.weights.argmax(axis=-1)[:, None]
        tokens = jnp.arange(open_.shape[1])[None]
        final = open_.sum(axis=-1)[:, None] - 1
        last = jnp.minimum(last, final)
        open_ = open_ & (tokens >= last) & (tokens <= last + ahead)
    weights = jax.nn.softmax(jnp.where(open_, logits, NEG_INF), axis=-1)
    context = jnp.einsum("bt,btc->bc", weights, memory.values)
    return LocationState(carry, context, weights=weights, total=state.total + weights)


class LocationLSTM(nn.Module):
    """An attentive layer, with weights w [d, 4h] of its input.

    Attributes:
      width: of the state.
      attention: the width of the attention.
      taps: of the convolutions of earlier weights.
      dtype: of the matmul of the inputs; all else is float32.
      matmul: marks the layer for mixed precision, which sets its `dtype`.
    """

    width: int
    attention: int
    taps: int
    dtype: jnp.dtype | None = None
    matmul = True

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "u b d"],
        memory: Memory,
        state: LocationState | None = None,
        ahead: int | None = None,
    ) -> tuple[LocationState, tuple[Array, Array, Array]]:
        """Runs the layer over some steps.

        Args:
          x: inputs.
          memory: the tokens.
          state: before the first step.
          ahead: see `location_step`.

        Returns:
          The state after the last step; and of all steps, the outputs [u, b, h],
          contexts [u, b, c] and attention weights [u, b, t].
        """
        init, size = nn.initializers.lecun_normal(), memory.values.shape[-1]
        shapes = {
            "w": (x.shape[-1], 4 * self.width),
            "query": (self.width, self.attention),
            "location": (2 * self.taps, self.attention),
        }
        layer = {k: self.param(k, init, s, jnp.float32) for k, s in shapes.items()}
        layer["u"] = self.param("u", recurrent_weights, (self.width, size))
        layer["b"] = self.param("b", forget_gate_bias, (4 * self.width,), jnp.float32)
        normal = nn.initializers.normal(self.attention**-0.5)
        layer["v"] = self.param("v", normal, (self.attention,), jnp.float32)
        dtype = self.dtype or x.dtype
        gates = dot(x.astype(dtype), layer["w"].astype(dtype)).astype(jnp.float32)

        def step(state: LocationState, gates: Array):
            state = location_step(layer, state, gates, memory, ahead=ahead)
            return state, (state.carry.h, state.context, state.weights)

        start = initial_state(memory, self.width) if state is None else state
        return jax.lax.scan(step, start, gates)


def recurrent_weights(rng: Array, shape: tuple[int, int]) -> Array:
    """Initialises the weights [h + c, 4h] of the state and of the context."""
    width, size = shape
    first, second = jax.random.split(rng)
    init = nn.initializers.lecun_normal()
    context = init(second, (size, 4 * width), jnp.float32)
    return jnp.concatenate([orthogonal_gates(first, (width, 4 * width)), context])


def guided_penalty(
    weights: Float[Array, "b u t"],
    tokens: Int[Array, " b"],
    steps: Int[Array, " b"],
    width: float = 0.2,
) -> Float[Array, "b u"]:
    """Returns how far the attention of each step is from the diagonal, from 0 to 1.

    It is the mean over the tokens, by their weights, of the penalty of Tachibana et
    al., 1 - exp(-(i / N - u / T)^2 / 2 g^2).

    Args:
      weights: of attention.
      tokens: N, the tokens of each row.
      steps: T, the steps of each row.
      width: g, the width of the diagonal.
    """
    per_token, per_step = (
        1 / jnp.maximum(x, 1).astype(jnp.float32) for x in (tokens, steps)
    )
    i = jnp.arange(weights.shape[2], dtype=jnp.float32)[None, None]
    u = jnp.arange(weights.shape[1], dtype=jnp.float32)[None, :, None]
    distance = i * per_token[:, None, None] - u * per_step[:, None, None]
    penalty = 1 - jnp.exp(-distance * distance / (2 * width * width))
    return (weights * penalty).sum(axis=-1)
