"""What models of cells given any other cells need: masks, orders, and sampling by rewriting.

A grid has t steps of k voices; a frame is all of a step. Axes: b row, t step, k voice, v
vocabulary, j place in an order of voices, m frames measured, n rows sampled.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from zoo.core import Array, Key
from zoo.errors import UsageError

NONE = (
    -99
)  # the token where no given cell lies on that side; its one-hot vector is zero


def ranks(rng: Key, among: Array) -> Array:
    """A random order: int [.., n], 0 first, with those where `among` [.., n] does not hold last."""
    chance = jnp.where(among, jax.random.uniform(rng, among.shape), 2.0)
    return jnp.argsort(jnp.argsort(chance, axis=-1), axis=-1)


def strata(rng: Key, n: int) -> Array:
    """Numbers [n], each uniform in [0, 1), spread evenly: one in each n-th of the interval."""
    return (jax.random.uniform(rng) + jnp.arange(n) / n) % 1


def frames(rng: Key, mask: Array, level: Array) -> Array:
    """Given frames, bool [b, t]: the first of a random order of those in `mask` [b, t].

    `level` [b], in [0, 1), says how many: none for the lowest, all but one for the highest.
    """
    count = jnp.floor(level * mask.sum(axis=1))
    return (ranks(rng, mask) < count[:, None]) & mask


def cells(rng: Key, mask: Array, level: Array, voices: int) -> Array:
    """Given cells, bool [b, t, k]: up to k - 1 whole voices, and of the others the first few cells.

    In half of the rows no voice is given whole; `level` says how many of the rest are, as above.
    """
    one, two, three = jax.random.split(rng, 3)
    rows, steps = mask.shape
    whole = jax.random.randint(one, (rows, 1), 1 - voices, voices)
    whole = ranks(two, jnp.ones((rows, voices), bool)) < whole
    rest = (mask[:, :, None] & ~whole[:, None]).reshape(rows, -1)
    count = jnp.floor(level * rest.sum(axis=1))
    given = ((ranks(three, rest) < count[:, None]) & rest).reshape(rows, steps, voices)
    return given | (mask[:, :, None] & whole[:, None])


def nearest(tokens: Array, given: Array) -> tuple[Array, Array]:
    """The given tokens next to each cell of its voice, before and after, and their distances."""
    steps = tokens.shape[1]
    at = jnp.arange(steps)[None, :, None]
    before = jax.lax.cummax(jnp.where(given, at, NONE), axis=1)
    after = jax.lax.cummin(jnp.where(given, at, steps - NONE), axis=1, reverse=True)
    side = jnp.stack([before, after], axis=-1)
    there = (side >= 0) & (side < steps)
    found = jnp.take_along_axis(tokens[..., None], jnp.clip(side, 0, steps - 1), axis=1)
    return jnp.where(there, found, NONE), jnp.where(
        there, jnp.abs(side - at[..., None]), -NONE
    )


def before(order: Array) -> Array:
    """Which voices are decided before place j of an `order` [b, t, j]: bool [b, t, j, k]."""
    place = jnp.argsort(order, axis=-1)
    return place[:, :, None] < jnp.arange(order.shape[-1])[None, None, :, None]


def chosen(logits: Array, tokens: Array) -> Array:
    """Log-probability of `tokens` [..] under `logits` [.., v]."""
    picked = jnp.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    return picked - jax.nn.logsumexp(logits, axis=-1)


def along(
    frame: Callable[[Key, Array, Array], Array],
    mask: Array,
    rng: Key,
    orders: int,
    steps: int,
) -> tuple[Array, Array]:
    """What `frame` makes of each frame, given those before it in random orders (Algorithm 1).

    With `steps`, of that many frames of each row alone, chosen at random and the same in every
    order; their places in an order are spread evenly, and each is as likely as another. The mean
    over them is an unbiased estimate of the mean over all. 0 is all of them.

    Args:
      frame: (key, steps int [b], given bool [b, t]) -> a number [b] of one frame a row.
      mask: bool [b, t], the frames there are.

    Returns:
      Those numbers, [orders, b, m], and which of the m are frames of the mask, bool [b, m].
    """
    rng, one = jax.random.split(rng)
    m = min(steps, mask.shape[1]) if steps else mask.shape[1]
    which = jnp.argsort(ranks(one, mask), axis=1)[:, :m]
    count = mask.sum(axis=1, keepdims=True)
    valid = jnp.arange(m)[None] < count

    def order(rng: Key) -> Array:
        one, two, three, rng = jax.random.split(rng, 4)
        rank = ranks(one, mask)
        place = jnp.take_along_axis(rank, which, axis=1)
        if steps:
            even = ranks(two, valid) + jax.random.uniform(three, valid.shape)
            place = jnp.floor(
                even * count / jnp.minimum(m, jnp.maximum(count, 1))
            ).astype(int)
            place = jnp.minimum(place, count - 1)  # rounding

        def one_frame(now: tuple[Key, Array, Array]) -> Array:
            rng, step, place = now
            own = jnp.take_along_axis(rank, step[:, None], axis=1)
            return frame(
                rng, step, (rank - (rank > own) < place[:, None]) & (rank != own) & mask
            )

        return jax.lax.map(one_frame, (jax.random.split(rng, m), which.T, place.T)).T

    return jax.lax.map(order, jax.random.split(rng, orders)), valid


def anneal(
    rewrite: Callable[[Key, Array, Array], Array],
    tokens: Array,
    free: Array,
    rng: Key,
    steps: int,
    low: float = 0.05,
    hold: float = 0.75,
) -> Array:
    """Blocked Gibbs sampling with masks that shrink (Yao et al. 2014; Huang et al. 2017, eq. 6).

    Each step hides a share of the free cells, at random, and writes them anew given all others. The
    share falls from 1 to `low` over the first `hold` of the steps. Whole frames and single cells
    are hidden in turn: the first lets a chord move as one, the second a voice.

    Args:
      rewrite: (keys [n], tokens [n, t, k], given bool [n, t, k]) -> tokens.
      tokens: int [n, t, k], what is kept where not `free` bool [n, t, k].
      rng: row i's music is a function of `rng`, i and its tokens alone.
    """
    rows = jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(len(tokens)))

    def step(i: Array, tokens: Array) -> Array:
        keys = jax.vmap(lambda row: jax.random.split(jax.random.fold_in(row, i)))(rows)
        chance = jax.vmap(lambda key: jax.random.uniform(key, tokens.shape[1:]))(
            keys[:, 0]
        )
        chance = jnp.where(i % 2 == 0, chance[..., :1], chance)
        share = jnp.maximum(low, 1 - (1 - low) * i / (hold * steps))
        return rewrite(keys[:, 1], tokens, ~(free & (chance < share)))

    return jax.lax.fori_loop(0, steps, step, tokens)


def lay(
    n: int,
    steps: int,
    voices: int,
    length: int | None,
    primer: Array | None,
    free: Array | None,
) -> tuple[Array, Array]:
    """A grid int32 [n, t, k] with the primer laid in, and where it is to be written, bool.

    It has `length` steps; where that is None, those of the primer that `free` is about, or `steps`.

    Raises:
      UsageError: a primer of another number of voices, longer than the grid, or that leaves nothing
        to write; `free` without a primer or of another shape.
    """
    if primer is None:
        if free is not None:
            raise UsageError(
                "free says what of a primer is written anew: give a primer with it."
            )
        primer = jnp.zeros((0, voices), jnp.int32)
    given, wide = primer.shape[-2:]
    length = length or (steps if free is None else given)
    if wide != voices or given > length or (free is None and given == length):
        raise UsageError(
            f"the primer has {given} steps of {wide} voices, and {length} of {voices} are written: "
            "give a shorter primer of as many voices, or a greater length."
        )
    if free is not None and free.shape[-2:] != (given, voices):
        raise UsageError(
            f"free has shape {free.shape}: give [{given}, {voices}], as of the primer."
        )
    tokens = jnp.zeros((n, length, voices), jnp.int32).at[:, :given].set(primer)
    kept = jnp.zeros((), bool) if free is None else free
    return tokens, jnp.ones(tokens.shape, bool).at[:, :given].set(kept)
