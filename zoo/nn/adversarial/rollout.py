"""What an unfinished sequence is worth: the verdict on its completions (Yu et al. 2017, eq. 4).

Whoever is to complete it goes on from a state that has read it, so a prefix is read once and not
once for each completion. Axes: b sequence, t step, k value of a row, n completion.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from zoo.core import Array, Key

State = TypeVar("State")
Go = Callable[[State, Array, Array], tuple[State, Array]]
"""(state, the row before [n, k], uniform numbers [n, k]) -> state, the next row [n, k]."""


def complete(go: Go, state: State, rows: Array, kept: Array, rng: Key) -> Array:
    """Rows [n, t, k] of which the first `kept` stay, at least one, and the others are drawn.

    Args:
      state: of whoever draws, before it reads row `kept - 1`.
    """

    def one(t: Array, now: tuple[State, Array]) -> tuple[State, Array]:
        state, rows = now
        u = jax.random.uniform(jax.random.fold_in(rng, t), rows[:, 0].shape)
        state, row = go(state, jax.lax.dynamic_index_in_dim(rows, t - 1, 1, False), u)
        return state, jax.lax.dynamic_update_index_in_dim(rows, row, t, 1)

    return jax.lax.fori_loop(kept, rows.shape[1], one, (state, rows))[1]


def values(
    go: Go,
    states: State,
    rows: Array,
    judge: Callable[[Array], Array],
    rng: Key,
    count: int,
) -> Array:
    """The worth [b, t] of rows [b, t, k] up to each: the mean over `count` completions.

    All prefixes are completed in one loop, whose body is compiled once; completions of a long
    prefix are short.

    Args:
      states: [t, b, ..], each as it is before it reads the row before its own.
      judge: whole sequences [n, t, k] -> verdicts [n].
    """

    def prefix(kept: Array) -> Array:
        again = lambda x: jnp.repeat(x, count, axis=0)
        state = jax.tree.map(lambda x: again(x[kept]), states)
        whole = complete(go, state, again(rows), kept, jax.random.fold_in(rng, kept))
        return judge(whole).reshape(-1, count).mean(axis=1)

    before = jax.lax.map(prefix, jnp.arange(1, rows.shape[1]))
    return jnp.concatenate([before.T, judge(rows)[:, None]], axis=1)
