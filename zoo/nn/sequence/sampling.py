"""Drawing tokens from logits, one at a time, for any autoregressive family.

Each event costs one uniform number, turned into a token through the inverse of the cumulative
distribution. The number belongs to (key, row, step) and to nothing else, so a row's music does not
depend on how many rows are drawn beside it. Axes: n rows, t step, v vocabulary.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Key
from zoo.errors import UsageError
from zoo.nn.sequence.constraints import Bounds
from zoo.nn.sequence.grammar import Grammar

State = TypeVar("State")
CHUNK = 32  # steps between two looks at whether every row has ended
BELOW_ONE = 1 - 2**-24
WIDE = 1000  # tokens from which on they are summed up by blocks
ONE = 0x3F800000  # the bits of 1.0


@dataclasses.dataclass(frozen=True)
class Draw:
    """How a token is drawn. The filters apply in the order of the fields, and cost only when on.

    `temperature` divides the logits; 0 takes the likeliest token. `top_k` keeps that many likeliest
    (None or 0: all). `top_p` keeps the likeliest whose mass reaches it (Holtzman et al. 2020).
    `min_p` keeps those at least that fraction as likely as the likeliest (Nguyen et al. 2024).
    Tokens tied with the last one kept are kept. Before all of these, in streams of events, what
    would complete a run of `no_repeat` events that the row already has is left out (Paulus et al.
    2017): music repeats bars and is held for many steps, so give more than a bar. A penalty on
    tokens heard before, as in text, would tax the HOLD that makes a note last and the key that a
    piece is in.

    Raises:
      UsageError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    no_repeat: int | None = None

    def __post_init__(self) -> None:
        legal = {
            "temperature": (
                0 <= self.temperature < math.inf,
                "a finite number from 0 up",
            ),
            "top_k": (
                self.top_k is None or self.top_k >= 0,
                "a whole number from 0 (all) up",
            ),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
            "no_repeat": (
                self.no_repeat is None or self.no_repeat >= 2,
                "2 events or more",
            ),
        }
        for name, (holds, range_) in legal.items():
            if not holds:
                raise UsageError(f"{name} is {getattr(self, name)}: choose {range_}.")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0 or self.top_k == 1

    def __call__(self, logits: Array, u: Array) -> Array:
        """Logits [.., v] and uniform numbers [..] in [0, 1) to tokens int32 [..]."""
        if self.greedy:
            return jnp.argmax(logits, axis=-1).astype(jnp.int32)
        logits = logits.astype(jnp.float32) / self.temperature
        mass = jnp.exp(logits - logits.max(axis=-1, keepdims=True))
        return invert(self.filter(mass), u)

    def filter(self, mass: Array) -> Array:
        """Unnormalised probabilities [.., v] whose largest is 1, with what is not kept set to 0."""
        if k := self.top_k:
            mass = cut(mass, lambda kept: (kept > 0).sum(axis=-1, keepdims=True) >= k)
        if self.top_p < 1:
            goal = self.top_p * mass.sum(axis=-1, keepdims=True)
            mass = cut(mass, lambda kept: kept.sum(axis=-1, keepdims=True) >= goal)
        return jnp.where(mass >= self.min_p, mass, 0.0) if self.min_p else mass


def cut(mass: Array, enough: Callable[[Array], Array]) -> Array:
    """`mass` [.., v] with its small entries set to 0: as many as leave `enough` [.., 1] true.

    Non-negative floats are ordered as their bits are, so thirty halvings of the range 0 to 1 find
    the threshold exactly. On two CPU cores, 64 rows of 130: 70 us, where a sort takes 1,000.
    """

    def above(bits: Array) -> Array:
        return jnp.where(
            mass >= jax.lax.bitcast_convert_type(bits, jnp.float32), mass, 0.0
        )

    def halve(_: int, range_: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = range_
        middle = (low + high + 1) // 2
        fits = enough(above(middle))
        return jnp.where(fits, middle, low), jnp.where(fits, high, middle - 1)

    low = jnp.zeros((*mass.shape[:-1], 1), jnp.int32)
    low, _ = jax.lax.fori_loop(0, 30, halve, (low, jnp.full_like(low, ONE)))
    return above(low)


def invert(mass: Array, u: Array) -> Array:
    """The token at which the cumulative share of `mass` [.., v] first exceeds `u` [..].

    Never a token without mass, whatever rounding does to the sums. In a wide vocabulary the block
    is found first and then the token in it: summing up all 5,000 of 1,024 rows takes 15 times as
    long on two CPU cores.
    """
    if mass.shape[-1] > WIDE:
        size = math.isqrt(mass.shape[-1])
        empty = [(0, 0)] * u.ndim + [(0, -mass.shape[-1] % size)]
        blocks = jnp.pad(mass, empty).reshape(*u.shape, -1, size)
        sums = blocks.sum(axis=-1)
        block = invert(sums, u)[..., None]
        before = jax.lax.broadcasted_iota(jnp.int32, sums.shape, sums.ndim - 1) < block
        below = jnp.where(before, sums, 0.0).sum(axis=-1)
        held = jnp.take_along_axis(sums, block, axis=-1)[..., 0]
        left = (u * sums.sum(axis=-1) - below) / held
        inside = jnp.take_along_axis(blocks, block[..., None], axis=-2)[..., 0, :]
        return block[..., 0] * size + invert(inside, jnp.maximum(left, 0.0))
    total = jnp.where(mass > 0, jnp.cumsum(mass, axis=-1), 0.0)
    goal = jnp.minimum(u, BELOW_ONE)[..., None] * total.max(axis=-1, keepdims=True)
    return jnp.argmax(total > goal, axis=-1).astype(jnp.int32)


def uniforms(rng: Key, n: int | Array, length: int) -> Array:
    """Uniform numbers [length, n]: the one at (t, i) is a function of `rng`, i and t alone.

    `n` is how many rows there are, or their numbers [n].
    """

    def one(key: Key, t: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(key, t))

    numbers = jnp.arange(n) if isinstance(n, int) else n
    rows = jax.vmap(jax.random.fold_in, (None, 0))(rng, numbers)
    return jax.vmap(jax.vmap(one, (0, None)), (None, 0))(rows, jnp.arange(length))


def bucket(length: int) -> int:
    """The next power of two from 32 up: sample that many and crop, and few lengths are compiled."""
    return max(CHUNK, 1 << (length - 1).bit_length())


def generate(
    step: Callable[[State, Array], tuple[State, Array]],
    state: State,
    rng: Key,
    n: int,
    length: int,
    *,
    draw: Draw = Draw(),
    primer: Array | None = None,
    grammar: Grammar | None = None,
) -> Array:
    """Draws `n` rows of `length` events in one compiled loop, which stops once every row has ended.

    Args:
      step: one step of the model, (state, token [n]) -> (state, logits [n, v]).
      state: the state before the first event; the first token fed is BOUNDARY.
      rng: row i's draws are a function of `rng`, i and the step: the same for any `n` and `length`.
      primer: int [n, p] or [p], the events that rows begin with. Rows may be of different lengths,
        padded with BOUNDARY: those places are drawn.
      grammar: what may be drawn where; forced events are taken as they are.

    Returns:
      int32 [n, length]; after a row's first drawn BOUNDARY there is nothing else.
    """
    bounds = Bounds(grammar, draw.no_repeat)
    chunk = min(CHUNK, length)
    steps = -(-length // chunk) * chunk
    forced = jnp.full((steps, n), BOUNDARY, jnp.int32)
    if primer is not None:
        given = jnp.broadcast_to(primer, (n, primer.shape[-1]))[:, :length]
        forced = forced.at[: given.shape[1]].set(given.T.astype(jnp.int32))
    u = uniforms(rng, n, steps)

    def event(now, inputs):
        state, course, token, ended = now
        u, forced = inputs
        state, logits = step(state, token)
        drawn = jnp.where(ended, BOUNDARY, draw(bounds.mask(course, logits), u))
        token = jnp.where(forced == BOUNDARY, drawn, forced)
        return (state, bounds.advance(course, token), token, token == BOUNDARY), token

    def some(now):
        t, rows, loop = now
        inputs = jax.tree.map(
            lambda x: jax.lax.dynamic_slice_in_dim(x, t, chunk), (u, forced)
        )
        loop, tokens = jax.lax.scan(event, loop, inputs)
        return t + chunk, jax.lax.dynamic_update_slice_in_dim(rows, tokens, t, 0), loop

    def unfinished(now):
        t, _, (*_, ended) = now
        return (t < steps) & ~ended.all()

    rows = jnp.full((steps, n), BOUNDARY, jnp.int32)
    begin = jnp.full((n,), BOUNDARY, jnp.int32)
    loop = (state, bounds.start(n, length), begin, jnp.zeros((n,), bool))
    _, rows, _ = jax.lax.while_loop(unfinished, some, (0, rows, loop))
    return rows[:length].T
