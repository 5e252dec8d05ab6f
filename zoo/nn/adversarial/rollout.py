"""Monte Carlo search for the values of prefixes (Yu et al. 2017, arXiv:1609.05473).

Completions continue from a state that has read the prefix, so that a prefix is read
once, not once per completion. Axes: b sequence, t step, k attribute of a row, n
completion.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from zoo.core import Array, Float, Int, Key

State = TypeVar("State")
Stepper = Callable[[Any, Array, Array], tuple[Any, Array]]
"""(state, previous row [n, k], uniforms [n, k]) -> (state, next row int [n, k])."""


def complete(
    step: Stepper,
    state: State,
    rows: Int[Array, "n t k"],
    *,
    kept: Array,
    rng: Key,
) -> Int[Array, "n t k"]:
    """Draws the rows after the first `kept`, of which there is at least one.

    Args:
      state: before `step` reads row `kept - 1`.
    """

    def draw_row(t: Array, state: tuple[State, Array]) -> tuple[State, Array]:
        row_state, rows = state
        u = jax.random.uniform(
            jax.random.fold_in(rng, t), rows[:, 0].shape, jnp.float32
        )
        before = jax.lax.dynamic_index_in_dim(rows, t - 1, 1, keepdims=False)
        row_state, row = step(row_state, before, u)
        return row_state, jax.lax.dynamic_update_index_in_dim(rows, row, t, 1)

    return jax.lax.fori_loop(kept, rows.shape[1], draw_row, (state, rows))[1]


def monte_carlo_search(
    step: Stepper,
    states: State,
    rows: Int[Array, "b t k"],
    *,
    verdict: Callable[[Array], Array],
    rng: Key,
    rollouts: int,
) -> Float[Array, "b t"]:
    """Returns the mean verdict on `rollouts` completions of each prefix (eq. 4).

    All prefixes run in one loop, whose body is compiled once. The value of a whole
    sequence is its own verdict.

    Args:
      step: draws the next row, for b `rollouts` sequences.
      states: [t, b, ..], before `step` reads the row before each.
      rows: the sequences.
      verdict: sequences [n, t, k] -> verdicts [n].
    """

    def prefix_value(kept: Array) -> Array:
        state = jax.tree.map(lambda x: jnp.repeat(x[kept], rollouts, axis=0), states)
        repeated = jnp.repeat(rows, rollouts, axis=0)
        key = jax.random.fold_in(rng, kept)
        completed = complete(step, state, repeated, kept=kept, rng=key)
        return verdict(completed).reshape(-1, rollouts).mean(axis=1)

    values = jax.lax.map(prefix_value, jnp.arange(1, rows.shape[1]))
    return jnp.concatenate([values.T, verdict(rows)[:, None]], axis=1)
