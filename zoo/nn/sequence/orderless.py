"""Orderless models of a grid of cells: masks, orders, and Gibbs sampling.

An orderless model predicts any cells from any others. A grid has t steps of k voices; a
frame is one step of all voices. `known` masks are True for the cells that the model is
conditioned on. Axes: b and n row, t step, k voice, v vocabulary, j position in an order
of voices, m evaluated frame.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from zoo.core import Array, Bool, Float, Int, Key
from zoo.errors import UsageError
from zoo.nn.rng import row_keys

NONE = -99  # the token of a missing neighbour; its one-hot vector is zero


def random_ranks(rng: Key, among: Bool[Array, "*b n"]) -> Int[Array, "*b n"]:
    """Draws the ranks of a random order, in which entries not in `among` come last."""
    chance = jnp.where(among, jax.random.uniform(rng, among.shape, jnp.float32), 2.0)
    return jnp.argsort(jnp.argsort(chance, axis=-1), axis=-1)


def known_frames(
    rng: Key, mask: Bool[Array, "b t"], level: Float[Array, " b"]
) -> Bool[Array, "b t"]:
    """Draws the known frames of each row: the first ones of a random order.

    Args:
      rng: the key.
      mask: True for frames, False for padding.
      level: in [0, 1), the share of known frames, from none to all but one.
    """
    count = jnp.floor(level * mask.sum(axis=1).astype(jnp.float32))
    return (random_ranks(rng, mask).astype(jnp.float32) < count[:, None]) & mask


def known_cells(
    rng: Key, mask: Bool[Array, "b t"], level: Float[Array, " b"], voices: int
) -> Bool[Array, "b t k"]:
    """Draws the known cells of each row: up to k - 1 whole voices, and single cells.

    In half of the rows no voice is known as a whole. `level` is the share of the other
    voices' cells that are known, as in `known_frames`.
    """
    count_key, voice_key, cell_key = jax.random.split(rng, 3)
    rows, steps = mask.shape
    count = jax.random.randint(count_key, (rows, 1), 1 - voices, voices)
    whole = random_ranks(voice_key, jnp.ones((rows, voices), bool)) < count
    rest = (mask[:, :, None] & ~whole[:, None]).reshape(rows, -1)
    count = jnp.floor(level * rest.sum(axis=1).astype(jnp.float32))
    single = (random_ranks(cell_key, rest).astype(jnp.float32) < count[:, None]) & rest
    return single.reshape(rows, steps, voices) | (mask[:, :, None] & whole[:, None])


def nearest_known(
    tokens: Int[Array, "b t k"], known: Bool[Array, "b t k"]
) -> tuple[Int[Array, "b t k 2"], Int[Array, "b t k 2"]]:
    """Returns the nearest known tokens of the same voice, before and after each cell.

    Returns:
      The tokens, NONE where there is none; and their distances in steps.
    """
    steps = tokens.shape[1]
    step = jnp.arange(steps)[None, :, None]
    before = jax.lax.cummax(jnp.where(known, step, NONE), axis=1)
    after = jax.lax.cummin(jnp.where(known, step, steps - NONE), axis=1, reverse=True)
    side = jnp.stack([before, after], axis=-1)
    exists = (side >= 0) & (side < steps)
    index = jnp.clip(side, 0, steps - 1)
    neighbour = jnp.take_along_axis(tokens[..., None], index, axis=1)
    distance = jnp.abs(side - step[..., None])
    return jnp.where(exists, neighbour, NONE), jnp.where(exists, distance, -NONE)


def decided_before(order: Int[Array, "b t j"]) -> Bool[Array, "b t j k"]:
    """Returns the voices that come before each position of an order of voices."""
    position = jnp.argsort(order, axis=-1)
    return position[:, :, None] < jnp.arange(order.shape[-1])[None, None, :, None]


def token_log_prob(
    logits: Float[Array, "*b v"], tokens: Int[Array, "*b"]
) -> Float[Array, "*b"]:
    """Returns the log-probabilities of tokens, in nats."""
    chosen = jnp.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    return chosen - jax.nn.logsumexp(logits, axis=-1)


def ordered_frames(
    frame: Callable[[Key, Array, Array], Array],
    mask: Bool[Array, "b t"],
    rng: Key,
    *,
    orders: int,
    steps: int,
) -> tuple[Float[Array, "orders b m"], Bool[Array, "b m"]]:
    """Evaluates each frame conditioned on those before it in random orders.

    This is Algorithm 1 of Huang et al. 2017.

    Args:
      frame: (key, step int [b], known bool [b, t]) -> a number [b] for one frame per
        row.
      mask: True for frames, False for padding.
      rng: the key.
      orders: number of orders.
      steps: m, frames to evaluate per row, 0 for all. They are chosen at random and are
        the same in every order. Their positions in an order are stratified, and each is
        equally likely, so that their mean is an unbiased estimate of the mean over all.

    Returns:
      The numbers; and which of the m frames are in the mask.
    """
    rng, frame_key = jax.random.split(rng)
    m = min(steps, mask.shape[1]) if steps else mask.shape[1]
    which = jnp.argsort(random_ranks(frame_key, mask), axis=1)[:, :m]
    count = mask.sum(axis=1, keepdims=True)
    valid = jnp.arange(m)[None] < count

    def one_order(rng: Key) -> Array:
        order_key, stratum_key, offset_key, rng = jax.random.split(rng, 4)
        rank = random_ranks(order_key, mask)
        position = jnp.take_along_axis(rank, which, axis=1)
        if steps:
            offset = jax.random.uniform(offset_key, valid.shape, jnp.float32)
            stratum = random_ranks(stratum_key, valid) + offset
            strata = jnp.minimum(m, jnp.maximum(count, 1))
            position = jnp.floor(stratum * count / strata).astype(int)
            position = jnp.minimum(position, count - 1)  # against rounding up

        def one_frame(inputs: tuple[Key, Array, Array]) -> Array:
            rng, step, position = inputs
            own = jnp.take_along_axis(rank, step[:, None], axis=1)
            known = (rank - (rank > own) < position[:, None]) & (rank != own) & mask
            return frame(rng, step, known)

        keys = jax.random.split(rng, m)
        return jax.lax.map(one_frame, (keys, which.T, position.T)).T

    return jax.lax.map(one_order, jax.random.split(rng, orders)), valid


def annealed_gibbs(
    rewrite: Callable[[Key, Array, Array], Array],
    tokens: Int[Array, "n t k"],
    free: Bool[Array, "#n t k"],
    rng: Key,
    *,
    steps: int,
    low: float = 0.05,
    hold: float = 0.75,
) -> Int[Array, "n t k"]:
    """Samples by blocked Gibbs sampling with masks that shrink.

    Yao et al. 2014; Huang et al. 2017, eq. 6. Each step masks a random share of the
    free cells and samples them conditioned on all others. The share falls from 1 to
    `low` over the first `hold` of the steps. Steps mask whole frames and single cells
    in turn: the first let a chord move as one, the second a voice.

    Args:
      rewrite: (keys [n], tokens [n, t, k], known bool [n, t, k]) -> tokens.
      tokens: the initial cells.
      free: the cells to sample; all others are kept.
      rng: row i is a function of `rng`, i and its tokens alone.
      steps: of sampling.
      low: the smallest share.
      hold: the fraction of the steps in which the share falls.
    """
    keys = row_keys(rng, len(tokens))

    def step(i: Array, tokens: Array) -> Array:
        split = lambda key: jax.random.split(jax.random.fold_in(key, i))
        mask_keys, sample_keys = jnp.moveaxis(jax.vmap(split)(keys), 1, 0)
        uniform = lambda key: jax.random.uniform(key, tokens.shape[1:], jnp.float32)
        chance = jax.vmap(uniform)(mask_keys)
        chance = jnp.where(i % 2 == 0, chance[..., :1], chance)
        share = jnp.maximum(low, 1 - (1 - low) * i.astype(jnp.float32) / (hold * steps))
        return rewrite(sample_keys, tokens, ~(free & (chance < share)))

    return jax.lax.fori_loop(0, steps, step, tokens)


def primed_grid(
    n: int,
    steps: int,
    voices: int,
    *,
    length: int | None,
    primer: Array | None,
    free: Array | None,
) -> tuple[Int[Array, "n t k"], Bool[Array, "n t k"]]:
    """Lays out a primer for `annealed_gibbs`: a grid, and its free cells.

    Args:
      n: number of rows.
      steps: t, unless `length` or `free` says otherwise.
      voices: k.
      length: t; None for the steps of the primer if there is `free`, else `steps`.
      primer: int [p, k] or [n, p, k], the first steps; None for none.
      free: bool [p, k], the cells of the primer to sample again; None for none.

    Raises:
      UsageError: the primer has another number of voices, is longer than the grid, or
        leaves nothing to sample; or `free` has no primer or another shape.
    """
    if primer is None:
        if free is not None:
            raise UsageError("free refers to cells of a primer: pass a primer with it.")
        primer = jnp.zeros((0, voices), jnp.int32)
    size, width = primer.shape[-2:]
    length = length or (steps if free is None else size)
    if width != voices or size > length or (free is None and size == length):
        raise UsageError(
            f"the primer has {size} steps of {width} voices, and the sample {length} "
            f"steps of {voices}: pass a shorter primer of {voices} voices, or a "
            "greater length."
        )
    if free is not None and free.shape[-2:] != (size, voices):
        raise UsageError(
            f"free has shape {free.shape}: pass the primer's, [{size}, {voices}]."
        )
    tokens = jnp.zeros((n, length, voices), jnp.int32).at[:, :size].set(primer)
    primer_free = jnp.zeros((), bool) if free is None else free
    return tokens, jnp.ones(tokens.shape, bool).at[:, :size].set(primer_free)
