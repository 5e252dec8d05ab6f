"""A distribution over sets of keys, one key after another (NADE; Larochelle & Murray 2011).

With hidden units that have heard the keys below it, key i sounds with probability

    p(x_i = 1 | x_<i) = sigmoid(b_i + V_i . sigmoid(c + sum_{j<i} x_j W_j)).

Hidden units change only where a key sounds, so all keys between two that do share theirs: a frame
of m notes takes m + 1 matmuls rather than a step for each of 88 keys, and the loop runs as often as
the fullest frame of the batch needs. Drawing does the same, key by key only where one sounds. The
biases may differ from frame to frame. Axes: n frames, k keys, from the first to the last, d hidden.

For 3,200 frames of up to 8 notes and 128 hidden units, forward and backward on two CPU cores, that
takes a sixth of the time of a scan over 88 keys which keeps nothing.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.core import Array


def below(x: Array) -> Array:
    """How many keys sound below each: int32 [n, k] of x [n, k]."""
    x = (x > 0).astype(jnp.int32)
    return jnp.cumsum(x, axis=-1) - x


def _hidden(w: Array, c: Array, heard: Array) -> Array:
    """Hidden units [n, d] that have heard the keys `heard` [n, k]."""
    heard = heard.astype(w.dtype)
    return jax.nn.sigmoid(c + jnp.dot(heard, w, preferred_element_type=jnp.float32))


def _answer(v: Array, b: Array, hidden: Array) -> Array:
    """Logits [n, k] of every key by the same hidden units."""
    return b + jnp.dot(hidden.astype(v.dtype), v.T, preferred_element_type=jnp.float32)


@jax.custom_vjp
def logits(w: Array, v: Array, b: Array, c: Array, x: Array) -> Array:
    """The logit of each key given those below it.

    Args:
      w: weights from keys to hidden units [k, d], whose dtype is that of the matmuls.
      v: weights from hidden units to keys [k, d].
      b: biases of keys [n, k], float32.
      c: biases of hidden units [n, d], float32.
      x: which keys sound [n, k], 0 or 1, bool or an integer type.

    Returns:
      float32 [n, k].
    """
    count = below(x)

    def one(m: Array, found: Array) -> Array:
        answer = _answer(v, b, _hidden(w, c, (count < m) & (x > 0)))
        return jnp.where(count == m, answer, found)

    return jax.lax.fori_loop(0, count.max() + 1, one, jnp.zeros_like(b))


def _forward(*inputs: Array) -> tuple[Array, tuple[Array, ...]]:
    return logits(*inputs), inputs


def _backward(inputs: tuple[Array, ...], dlogits: Array) -> tuple[Any, ...]:
    w, v, _, c, x = inputs
    count = below(x)
    into = lambda rows, columns: jnp.dot(
        rows.T, columns, preferred_element_type=jnp.float32
    )

    def one(m: Array, sums: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        dw, dv, dc = sums
        heard = ((count < m) & (x > 0)).astype(w.dtype)
        hidden = _hidden(w, c, heard)
        due = jnp.where(count == m, dlogits, 0.0).astype(v.dtype)
        dhidden = jnp.dot(due, v, preferred_element_type=jnp.float32)
        da = dhidden * hidden * (1 - hidden)
        dw = dw + into(heard, da.astype(w.dtype))
        return dw, dv + into(due, hidden.astype(v.dtype)), dc + da

    zeros = jax.tree.map(lambda like: jnp.zeros(like.shape, jnp.float32), (w, v, c))
    dw, dv, dc = jax.lax.fori_loop(0, count.max() + 1, one, zeros)
    return dw.astype(w.dtype), dv.astype(v.dtype), dlogits, dc, None


logits.defvjp(_forward, _backward)


def draw_keys(
    choose: Callable[[Array], Array], w: Array, v: Array, b: Array, c: Array
) -> Array:
    """Draws a frame for each row, exactly, from the first key to the last.

    `choose(logits [n, k])` says for every key whether it would sound, bool [n, k], and must answer
    a logit alike each time it is asked. Arguments as of `logits`; returns bool [n, k].
    """
    keys = jnp.arange(b.shape[-1])[None]

    def unfinished(now: tuple[Array, Array]) -> Array:
        return (now[1] < keys.shape[-1]).any()

    def one(now: tuple[Array, Array]) -> tuple[Array, Array]:
        x, start = now  # nothing has been decided from key `start` [n] on
        sounds = choose(_answer(v, b, _hidden(w, c, x))) & (keys >= start[:, None])
        first = jnp.where(sounds.any(axis=-1), sounds.argmax(axis=-1), keys.shape[-1])
        return x | (keys == first[:, None]), first + 1

    silent = jnp.zeros(b.shape, bool), jnp.zeros(b.shape[:1], jnp.int32)
    return jax.lax.while_loop(unfinished, one, silent)[0]


class NADE(nn.Module):
    """Weights w, v [k, d] of `logits`. `dtype` is that of matmuls; all else is float32."""

    keys: int
    hidden: int
    dtype: jnp.dtype | None = None
    matmul = True  # mixed precision may set `dtype` from outside

    @nn.compact
    def __call__(self, b: Array, c: Array, x: Array) -> Array:
        """Logits [n, k] of the keys x [n, k] under biases b [n, k] and c [n, d]."""
        shape = (self.keys, self.hidden)
        w = self.param("w", nn.initializers.lecun_normal(), shape)
        v = self.param("v", nn.initializers.lecun_normal(), shape)
        dtype = self.dtype or w.dtype
        biases = b.astype(jnp.float32), c.astype(jnp.float32)
        return logits(w.astype(dtype), v.astype(dtype), *biases, x)
