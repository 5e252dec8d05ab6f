"""What came one or two bars ago, whether it is being repeated, and where in the bar we are (Waite
2016).

A piece is a stream of events, most of which last one step. Some, the announcements of a metre,
take no time and say how many steps make a bar from there on, where the count begins anew. Nothing
is looked for before the BOUNDARY that begins the piece. `Lookback.row` finds it all for whole rows
by gathers, `Lookback.step` for one event at a time; they agree. Axes: b row, t step of a row, n
rows of a stream, j distance, v vocabulary.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array


class Features(NamedTuple):
    """What is known when an event is to be predicted, each [.., j] or [..]."""

    events: Array  # int, what came so many bars before the coming event; BOUNDARY: nothing did
    repeats: (
        Array  # bool, whether the last step's event was that of so many bars before it
    )
    step: Array  # int, of the coming event in its bar
    bar: Array  # int, of the coming event, since bars were last counted anew


class Heard(NamedTuple):
    """What a stream remembers of its piece."""

    history: Array  # int [n, m], the events of its last m steps, latest last
    steps: Array  # int [n], how many there were
    since: Array  # int [n], how many since bars were last counted anew
    bar: Array  # int [n], steps in a bar


@dataclasses.dataclass(frozen=True)
class Lookback:
    """Looks back by `distances`, in bars.

    `bars`: for each token the steps in the bars that it announces, and 0 for those that last a
    step; none announces any if it is empty. `bar`: steps in a bar where none has been announced.
    """

    distances: tuple[int, ...]
    bar: int
    bars: tuple[int, ...] = ()

    @property
    def longest(self) -> int:
        return max(self.bar, *self.bars, 1)

    def row(self, tokens: Array) -> Features:
        """Features [b, t, ..] of what comes after each event of rows int [b, t].

        Rows begin with BOUNDARY.
        """
        announced = self._announced(tokens)
        begins = tokens == BOUNDARY
        lasts = ~begins & (announced == 0)
        steps = jnp.cumsum(lasts, axis=1)  # of the row
        rows, length = jnp.arange(len(tokens))[:, None], tokens.shape[1]
        laid = jnp.zeros_like(tokens)
        laid = laid.at[rows, jnp.where(lasts, steps - 1, length)].set(
            tokens, mode="drop"
        )
        # neither step counts nor places ever fall, so the last of them is the largest
        first = jax.lax.cummax(jnp.where(begins, steps, 0), axis=1)
        place = jnp.arange(length)[None]
        anew = jax.lax.cummax(jnp.where(begins | (announced > 0), place, 0), axis=1)
        bar = jnp.where(announced > 0, announced, self.bar)[rows, anew]
        since = steps - steps[rows, anew]

        def at(step: Array) -> Array:
            """What came at a step [b, t, j] of the row, BOUNDARY where that is another piece."""
            found = laid[rows[..., None], jnp.maximum(step, 0)]
            return jnp.where(step >= first[..., None], found, BOUNDARY)

        return self._features(at, steps, since, bar)

    def start(self, n: int) -> Heard:
        """The memory of `n` rows before a piece begins."""
        reach = max((*self.distances, 0)) * self.longest + 1
        nothing = jnp.zeros(n, jnp.int32)
        return Heard(
            jnp.zeros((n, reach), jnp.int32), nothing, nothing, nothing + self.bar
        )

    def step(self, heard: Heard, token: Array) -> tuple[Heard, Features]:
        """One event int [n] of a stream: memory, features [n, ..] of what comes after it."""
        announced, begins = self._announced(token), token == BOUNDARY
        lasts = ~begins & (announced == 0)
        later = jnp.concatenate([heard.history[:, 1:], token[:, None]], axis=1)
        history = jnp.where(lasts[:, None], later, heard.history)
        steps = jnp.where(begins, 0, heard.steps + lasts)
        since = jnp.where(begins | (announced > 0), 0, heard.since + lasts)
        bar = jnp.where(
            begins, self.bar, jnp.where(announced > 0, announced, heard.bar)
        )

        def at(step: Array) -> Array:
            """What came at a step [n, j] of the piece, BOUNDARY before it began."""
            ago = jnp.clip(history.shape[1] + step - steps[:, None], 0)
            return jnp.where(
                step >= 0, jnp.take_along_axis(history, ago, axis=1), BOUNDARY
            )

        return Heard(history, steps, since, bar), self._features(at, steps, since, bar)

    def _announced(self, tokens: Array) -> Array:
        return jnp.asarray(self.bars)[tokens] if self.bars else jnp.zeros_like(tokens)

    def _features(
        self, at: Callable[[Array], Array], steps: Array, since: Array, bar: Array
    ) -> Features:
        """Given the event `at` a step, those so far and since bars were counted, and the bar."""
        distances = jnp.asarray(self.distances, jnp.int32).reshape(
            (1,) * steps.ndim + (-1,)
        )
        before = steps[..., None] - distances * bar[..., None]
        events, last = at(before), at(steps[..., None] - 1)
        repeats = (at(before - 1) == last) & (last != BOUNDARY)
        return Features(events, repeats, since % bar, since // bar)
