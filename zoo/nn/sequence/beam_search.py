"""Beam search for the most likely events (Lowerre 1976; Graves 2012).

Axes: k beam, t step, v vocabulary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from zoo.core import BOUNDARY, Array, Float, Int
from zoo.nn.sequence.constraints import Constraints, ConstraintState
from zoo.nn.sequence.grammar import Grammar

State = TypeVar("State")


class Beams(NamedTuple):
    """The beams, the best first."""

    tokens: Array  # int32 [k, t]
    log_prob: Array  # float32 [k], in nats; minus infinity for an empty beam
    size: Array  # int32 [k], events so far
    ended: Array  # bool [k]
    state: Any  # of the model, each leaf [k, ...]
    constraint_state: ConstraintState


def beam_search(
    step: Callable[[State, Array], tuple[State, Array]],
    state: State,
    width: int,
    length: int,
    *,
    primer: Int[Array, " p"] | None = None,
    grammar: Grammar | None = None,
    no_repeat: int | None = None,
    alpha: float = 0.0,
) -> tuple[Int[Array, "k t"], Float[Array, " k"]]:
    """Searches for the most likely rows of events.

    After each event the `width` best continuations of all beams are kept. A beam that
    has ended is kept until better ones replace it. With `width` at least v ** `length`
    the search is exhaustive.

    Args:
      step: one step of the model, (state, token [1]) -> (state, logits [1, v]).
      state: of one row before its first event.
      width: k, the number of beams.
      length: t, the most events in a row.
      primer: the first events of every beam, which count in its likelihood.
      grammar: which tokens may follow; the primer is not checked.
      no_repeat: size of the n-grams that may not occur twice in a row; see `Draw`.
      alpha: of the length penalty: beams are ranked by log-likelihood / ((5 + events) /
        6) ** alpha (Wu et al. 2016, eq. 14). 0 ranks by likelihood, which favours short
        pieces.

    Returns:
      Tokens, the best row first, and log-likelihoods in nats, minus infinity for rows
      beyond the last possible one.
    """
    constraints = Constraints(grammar, no_repeat)
    forced = jnp.full((length,), BOUNDARY, jnp.int32)
    if primer is not None:
        forced = forced.at[: len(primer)].set(primer[:length].astype(jnp.int32))

    def step_one(state: State, token: Array) -> tuple[State, Array]:
        state, logits = step(state, token[None])
        return state, logits[0]

    def event(loop: tuple[Array, Beams]) -> tuple[Array, Beams]:
        t, beams = loop
        before = jnp.where(t > 0, beams.tokens[:, t - 1], BOUNDARY)
        state, logits = jax.vmap(step_one)(beams.state, before)
        log_p, vocab = jax.nn.log_softmax(logits.astype(jnp.float32)), logits.shape[-1]
        tokens = jnp.arange(vocab)
        primed = jnp.where(tokens[None] == forced[t], log_p, -jnp.inf)
        masked = constraints.mask(beams.constraint_state, log_p)
        log_p = jnp.where(forced[t] == BOUNDARY, masked, primed)
        padding = jnp.where(tokens == BOUNDARY, 0.0, -jnp.inf)
        log_p = jnp.where(beams.ended[:, None], padding[None], log_p)
        log_p = beams.log_prob[:, None] + log_p
        size = beams.size + ~beams.ended
        penalty = ((5 + size) / 6)[:, None] ** alpha
        _, best = jax.lax.top_k((log_p / penalty).reshape(-1), width)
        parent, token = jnp.divmod(best, vocab)
        kept = (beams.tokens, size, state, beams.constraint_state)
        rows, size, state, constraint_state = jax.tree.map(lambda x: x[parent], kept)
        log_prob = log_p.reshape(-1)[best]
        token = jnp.where(jnp.isinf(log_prob), BOUNDARY, token)
        return t + 1, Beams(
            tokens=rows.at[:, t].set(token),
            log_prob=log_prob,
            size=size,
            ended=token == BOUNDARY,
            state=state,
            constraint_state=constraints.advance(constraint_state, token),
        )

    def unfinished(loop: tuple[Array, Beams]) -> Array:
        t, beams = loop
        return (t < length) & ~beams.ended.all()

    first = jnp.arange(width) == 0
    broadcast = lambda x: jnp.broadcast_to(x[None], (width, *x.shape))
    beams = Beams(
        tokens=jnp.full((width, length), BOUNDARY, jnp.int32),
        log_prob=jnp.where(first, 0.0, -jnp.inf),
        size=jnp.zeros((width,), jnp.int32),
        ended=~first,
        state=jax.tree.map(broadcast, state),
        constraint_state=constraints.start(width, length),
    )
    _, beams = jax.lax.while_loop(unfinished, event, (jnp.int32(0), beams))
    return beams.tokens, beams.log_prob
