"""Lookback features: earlier events, and the place in the bar (Waite 2016).

A piece is a sequence of events, most of which last one step. Time signature events take
no time; they set the number of steps in the bars from there on, and restart the count
of bars. Nothing before the BOUNDARY that begins the piece is visible. `Lookback.row`
computes the features of whole rows by gathers, `Lookback.step` those of one event at a
time; they agree. Axes: b row, t step of a row, n rows of a stream, j distance.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Int


class Features(NamedTuple):
    """The features for predicting an event, [.., j] or [..] each."""

    events: Array  # int [.., j], the event at each distance; BOUNDARY if there is none
    repeats: (
        Array  # bool [.., j], whether the last step repeated the one at the distance
    )
    step: Array  # int, place of the coming event in its bar
    bar: Array  # int, its bar, counted from the last time signature


class LookbackState(NamedTuple):
    """The memory of a stream."""

    history: Array  # int [n, m], the events of the last m steps, latest last
    steps: Array  # int [n], steps so far
    since: Array  # int [n], steps since the last time signature
    bar: Array  # int [n], steps in a bar


@dataclasses.dataclass(frozen=True)
class Lookback:
    """Computes the features of events.

    Attributes:
      distances: in bars.
      bar: steps in a bar before any time signature.
      bars: for each token, the steps in a bar that it sets, 0 if it is no time
        signature. An empty tuple is a vocabulary without time signatures.
    """

    distances: tuple[int, ...]
    bar: int
    bars: tuple[int, ...] = ()

    @property
    def longest(self) -> int:
        """The most steps in a bar."""
        return max(self.bar, *self.bars, 1)

    def row(self, tokens: Int[Array, "b t"]) -> Features:
        """Returns the features [b, t, ..] of what follows each event of whole rows.

        Rows begin with BOUNDARY.
        """
        bar_set = self._bar_set(tokens)
        begins = tokens == BOUNDARY
        lasts = ~begins & (bar_set == 0)
        steps = jnp.cumsum(lasts, axis=1)
        rows, length = jnp.arange(len(tokens))[:, None], tokens.shape[1]
        index = jnp.where(lasts, steps - 1, length)
        by_step = jnp.zeros_like(tokens).at[rows, index].set(tokens, mode="drop")
        # steps and positions never decrease, so the latest of them is the largest
        first = jax.lax.cummax(jnp.where(begins, steps, 0), axis=1)
        position = jnp.arange(length)[None]
        restarts = begins | (bar_set > 0)
        restart = jax.lax.cummax(jnp.where(restarts, position, 0), axis=1)
        bar = jnp.where(bar_set > 0, bar_set, self.bar)[rows, restart]
        since = steps - steps[rows, restart]

        def event_at(step: Array) -> Array:
            """Returns the event of a step [b, t, j], BOUNDARY if in another piece."""
            event = by_step[rows[..., None], jnp.maximum(step, 0)]
            return jnp.where(step >= first[..., None], event, BOUNDARY)

        return self._features(event_at, steps, since, bar)

    def start(self, n: int) -> LookbackState:
        """Returns the memory of `n` rows before a piece begins."""
        size = max((*self.distances, 0)) * self.longest + 1
        zero = jnp.zeros(n, jnp.int32)
        history = jnp.zeros((n, size), jnp.int32)
        return LookbackState(history, zero, zero, zero + self.bar)

    def step(
        self, state: LookbackState, token: Int[Array, " n"]
    ) -> tuple[LookbackState, Features]:
        """Reads one event; returns the memory and the features [n, ..] of the next."""
        bar_set, begins = self._bar_set(token), token == BOUNDARY
        lasts = ~begins & (bar_set == 0)
        more = lasts.astype(jnp.int32)
        shifted = jnp.concatenate([state.history[:, 1:], token[:, None]], axis=1)
        history = jnp.where(lasts[:, None], shifted, state.history)
        steps = jnp.where(begins, 0, state.steps + more)
        since = jnp.where(begins | (bar_set > 0), 0, state.since + more)
        bar = jnp.where(bar_set > 0, bar_set, state.bar)
        bar = jnp.where(begins, self.bar, bar)

        def event_at(step: Array) -> Array:
            """Returns the event of a step [n, j], BOUNDARY before the piece began."""
            index = jnp.clip(history.shape[1] + step - steps[:, None], 0)
            event = jnp.take_along_axis(history, index, axis=1)
            return jnp.where(step >= 0, event, BOUNDARY)

        features = self._features(event_at, steps, since, bar)
        return LookbackState(history, steps, since, bar), features

    def _bar_set(self, tokens: Array) -> Array:
        """Returns the steps in a bar that each token sets, or 0."""
        return jnp.asarray(self.bars)[tokens] if self.bars else jnp.zeros_like(tokens)

    def _features(
        self,
        event_at: Callable[[Array], Array],
        steps: Array,
        since: Array,
        bar: Array,
    ) -> Features:
        distances = jnp.asarray(self.distances, jnp.int32)
        distances = distances.reshape((1,) * steps.ndim + (-1,))
        before = steps[..., None] - distances * bar[..., None]
        events, last = event_at(before), event_at(steps[..., None] - 1)
        repeats = (event_at(before - 1) == last) & (last != BOUNDARY)
        return Features(events, repeats, since % bar, since // bar)
